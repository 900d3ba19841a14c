"""The edge: reads a WebSocket handshake's signed route, then joins the two sockets byte for byte.

It stands for CloudFront with its edge function.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from infra.local.splice import Head, Pair, Refused, dial, splice

CONNECT_S = 2.0  #: one attempt, as route.js asks of CloudFront

#: (path, now_epoch_s) -> host:port; raises ValueError for a route that is not ours or has expired.
ReadRoute = Callable[[str, int], str]

#: What becomes of a dial to a task that is gone. "refuses": at once, as a machine that is up does. "silent":
#: nothing, as with an address that was released, so that all of CONNECT_S is waited out.
Dead = Literal["refuses", "silent"]

HEADER = "x-vivavoce-edge"


class Edge:
    """`read_route` decides where a connection goes, `secret` says that it came by us.

    `dead` is how an address behaves where no task listens; it may be set anew at any time.
    """

    def __init__(self, read_route: ReadRoute, secret: str = "", dead: Dead = "refuses") -> None:
        self.dead: Dead = dead
        self._read_route = read_route
        self._secret = secret

    async def attend(self, head: Head, client: Pair) -> None:
        """Join the client to its relay until one of them ends. Raises Refused."""
        address = self._target(head)
        relay = await _dial(address, self.dead)
        relay[1].write(head.put(HEADER, self._secret or None).encode())  # our secret, and no other
        await splice(client, relay)

    def _target(self, head: Head) -> str:
        if not head.opens_websocket:
            raise Refused(400)
        try:
            return self._read_route(head.path, int(time.time()))
        except ValueError:
            raise Refused(403) from None


async def _dial(address: str, dead: Dead) -> Pair:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_S):
            try:
                return await dial(host, int(port))
            except OSError:
                if dead == "silent":
                    await asyncio.Event().wait()
                raise
    except TimeoutError:
        raise Refused(504) from None
    except (OSError, ValueError):
        raise Refused(502) from None
