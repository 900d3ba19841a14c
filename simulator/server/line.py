"""WebSocket of one connection: frames in, an outbox that one task writes, and transport faults."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import ClientConnectionResetError, WSMsgType, web

from simulator.clock import Clock
from simulator.wire import messages
from simulator.wire.refusal import Close

REASON_BYTES = 123  #: all that a close frame has room for
OUTBOX_MESSAGES = 8192  #: about five minutes of speech; the socket of a client that far behind is aborted
CLOSING_S = 2.0  #: real seconds to wait for the client's half of a close
LARGEST_BYTES = 16 << 20  #: client message


@dataclass(frozen=True, slots=True)
class Pong:
    data: bytes


class Line:
    """A WebSocket that can fall silent, answer pings late, or break off."""

    def __init__(self, request: web.Request, clock: Clock) -> None:
        self.is_closing = False
        self.pong_delay_s = 0.0
        self._request = request
        self._clock = clock
        self._socket = web.WebSocketResponse(
            autoping=False, compress=False, max_msg_size=LARGEST_BYTES, timeout=CLOSING_S
        )
        self._outbox: asyncio.Queue[bytes | Pong | Close] = asyncio.Queue(OUTBOX_MESSAGES)
        self._frozen = ""
        self._stalled_until = 0.0
        self._holds_pongs = False  #: while it is stalled
        self._held: list[bytes | Pong | Close] = []

    @property
    def code(self) -> int:
        """Close code of the socket; 1006 after an abnormal closure."""
        return int(self._socket.close_code or 1006)

    async def open(self) -> web.WebSocketResponse:
        """Accept the WebSocket. What is returned is for the server's framework only."""
        await self._socket.prepare(self._request)
        return self._socket

    def emit(self, message: dict[str, Any]) -> None:
        if self._frozen not in ("all", "hard"):
            self._put(messages.encode(message))

    def emit_audio(self, message: bytes) -> None:
        """Send an encoded audio message."""
        if not self._frozen:
            self._put(message)

    def emit_raw(self, data: bytes) -> None:
        """Send what is no message at all."""
        self._put(data)

    def close(self, close: Close) -> None:
        """Close once everything sent so far is out. Only the first close counts."""
        if not self.is_closing:
            self.is_closing = True
            self._put(close)

    async def frames(self) -> AsyncGenerator[str | bytes, None]:
        """Text and binary frames until the client leaves, or until a close was queued. Pings are answered."""
        async for frame in self._socket:
            if frame.type is WSMsgType.PING:
                self._pong(bytes(frame.data))
            elif frame.type in (WSMsgType.TEXT, WSMsgType.BINARY) and not self.is_closing:
                yield frame.data

    async def first_frame(self) -> str | bytes | None:
        """The first frame, or None when the client left without one."""
        async with contextlib.aclosing(self.frames()) as frames:
            return await anext(frames, None)

    async def write(self) -> Close | None:
        """Write the outbox until a close is due, which is returned, or the client is gone."""
        with contextlib.suppress(ClientConnectionResetError):
            while True:
                item = await self._outbox.get()
                if self._is_held(item):
                    continue
                match item:
                    case bytes(message):
                        await self._socket.send_bytes(message)
                    case Pong(data):
                        await self._socket.pong(data)
                    case Close() as close:
                        return close
        return None

    async def hang_up(self, close: Close) -> None:
        """Send the close frame now, its reason cut to REASON_BYTES, and await the client's for CLOSING_S."""
        self.is_closing = True
        reason = close.reason.encode()[:REASON_BYTES].decode(errors="ignore").encode()
        with contextlib.suppress(ClientConnectionResetError):
            await self._socket.close(code=close.code, message=reason)

    def freeze(self, mode: Literal["all", "audio", "hard"], lasts_s: float | None) -> None:
        self._frozen = mode
        if lasts_s is not None:
            self._clock.later(lasts_s, self._thaw)

    def stall(self, lasts_s: float, *, pongs: bool) -> None:
        """Send nothing for so long, or nothing but `pongs`; what is due meanwhile goes out after it."""
        self._stalled_until, self._holds_pongs = self._clock.now() + lasts_s, not pongs
        self._clock.later(lasts_s, self._go_on)

    def _is_held(self, item: bytes | Pong | Close) -> bool:
        """Until the stall is over; in order behind what is held already."""
        is_stalled = bool(self._held) or self._clock.now() < self._stalled_until
        if not is_stalled or (isinstance(item, Pong) and not self._holds_pongs):
            return False
        self._held.append(item)
        return True

    def _go_on(self) -> None:
        """The stall is over: what is held goes out before what has come behind it."""
        held, self._held, self._stalled_until = self._held, [], 0.0
        while not self._outbox.empty():
            held.append(self._outbox.get_nowait())
        for item in held:
            self._put(item)

    def abort(self) -> None:
        """Reset the TCP connection."""
        if self._request.transport:
            self._request.transport.abort()

    def _thaw(self) -> None:
        self._frozen = ""

    def _pong(self, data: bytes) -> None:
        if self._frozen == "hard":
            return
        if self.pong_delay_s:
            self._clock.later(self.pong_delay_s, lambda: self._put(Pong(data)))
        else:
            self._put(Pong(data))

    def _put(self, item: bytes | Pong | Close) -> None:
        try:
            self._outbox.put_nowait(item)
        except asyncio.QueueFull:
            self.abort()
