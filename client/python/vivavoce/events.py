"""Events of a conversation for its reader, in order, through a bounded queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from ._protocol.audio import AudioFrame
from ._protocol.control import Starting
from ._protocol.limits import REPLAY_EVENTS
from ._protocol.media import ServerMessage
from .errors import VoiceError
from .lifeline import Reconnecting


@dataclass(frozen=True, slots=True)
class Quality:
    """The way up became narrower than speech, or wide again.

    On a narrow line speech goes up at a lower quality, and what would be heard late even so is given up.
    """

    quality: Literal["good", "narrow"]
    uplink_delay_s: float  #: time that the last ping waited on its way
    dropped_ms: float  #: speech given up in this conversation


ConversationEvent = ServerMessage | AudioFrame | Starting | Reconnecting | Quality


class EventQueue:
    """Bounded queue for one writer and one reader. Full: the writer waits, and the server with it."""

    def __init__(self) -> None:
        self._queue: deque[ConversationEvent] = deque()
        self._is_closed = False
        self._failure: VoiceError | None = None
        self._changed = asyncio.Event()
        self._has_room = asyncio.Event()

    async def put(self, event: ConversationEvent) -> None:
        """Queue an event, when there is room."""
        while len(self._queue) >= REPLAY_EVENTS and not self._is_closed:
            self._has_room.clear()
            await self._has_room.wait()
        self.post(event)

    def post(self, event: ConversationEvent) -> None:
        """Queue an event at once."""
        self._queue.append(event)
        self._changed.set()

    def drop_audio(self, turn: int) -> None:
        """Drop queued agent audio of `turn` and earlier."""
        self._queue = deque(event for event in self._queue if not _is_audio_of(event, turn))
        self._has_room.set()

    def close(self, failure: VoiceError | None) -> None:
        """End the queue after what it holds. Only the first call counts."""
        if not self._is_closed:
            self._is_closed, self._failure = True, failure
            self._changed.set()
            self._has_room.set()

    async def read(self) -> AsyncIterator[ConversationEvent]:
        """Yield everything, until the end. Raises VoiceError when the conversation failed."""
        while True:
            while self._queue:
                self._has_room.set()
                yield self._queue.popleft()
            if self._is_closed:
                if self._failure is not None:
                    raise self._failure
                return
            self._changed.clear()
            await self._changed.wait()


def _is_audio_of(event: ConversationEvent, turn: int) -> bool:
    return isinstance(event, AudioFrame) and event.turn <= turn
