"""Sockets joined byte for byte, after the head of one HTTP request was read.

After the head nothing is parsed, only copied, with the slower side holding up the faster one. A close of one
direction is passed on as such.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Self

HEAD_BYTES = 16 * 1024  #: the ticket rides in a header of up to 8 KB
HEAD_S = 10.0
_COPY_BYTES = 64 * 1024
_REASONS = {400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway", 504: "Gateway Timeout"}

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """The request is answered here, with `status`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    def answer(self) -> bytes:
        """The whole response, after which the connection ends."""
        line = f"HTTP/1.1 {self.status} {_REASONS[self.status]}"
        return f"{line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the headers of a request, in the order in which they came."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read all up to the empty line. Raises Refused(400)."""
        first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        try:
            method, target, version = first.split(" ")
            parts = [line.partition(":") for line in lines]
        except ValueError:
            raise Refused(400) from None
        if not version.startswith("HTTP/") or not all(name and colon for name, colon, _ in parts):
            raise Refused(400)
        return cls(method, target, version, tuple((name, value.strip(" \t")) for name, _, value in parts))

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def opens_websocket(self) -> bool:
        """Whether it asks for a WebSocket."""
        return self.method == "GET" and (self.get("Upgrade") or "").lower() == "websocket"

    def get(self, name: str) -> str | None:
        """The first value of a header; None when it was not sent."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def put(self, name: str, value: str | None) -> Self:
        """The same head with `value` in place of what the header was; None leaves it out."""
        others = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return replace(self, headers=others if value is None else ((name, value), *others))

    def encode(self) -> bytes:
        """Bytes to send on."""
        lines = [f"{self.method} {self.target} {self.version}", *(f"{n}: {v}" for n, v in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_head(reader: asyncio.StreamReader) -> Head:
    """The head of the next request; what follows it stays unread. Raises Refused, and TimeoutError.

    Raises ConnectionResetError for a connection that ends before its first byte, as browsers open some.
    """
    try:
        async with asyncio.timeout(HEAD_S):
            return Head.parse(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError as ended:
        if not ended.partial:
            raise ConnectionResetError("nothing was asked") from None
        raise Refused(400) from None
    except asyncio.LimitOverrunError:
        raise Refused(400) from None


async def dial(host: str, port: int) -> Pair:
    """A connection on which to copy. Raises OSError."""
    return await asyncio.open_connection(host, port, limit=_COPY_BYTES)


async def splice(client: Pair, server: Pair) -> None:
    """Copies both ways until both directions have ended, or one broke. Closes the server's side."""
    try:
        async with asyncio.TaskGroup() as ways:
            ways.create_task(copy(client[0], server[1]))
            ways.create_task(copy(server[0], client[1]))
    except* OSError:  # a half close meets a socket that is gone already
        pass
    finally:
        await close(server[1])


async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Until the source ends, which is passed on."""
    while data := await source.read(_COPY_BYTES):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof() and not sink.is_closing():
        sink.write_eof()


async def close(writer: asyncio.StreamWriter) -> None:
    """Close, and abort what takes longer than a second."""
    writer.close()
    try:
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
    except (ConnectionError, TimeoutError):
        writer.transport.abort()
