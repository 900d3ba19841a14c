"""What went to the model lately: to be said again when the model's memory ends before it."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from gemini.messages import ModelCommand
from protocol.audio import uplink_ms
from relay.model.uplink_queue import Speech

REPLAY_MS = 30_000  #: of speech; a speaking model issues no handle, and answers rarely last longer


class Sent(NamedTuple):
    """One thing and the loop time at which it was sent."""

    at: float
    item: Speech | ModelCommand


class ReplayBuffer:
    """Bounded in milliseconds of speech; the oldest goes first."""

    def __init__(self, limit_ms: float = REPLAY_MS) -> None:
        self._limit_ms = limit_ms
        self._held_ms = 0.0
        self._sent: deque[Sent] = deque()

    def add(self, item: Speech | ModelCommand, now: float) -> None:
        self._sent.append(Sent(now, item))
        self._held_ms += _ms(item)
        while self._held_ms > self._limit_ms:
            self._forget()

    def forget_before(self, at: float) -> None:
        """The model remembers what was sent before then."""
        while self._sent and self._sent[0].at < at:
            self._forget()

    def since(self, at: float) -> list[Speech | ModelCommand]:
        """What was sent at or after `at`, in order."""
        return [sent.item for sent in self._sent if sent.at >= at]

    def _forget(self) -> None:
        self._held_ms -= _ms(self._sent.popleft().item)


def _ms(item: Speech | ModelCommand) -> float:
    return uplink_ms(len(item.pcm)) if isinstance(item, Speech) else 0.0
