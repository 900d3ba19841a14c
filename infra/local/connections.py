"""One client of the gateway emulator: its socket, held to API Gateway's limits and to some of our own.

`websockets` answers pings and collects fragments by itself and bounds neither, and its `close()` may
wait long for a peer that does not read. Nothing here waits for a peer: posts are written or refused
at once, and a close ends in an abort.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event, State

from infra.local.events import NO_STATUS, Facts
from infra.local.throttle import Throttle


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may do. The first group is documented by AWS, the second is the emulator's."""

    message_bytes: int = 128 * 1024
    frame_bytes: int = 32 * 1024
    idle_s: float = 600.0  #: without a message in either direction
    lifetime_s: float = 7200.0
    rate_per_s: float = 10_000.0  #: of the account: connects, messages and @connections calls together
    burst: float = 5_000.0

    in_flight: int = 64  #: messages of one connection that functions work on; then it is not read
    fragments: int = 1024  #: frames of one message: empty ones would cost memory without end
    control_rate_per_s: float = 20.0  #: pings and pongs from one client
    control_burst: float = 200.0
    buffered_bytes: int = 256 * 1024  #: posts that the client has not read; more are refused
    close_s: float = 5.0  #: from a close frame to the abort of the socket


class SlowClient(Exception):
    """The client does not read: its send buffer is full."""


class Peer(ServerConnection):
    """A client's connection, in `peers` as long as its socket lives. $connect's answer sets `facts`."""

    def __init__(self, limits: Limits, peers: "set[Peer]", *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.limits = limits
        self._peers = peers
        self.facts: Facts | None = None
        self.subprotocol_header: str | None = None  #: as $connect returned it
        self.media: tuple[str, str] = ("", "")  #: the media road's address, and what this client calls it
        self.opened_at = self.active_at = self.loop.time()
        self._control = Throttle(limits.control_rate_per_s, limits.control_burst)
        self._fragments = 0
        self._abort: asyncio.TimerHandle | None = None

    def post(self, text: str) -> None:
        """Sends `text` in frames of at most 32 KB. Raises SlowClient, ConnectionError when it is gone."""
        if self.protocol.state is not State.OPEN or self.transport.is_closing():
            raise ConnectionResetError("the connection is gone")
        if self.transport.get_write_buffer_size() > self.limits.buffered_bytes:
            raise SlowClient
        first, *others = _frames(self._as_seen(text).encode(errors="replace"), self.limits.frame_bytes)
        self.protocol.send_text(first, fin=not others)
        for number, part in enumerate(others, 1):
            self.protocol.send_continuation(part, fin=number == len(others))
        self.send_data()
        self.touch()

    def _as_seen(self, text: str) -> str:
        """A deployment's media road has one name; here it has the one by which the client came."""
        known, seen = self.media
        return text.replace(f'"{known}/', f'"{seen}/') if known != seen else text

    def touch(self) -> None:
        """A message passed: the idle time starts anew."""
        self.active_at = self.loop.time()

    def end(self, code: int, reason: str = "") -> None:
        """Closes with `code` at once; the socket is aborted if the client leaves it open."""
        if self.protocol.state is State.OPEN:
            self.protocol.fail(code, reason)
            self.send_data()
            self._abort_soon()

    def departure(self) -> tuple[int, str]:
        """Code and reason for $disconnect: of whoever closed first, 1006 when nobody said."""
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if received and (sent is None or self.protocol.close_rcvd_then_sent):
            return NO_STATUS if received.code == 1005 else (int(received.code), received.reason)
        return (int(sent.code), sent.reason) if sent else (1006, "")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio, first of all."""
        super().connection_made(transport)
        self._peers.add(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio. A peer may say goodbye, or be refused, and still hold the socket open."""
        super().data_received(data)
        if self.protocol.state is State.CLOSING:
            self._abort_soon()

    def process_event(self, event: Event) -> None:
        """Called for every frame that came in."""
        if isinstance(event, Frame):
            self._hold_to_limits(event)
        super().process_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio, last of all."""
        self._peers.discard(self)
        if self._abort:
            self._abort.cancel()
        super().connection_lost(exc)

    def _hold_to_limits(self, frame: Frame) -> None:
        if frame.opcode in DATA_OPCODES:
            self._fragments = 0 if frame.fin else self._fragments + 1
            if self._fragments > self.limits.fragments:
                self.end(1009, "too many frames in a message")
        elif frame.opcode in (Opcode.PING, Opcode.PONG) and not self._control.take():
            self.end(1008, "too many control frames")

    def _abort_soon(self) -> None:
        if self._abort is None:
            self._abort = self.loop.call_later(self.limits.close_s, self.transport.abort)


def _frames(data: bytes, limit: int) -> list[bytes]:
    return [data[start : start + limit] for start in range(0, len(data), limit)] or [b""]
