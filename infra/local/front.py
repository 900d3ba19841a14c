"""The one port of the local stack: page, control road and media road, told apart by the path.

    /v1  ─▶ gateway emulator      /r/…  ─▶ edge      everything else ─▶ page

So that one forwarded port (SSH, an editor's, a container's) is the whole stack. A forwarder has a name of its
own, which the parts behind must neither admit nor know: whoever comes by it appears to them as a client of
this machine, with its way in `X-Forwarded-Host` and `X-Forwarded-Proto`.

What keeps other sites out: `Host` must name this machine, which no page elsewhere can bring about (DNS
rebinding), and an origin counts as the forwarded page's own only if `X-Forwarded-Host` names it, which no
page can set on a WebSocket, and on a request only after a preflight that is refused.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Self
from urllib.parse import urlsplit

from infra.local.background import Background
from infra.local.endpoint import url_of
from infra.local.site import came_by
from infra.local.splice import HEAD_BYTES, Head, Pair, Refused, close, dial, read_head, splice
from simulator.server.loopback import is_host_of_loopback

#: Attends to a client whose head was read, to its end. Raises Refused.
Door = Callable[[Head, Pair], Awaitable[None]]


class Front:
    """Serves `listener`. `doors` go by the first part of the path; "" is for all others.

    `is_ours` says which `Host` names this machine.
    """

    def __init__(
        self,
        listener: socket.socket,
        doors: Mapping[str, Door],
        is_ours: Callable[[str | None], bool] = is_host_of_loopback,
    ) -> None:
        self.url = url_of(listener, "ws")
        self._listener = listener
        self._doors = doors
        self._is_ours = is_ours
        self._port = listener.getsockname()[1]
        self._tasks = Background()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, sock=self._listener, limit=HEAD_BYTES)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        await self._tasks.__aexit__()
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.start(self._serve((reader, writer)), name="front connection")

    async def _serve(self, client: Pair) -> None:
        reader, writer = client
        try:
            try:
                head = self._from_here(await read_head(reader))
                await self._door(head)(head, client)
            except Refused as refusal:
                writer.write(refusal.answer())
                await writer.drain()
        except (ConnectionError, TimeoutError):
            pass  # one of the two went away; the other is closed below
        finally:
            await close(writer)

    def _door(self, head: Head) -> Door:
        door = self._doors.get(head.path.split("/")[1]) if head.path.startswith("/") else None
        door = door or self._doors.get("")
        if door is None:
            raise Refused(403)
        return door

    def _from_here(self, head: Head) -> Head:
        """The head as a client of this machine would send it. Raises Refused(403) for a foreign `Host`."""
        if not self._is_ours(head.get("Host")):
            raise Refused(403)
        site = came_by(head.get)
        here = f"127.0.0.1:{self._port}"
        is_forwarded = not is_host_of_loopback(site.host)
        if is_forwarded and head.get("Origin") in {f"http://{site.host}", f"https://{site.host}"}:
            head = head.put("Origin", f"http://{here}")
        proto = "https" if site.is_secure else "http"
        return head.put("Host", here).put("X-Forwarded-Host", site.host).put("X-Forwarded-Proto", proto)


def is_host_of_machine(host: str | None) -> bool:
    """Whether a `Host` header may be this machine's in its network: an address, or its own name.

    No page elsewhere has an address for its name; of other names we cannot know whose they are.
    """
    name = (urlsplit(f"//{host or ''}").hostname or "").removesuffix(".local")
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return name in {"localhost", socket.gethostname().lower().removesuffix(".local")}


def door_to(port: int, *, one_request: bool = False) -> Door:
    """The part of the stack that listens on `port` of loopback. Raises Refused(502) while it does not.

    `one_request`: the next request on this connection might want another door, so there is none.
    """

    async def attend(head: Head, client: Pair) -> None:
        try:
            server = await dial("127.0.0.1", port)
        except OSError:
            raise Refused(502) from None
        server[1].write((head.put("Connection", "close") if one_request else head).encode())
        await splice(client, server)

    return attend
