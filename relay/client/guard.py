"""A client connection that limits what the library does not: control frames, fragments, frames at once.

Pings are answered inside the library before any of our code runs, and a peer that does not read the pongs
makes our write buffer grow (measured with websockets 17.4: 98 MB of pings cost 85 MB of memory). Fragments,
even empty ones, make its frame list grow; its own limit is 4096.
"""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from protocol.pace import TokenBucket

CONTROL_PER_S = 10.0  #: sustained pings and pongs; ours go out every 20 s
CONTROL_BURST = 50.0
READ_BYTES = 8 * 1024  #: of one socket at a time; asyncio's 256 KiB hold 20,000 frames, 0.3 s of parsing
FRAGMENTS_LIMIT = 256  #: frames of one message; a browser sends one, a proxy a few

_CONTROL = (Opcode.PING, Opcode.PONG)


class GuardedConnection(ServerConnection):
    """Cut off, without a close handshake, when the peer floods: whoever does that does not listen either."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._now = asyncio.get_running_loop().time
        self._control = TokenBucket(CONTROL_PER_S, CONTROL_BURST, self._now())
        self._fragments = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if hasattr(transport, "max_size"):  # of a socket, in CPython's own loops
            transport.max_size = READ_BYTES
        super().connection_made(transport)

    def process_event(self, event: Frame | Request | Response) -> None:
        if isinstance(event, Frame) and self._floods(event):
            self.transport.abort()
            return
        super().process_event(event)

    def _floods(self, frame: Frame) -> bool:
        if frame.opcode in _CONTROL:
            return not self._control.take(self._now())
        self._fragments = 0 if frame.fin else self._fragments + 1
        return self._fragments > FRAGMENTS_LIMIT
