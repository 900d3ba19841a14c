"""What the user is told of a model that is away, while it is still being tried to be reached. Pure."""

from __future__ import annotations

NOTICE_S = 4.0  #: without a leg, and the user is told why


class Outage:
    """Of one call, each time that its leg is lost. Times are loop time in seconds."""

    def __init__(self) -> None:
        self._is_on = False
        self._due_at: float | None = None  #: when the user is to be told

    def begin(self, now: float) -> None:
        """The leg is gone while the user is here."""
        self._is_on, self._due_at = True, now + NOTICE_S

    def end(self) -> None:
        self._is_on, self._due_at = False, None

    def asked(self, now: float) -> None:
        """The user has said something: he is told again when there is still no leg for it."""
        if self._is_on and self._due_at is None:
            self._due_at = now

    def check(self, now: float) -> bool:
        """Whether he is to be told now: once each time."""
        is_due = self._due_at is not None and now >= self._due_at
        self._due_at = None if is_due else self._due_at
        return is_due

    def next_timeout(self) -> float | None:
        """Time at which to `check`; None for never."""
        return self._due_at
