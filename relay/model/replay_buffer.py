"""What went to the model lately: to be said again when the model's memory ends before it."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from gemini.messages import ModelCommand
from protocol.audio import uplink_ms
from relay.model.uplink_queue import Speech

REPLAY_MS = 30_000  #: of speech; a speaking model issues no handle, and answers rarely last longer
LEAD_S = 0.5  #: of audio before what was heard as speech: its first sound
TAIL_S = 1.5  #: and behind it: the quiet that ends it


class Sent(NamedTuple):
    """One thing and the loop time at which it was sent."""

    at: float
    item: Speech | ModelCommand


class ReplayBuffer:
    """Bounded in milliseconds of audio; the oldest goes first.

    But what was asked is kept, apart and with a bound of its own, however long its answer takes: the quiet
    room while it is waited for must not push it out.
    """

    def __init__(self, limit_ms: float = REPLAY_MS) -> None:
        self._limit_ms = limit_ms
        self._lately, self._asked = _Stretch(), _Stretch()
        self._asked_from, self._asked_to = float("inf"), float("-inf")

    def add(self, item: Speech | ModelCommand, now: float) -> None:
        self._lately.add(Sent(now, item))
        while self._lately.held_ms > self._limit_ms:
            self._put_aside(self._lately.pop_oldest())

    def keep(self, began_at: float | None, said_at: float) -> None:
        """What is not answered was said in this time; None: there is nothing."""
        if began_at is None:
            self._asked_from = float("inf")
            self._asked.forget_before(float("inf"))
        else:
            self._asked_from, self._asked_to = began_at - LEAD_S, said_at + TAIL_S
            self._asked.forget_before(self._asked_from)

    def forget_room(self, said_at: float) -> None:
        """What came by the microphone while an answer ran to what was said until then is no question."""
        for stretch in (self._asked, self._lately):
            stretch.drop_speech(said_at + TAIL_S)

    def forget_before(self, at: float) -> None:
        """The model remembers what was sent before then, and nothing of it need be said again."""
        self._lately.forget_before(at)
        self._asked.forget_before(at)

    def since(self, at: float) -> list[Speech | ModelCommand]:
        """What was sent at or after `at`, in order."""
        return [sent.item for stretch in (self._asked, self._lately) for sent in stretch if sent.at >= at]

    def _put_aside(self, sent: Sent) -> None:
        if self._asked_from <= sent.at <= self._asked_to:
            self._asked.add(sent)
        while self._asked.held_ms > self._limit_ms:
            self._asked.pop_oldest()


class _Stretch(deque[Sent]):
    """In the order in which it was sent."""

    held_ms = 0.0  #: of audio

    def add(self, sent: Sent) -> None:
        self.append(sent)
        self.held_ms += _ms(sent.item)

    def pop_oldest(self) -> Sent:
        sent = self.popleft()
        self.held_ms -= _ms(sent.item)
        return sent

    def forget_before(self, at: float) -> None:
        while self and self[0].at < at:
            self.pop_oldest()

    def drop_speech(self, since: float) -> None:
        kept = [sent for sent in self if sent.at < since or not isinstance(sent.item, Speech)]
        self.clear()
        self.held_ms = 0.0
        for sent in kept:
            self.add(sent)


def _ms(item: Speech | ModelCommand) -> float:
    return uplink_ms(len(item.pcm)) if isinstance(item, Speech) else 0.0
