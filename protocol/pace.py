"""Rate limits of a peer: messages and bytes of a connection, text and microphone audio of a call."""

from __future__ import annotations

from collections import deque

from .audio import uplink_bytes, uplink_ms
from .limits import (
    IMAGE_CHARS,
    TEXT_CHARS_BURST,
    TEXT_CHARS_PER_S,
    UPLINK_BURST_MS,
    UPLINK_HELD_MS,
    UPLINK_MS_PER_S,
)
from .media import ClientMessage, Context, Image, Text

CLOCK_S = 0.001  #: a bucket is surely full enough so long after the time at which it should be


class TokenBucket:
    """`rate_per_s` of anything on average, `burst` at once. Time is an argument."""

    def __init__(self, rate_per_s: float, burst: float, now: float) -> None:
        self._rate_per_s, self._burst = rate_per_s, burst
        self._level, self._at = burst, now

    def take(self, now: float, amount: float = 1, *, credit: float = 0) -> bool:
        """Take `amount`, or nothing and return False when it is over the rate by more than `credit`."""
        self._fill(now)
        if self._level + credit < amount:
            return False
        self._level -= amount
        return True

    def wait_s(self, now: float, amount: float = 1) -> float:
        """Seconds until `amount` can be taken, if nothing else is."""
        self._fill(now)
        return max(0.0, (amount - self._level) / self._rate_per_s)

    def ready_at(self, amount: float) -> float:
        """Time from which `amount` can be taken, if nothing else is."""
        return self._at + max(0.0, (amount - self._level) / self._rate_per_s) + CLOCK_S

    def set_rate(self, rate_per_s: float, now: float) -> None:
        """From now on."""
        self._fill(now)
        self._rate_per_s = rate_per_s

    def _fill(self, now: float) -> None:
        self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate_per_s)
        self._at = now


class UserPace:
    """What all calls of one user may send together: audio a little above real time each, text at one rate.

    What may come at once is one user's, too: another call, begun after or beside one, brings none of its own.
    """

    def __init__(self, now: float) -> None:
        self.calls = 0
        self.audio = TokenBucket(UPLINK_MS_PER_S, UPLINK_BURST_MS, now)
        self.chars = TokenBucket(TEXT_CHARS_PER_S, TEXT_CHARS_BURST, now)

    def count(self, more: int, now: float) -> None:
        """So many calls more, or fewer."""
        self.calls += more
        self.audio.set_rate(UPLINK_MS_PER_S * max(1, self.calls), now)


class AudioPace:
    """Microphone audio of one call as it came, not decoded, let through by its user's bucket.

    Frames over the rate wait. When too much waits the oldest is dropped and counted: live speech loses value.
    """

    def __init__(self, bucket: TokenBucket) -> None:
        self.dropped_ms = 0.0
        self._bucket = bucket
        self._waiting: deque[bytes] = deque()
        self._waiting_ms = 0.0
        self._released: list[bytes] = []

    def put(self, frame: bytes) -> None:
        self._waiting.append(frame)
        self._waiting_ms += _ms(frame)
        while self._waiting_ms > UPLINK_HELD_MS:
            self.dropped_ms += _ms(self._next())

    def take(self, now: float) -> list[bytes]:
        """The frames that may go now, in order."""
        taken, self._released = self._released, []
        while self._waiting and self._bucket.take(now, _ms(self._waiting[0])):
            taken.append(self._next())
        return taken

    def next_timeout(self) -> float | None:
        """Time at which a frame that waits may go; None when none does."""
        return self._bucket.ready_at(_ms(self._waiting[0])) if self._waiting else None

    def release(self, now: float) -> None:
        """Let go, on credit, what waits: something is said that must not overtake it."""
        while self._waiting:
            frame = self._next()
            if self._bucket.take(now, _ms(frame), credit=UPLINK_HELD_MS):
                self._released.append(frame)
            else:
                self.dropped_ms += _ms(frame)

    def _next(self) -> bytes:
        frame = self._waiting.popleft()
        self._waiting_ms -= _ms(frame)
        return frame


def chars_of(message: ClientMessage) -> int:
    """Characters that a message takes from the budget of text."""
    match message:
        case Text(text=text) | Context(text=text):
            return len(text)
        case Image():
            return IMAGE_CHARS
        case _:
            return 0


def _ms(frame: bytes) -> float:
    return uplink_ms(uplink_bytes(frame))
