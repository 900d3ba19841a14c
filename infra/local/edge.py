"""The edge: reads a WebSocket handshake's signed route, then joins the two sockets byte for byte.

It stands for CloudFront with its edge function: after the head nothing is parsed, only copied, with
the slower side holding up the faster one. A close of one direction is passed on as such.
"""

import asyncio
import re
import socket
import time
from collections.abc import Callable
from typing import Literal, Self

from infra.local.background import Background
from infra.local.endpoint import url_of
from simulator.server.loopback import is_host_of_loopback

HEAD_BYTES = 16 * 1024  #: the ticket rides in a header of up to 8 KB
HEAD_S = 10.0
CONNECT_S = 2.0  #: one attempt, as route.js asks of CloudFront
_COPY_BYTES = 64 * 1024

#: (path, now_epoch_s) -> host:port; raises ValueError for a route that is not ours or has expired.
ReadRoute = Callable[[str, int], str]

#: What becomes of a dial to a task that is gone. "refuses": at once, as a machine that is up does. "silent":
#: nothing, as with an address that was released, so that all of CONNECT_S is waited out.
Dead = Literal["refuses", "silent"]

HEADER = b"x-vivavoce-edge"
_SENT = re.compile(rb"\r\n%b:[^\r]*" % HEADER, re.IGNORECASE)
_UPGRADE = re.compile(rb"\r\nupgrade:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE)
_HOST = re.compile(rb"\r\nhost:[ \t]*([^\r]*?)[ \t]*\r\n", re.IGNORECASE)
_REASONS = {400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway", 504: "Gateway Timeout"}


class Refused(Exception):
    """The request is answered by the edge itself, with `status`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Edge:
    """Serves `listener`; `read_route` decides where a connection goes, `secret` says that it came by us.

    `dead` is how an address behaves where no task listens; it may be set anew at any time.
    """

    def __init__(
        self, read_route: ReadRoute, listener: socket.socket, secret: str = "", dead: Dead = "refuses"
    ) -> None:
        self.url = url_of(listener, "ws")  #: what stands before a route's path
        self._read_route = read_route
        self._secret = secret.encode()
        self.dead: Dead = dead
        self._listener = listener
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
        self._tasks.start(self._serve(reader, writer), name="edge connection")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            try:
                head = await _read_head(reader)
                address = self._target(head)
                relay_reader, relay_writer = await _dial(address, self.dead)
            except Refused as refusal:
                status = refusal.status
                answer = (
                    f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                writer.write(answer.encode())
                return await writer.drain()
            relay_writer.write(self._vouched(head))
            await _splice((reader, writer), (relay_reader, relay_writer))
        except (ConnectionError, TimeoutError):
            pass  # one of the two went away; the other is closed below
        finally:
            await _close(writer)

    def _vouched(self, head: bytes) -> bytes:
        """The head with our secret in it, and with no other."""
        request, _, headers = _SENT.sub(b"", head).partition(b"\r\n")
        ours = HEADER + b": " + self._secret + b"\r\n" if self._secret else b""
        return request + b"\r\n" + ours + headers

    def _target(self, head: bytes) -> str:
        method, _, rest = head.decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method != "GET" or not _UPGRADE.search(head):
            raise Refused(400)
        host = _HOST.search(head)
        if host is None or not is_host_of_loopback(host[1].decode("latin-1")):
            raise Refused(403)  # DNS rebinding; CloudFront answers no foreign name either
        try:
            return self._read_route(path, int(time.time()))
        except ValueError:
            raise Refused(403) from None


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(HEAD_S):
            return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise Refused(400) from None


async def _dial(address: str, dead: Dead) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_S):
            try:
                return await asyncio.open_connection(host, int(port), limit=_COPY_BYTES)
            except OSError:
                if dead == "silent":
                    await asyncio.Event().wait()
                raise
    except TimeoutError:
        raise Refused(504) from None
    except (OSError, ValueError):
        raise Refused(502) from None


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _splice(client: Pair, relay: Pair) -> None:
    """Copies both ways until both directions have ended, or one broke."""
    try:
        async with asyncio.TaskGroup() as ways:
            ways.create_task(_copy(client[0], relay[1]))
            ways.create_task(_copy(relay[0], client[1]))
    except* OSError:  # a half close meets a socket that is gone already
        pass
    finally:
        await _close(relay[1])


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(_COPY_BYTES):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof() and not sink.is_closing():
        sink.write_eof()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
    except (ConnectionError, TimeoutError):
        writer.transport.abort()
