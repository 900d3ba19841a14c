"""What signs of life a model's leg gives. Pure: time is an argument."""

from __future__ import annotations

from collections import deque

REGULAR = 3  #: handles that make a habit
WITHIN_S = 10.0  #: of each other and of what was asked


class Pulse:
    """Of one leg. A socket may live on, with pongs, when nobody is behind it any more."""

    def __init__(self, now: float) -> None:
        self.alive_at = now  #: when the last sign came, a pong too
        self._model_at = now  #: when the last one came that only the model can give
        self._handles: deque[float] = deque(maxlen=REGULAR)

    def pong(self, now: float) -> None:
        self.alive_at = now

    def event(self, now: float) -> None:
        self.alive_at = self._model_at = now

    def handle(self, now: float) -> None:
        self._handles.append(now)
        self.event(now)

    def has_stopped(self, asked_at: float) -> bool:
        """Handles came by themselves until something was asked, and nothing has since."""
        was_regular = len(self._handles) == REGULAR and self._handles[0] > asked_at - WITHIN_S
        return was_regular and self._model_at <= asked_at
