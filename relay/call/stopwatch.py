"""How long something was on, with breaks. Pure: time is an argument."""

from __future__ import annotations

from relay.clock import CLOCK_S

NOTE_S = 60.0  #: how often it is worth a write: a crash loses no more


class Stopwatch:
    """Starts and stops as often as need be; doing either twice is harmless."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None
        self._noted_s = 0.0

    def start(self, now: float) -> None:
        if self._since is None:
            self._since = now

    def stop(self, now: float) -> None:
        self._seconds, self._since = self.seconds(now), None

    def is_due(self, now: float) -> bool:
        """So much more than when it was last due that it should be noted."""
        is_due = self.seconds(now) - self._noted_s >= NOTE_S - CLOCK_S
        if is_due:
            self._noted_s = self.seconds(now)
        return is_due

    def due_at(self, now: float) -> float | None:
        """Time at which it will be due, if it goes on; None while it is stopped."""
        return None if self._since is None else now + NOTE_S - (self.seconds(now) - self._noted_s)

    def seconds(self, now: float) -> float:
        """On so far."""
        return self._seconds + (now - self._since if self._since is not None else 0.0)
