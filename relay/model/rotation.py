"""When a model leg is to be changed. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from relay.clock import NEVER

LATEST_S = 2.0  #: a rotation is forced so long before the model's own deadline
UNSAID_S = 10.0  #: the deadline when the model says that it goes but not when
SHORTEST_S = 30.0  #: no leg is changed sooner for its credential's sake, or for a `goAway` that leaves time
RETRY_S = 2.0  #: after a rotation that could not be prepared, at first
RETRY_MOST_S = 60.0  #: and at last: a connection may go on for an hour after its key was withdrawn


@dataclass(frozen=True, slots=True)
class Plan:
    """When and how legs are changed."""

    rotate_after_s: float = 510.0  #: below the ten minutes a connection is given
    close_first: bool = True  #: some report that a handle is refused while its old connection is open
    pong_s: float = 60.0  #: a leg without pong or any other sign for so long is dead
    wall: Callable[[], float] | None = None  #: epoch s, for the credential's expiry; None: it is not watched


DEFAULT_PLAN = Plan()


@dataclass(slots=True)
class Schedule:
    """Of one leg. Times are loop time in seconds."""

    opened_at: float
    planned_at: float  #: to be changed at the first turn gap after this
    expires_at: float  #: its credential does: to be changed by then, gap or not
    closes_at: float = NEVER  #: the model will close it, as it said: likewise
    is_asked: bool = False  #: to be changed at the next turn gap, without need

    def goes_away(self, now: float, left_s: float | None) -> None:
        """The model will close the connection in `left_s` seconds; None when it does not say."""
        self.closes_at = now + max(0.0, (UNSAID_S if left_s is None else left_s) - LATEST_S)

    @property
    def is_sent_away(self) -> bool:
        return self.closes_at < NEVER

    def next_timeout(self, now: float) -> float | None:
        """The next time at which a leg that was not to be changed may have to be; None for never."""
        times = [self.planned_at, self.closes_at, self.expires_at]
        if self.is_sent_away:
            times.append(self.opened_at + SHORTEST_S)
        return min((at for at in times if now < at < NEVER), default=None)

    def is_forced(self, now: float) -> bool:
        """It must be changed now, whoever speaks."""
        return now >= min(self.closes_at, self.expires_at)

    def is_due(self, now: float) -> bool:
        """It should be changed at the next turn gap.

        A model may say on every connection and at once that it will go: no reason to leave each at once.
        """
        may_leave = self.is_sent_away and now >= self.opened_at + SHORTEST_S
        return now >= self.planned_at or self.is_asked or may_leave


def retry_s(tries: int) -> float:
    """How long to wait after so many rotations in a row that could not be prepared."""
    return min(RETRY_S * 2.0 ** (tries - 1), RETRY_MOST_S)
