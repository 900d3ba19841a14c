"""Queue to the media socket: messages in order, and a little microphone audio."""

from __future__ import annotations

import asyncio
from collections import deque

from ._protocol.audio import HEADER_BYTES, uplink_ms
from ._protocol.limits import RESEND_WINDOW_S

MESSAGES = 256  #: messages waiting; beyond it their sender waits
AUDIO_MS = RESEND_WINDOW_S * 1000  #: audio waiting; beyond it the oldest is dropped: live speech loses value


class Outbox:
    """Filled by the conversation, emptied by the one task that writes the socket.

    Messages survive a break. Audio does not: the protocol session remembers it and gives it back to `open`.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.queued_ms = 0.0  #: audio that waits
        self.dropped_ms = 0.0  #: audio given up because the socket was too slow
        self._queue: deque[str | bytes] = deque()
        self._has_work = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def open(self, resend: list[bytes]) -> None:
        """Open the queue to a live connection: `resend` goes out first, then what waited."""
        self.is_open = True
        self._queue.extendleft(reversed(resend))
        self.queued_ms = sum(map(_frame_ms, resend))
        self._signal()

    def close(self) -> None:
        """Record that the connection is lost; queued audio is dropped."""
        self.is_open = False
        self._queue = deque(item for item in self._queue if isinstance(item, str))
        self.queued_ms = 0.0
        self._signal()

    def audio(self, frame: bytes) -> None:
        """Queue a numbered frame of microphone audio, at the cost of the oldest when too much waits."""
        if not self.is_open:
            return
        self._queue.append(frame)
        self.queued_ms += _frame_ms(frame)
        while self.queued_ms > AUDIO_MS:
            self._drop_oldest_frame()
        self._signal()

    async def message(self, text: str) -> None:
        """Queue a message, connected or not; waits while too many are queued."""
        while len(self._queue) >= MESSAGES:
            self._has_room.clear()
            await self._has_room.wait()
        self._queue.append(text)
        self._signal()

    def report(self, text: str) -> None:
        """Queue a message that is worth something now or never."""
        if self.is_open:
            self._queue.append(text)
            self._signal()

    async def take(self) -> str | bytes:
        """The next to write; waits for a connection and for something to say."""
        while not (self.is_open and self._queue):
            self._has_work.clear()
            await self._has_work.wait()
        item = self._queue.popleft()
        self.queued_ms -= _frame_ms(item)
        self._signal()
        return item

    def put_back(self, item: str | bytes) -> None:
        """The socket broke before `item` was written. The protocol session has it if it is audio."""
        if isinstance(item, str):
            self._queue.appendleft(item)

    def _signal(self) -> None:
        self._has_work.set()
        self._has_room.set()

    def _drop_oldest_frame(self) -> None:
        oldest = next(item for item in self._queue if isinstance(item, bytes))
        self._queue.remove(oldest)
        self.queued_ms -= _frame_ms(oldest)
        self.dropped_ms += _frame_ms(oldest)


def _frame_ms(item: str | bytes) -> float:
    return uplink_ms(len(item) - HEADER_BYTES) if isinstance(item, bytes) else 0.0
