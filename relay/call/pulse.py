"""What signs of life a model's legs give, and whether one has stopped. Pure: time is an argument.

Pongs come from the socket, which may live on when nobody is behind it any more. Only the model gives handles,
or says that it is at work; both come by themselves and at regular intervals, so that their absence tells
(docs/sources.md#gemini-resumption). Which of this a model does, is learned from the legs of the call.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from relay.clock import NEVER

USUAL_S = 1.2  #: between two handles, and more than the first takes to come
REGULAR = 3  #: gaps that make a habit
WITHIN_S = 10.0  #: of each other and of what was asked
STOPPED = 2.5  #: times the usual gap, and nobody is behind the socket
LEAST_S = 2.5  #: a network may take that long to deliver
SOCKET_S = 3.0  #: after a pong, the socket lives: longer than from one ping to the next pong
SIGN_S = 2.0  #: after what was said, for the first sign of a leg that has given none


class Pulse:
    """Of one call. Times are loop time in seconds."""

    def __init__(self, now: float) -> None:
        self.alive_at = now  #: when the last sign of the leg came, a pong too
        self._opened_at = self._model_at = now  #: when the last one came that only the model can give
        self._beats: deque[float] = deque(maxlen=REGULAR + 1)  #: handles, and that it is at work
        self._every_s: float | None = None  #: between them, as measured
        self._beats_at_work: bool | None = None  #: None: it has not been at work yet
        self._has_spoken = False  #: the leg, and not only beaten
        self._spoke_first = False  #: a leg did before its first handle, which may never come

    def leg_changed(self, now: float) -> None:
        """Another leg is up. What is known of the model is kept."""
        self.alive_at = self._opened_at = self._model_at = now
        self._beats.clear()
        self._has_spoken = False

    def pong(self, now: float) -> None:
        self.alive_at = now

    def event(self, now: float) -> None:
        self._has_spoken = True
        self._spoke_first |= not self._beats
        self.alive_at = self._model_at = now

    def beat(self, now: float, *, at_work: bool) -> None:
        """A handle has come, or word that the model is at work."""
        self._beats.append(now)
        self._beats_at_work = True if at_work else self._beats_at_work
        if len(self._beats) > REGULAR:
            self._every_s = sorted(b - a for a, b in pairwise(self._beats))[REGULAR // 2]
        self.alive_at = self._model_at = now

    def worked(self, lasted_s: float) -> None:
        """An answer is over. A short one leaves no time for word that the model is at work."""
        if self._beats_at_work is None and lasted_s > STOPPED * USUAL_S:
            self._beats_at_work = False

    def excuse(self, now: float) -> None:
        """Nothing could come until now."""
        self._model_at = max(self._model_at, now)

    def has_stopped(self, asked_at: float) -> bool:
        """Signs came by themselves until something was asked, and none has since."""
        was_regular = len(self._beats) >= REGULAR and self._beats[-REGULAR] > asked_at - WITHIN_S
        return was_regular and self._model_at <= asked_at

    def lives_until(self, patience_s: float) -> float:
        """While the socket answers pings, the leg may go on by itself: for so long since its latest sign."""
        return min(self.alive_at + SOCKET_S, self._model_at + patience_s)

    def stops_at(self, said_at: float, *, is_certain: bool = False) -> float:
        """When nobody is behind the socket if nothing comes until then; NEVER when that cannot be told.

        The model may be at work since `said_at`. `is_certain`: by what this call has shown only.
        """
        if self._model_at == self._opened_at:
            is_unsure = self._spoke_first or is_certain
            return NEVER if is_unsure else max(self._opened_at + STOPPED * USUAL_S, said_at + SIGN_S)
        every_s = self._every_s
        if every_s is None and not is_certain and not self._has_spoken:
            every_s = USUAL_S
        if every_s is None:
            return NEVER
        stops_at = self._model_at + max(LEAST_S, STOPPED * every_s)
        if self._beats_at_work or stops_at <= said_at:
            return stops_at
        if self._beats_at_work is None and self._model_at <= said_at:
            return max(stops_at, said_at + SIGN_S)
        return NEVER
