"""What a call is held to: its epoch, its lengths of time, and how its model leg is changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.pace import UserPace
from relay.model.rotation import DEFAULT_PLAN, Plan
from relay.timeouts import Timeouts

PARK_S = 15.0  #: a call without a client closes its model leg after this


@dataclass(frozen=True, slots=True)
class Terms:
    """What a call is held to."""

    epoch: int
    session_s: float  #: from now to the session's longest duration
    resume_s: float  #: how long it waits for a client that is gone
    plan: Plan = DEFAULT_PLAN  #: when and how its model leg is changed
    timeouts: Timeouts = field(default_factory=Timeouts)
    pace: UserPace | None = None  #: of all calls of the user here; None: of this one


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may last, and wait. Times are loop time in seconds."""

    ends_at: float
    resume_s: float  #: without a client

    def next_timeout(self, now: float, gone_at: float | None) -> float:
        waits = () if gone_at is None else (gone_at + PARK_S, gone_at + self.resume_s)
        return min([self.ends_at, *(at for at in waits if at > now)])

    def is_parked(self, now: float, gone_at: float | None) -> bool:
        """A client that is gone for so long need not find its model leg open."""
        return gone_at is not None and now >= gone_at + PARK_S

    def reached(self, now: float, gone_at: float | None) -> str:
        """Why the call is to end now; empty for no reason."""
        if now >= self.ends_at:
            return "session_limit"
        return "abandoned" if gone_at is not None and now >= gone_at + self.resume_s else ""
