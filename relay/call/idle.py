"""Whether nobody has said anything for long. Pure: time is an argument."""

from __future__ import annotations

from typing import Literal

WAIT_S = 15.0  #: for somebody to say that they are there, once they were asked

Verdict = Literal["", "ask", "end"]


class Idle:
    """Of one call. Told of everything that either party says."""

    def __init__(self, now: float) -> None:
        self.limit_s: float | None = None  #: None: nobody is hurried
        self._heard_at = now
        self._asked_at: float | None = None

    def user_spoke(self, now: float) -> None:
        """By voice, in writing, or that they are here."""
        self._heard_at, self._asked_at = now, None

    def agent_spoke(self, until: float) -> None:
        """And will be heard until then."""
        self._heard_at = max(self._heard_at, until)
        if self._asked_at is not None:
            self._asked_at = max(self._asked_at, until)

    def next_timeout(self) -> float | None:
        if self.limit_s is None:
            return None
        return self._heard_at + self.limit_s if self._asked_at is None else self._asked_at + WAIT_S

    def check(self, now: float) -> Verdict:
        """`ask` whether somebody is there, once; then `end`."""
        at = self.next_timeout()
        if at is None or now < at:
            return ""
        if self._asked_at is None:
            self._asked_at = now
            return "ask"
        return "end"
