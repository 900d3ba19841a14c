"""What a call may still spend, and when that is too little for another turn. Pure: time is an argument.

A call spends what its session holds (`records/budgets.py`) and has more held in time. When no more is to be
had it says goodbye while that can still be paid, at a pause; in the middle of an answer when it must.
"""

from __future__ import annotations

from typing import Literal

from records.budgets import NO_LIMIT, Allowance, Scope
from relay.model.meter import TURN_S, Meter

WARN_PERCENT = 80  #: of a budget, at which the client is told
GOODBYE_S = 4.0  #: of speech
FASTEST = 2_000  #: micro-dollars a second that no call spends: seven times the speed of speech
LEAST_S, MOST_S = 0.2, 10.0  #: between two looks at what is left
NOTE_S = 5.0  #: between two notes, but for what is urgent
LATE_S = 60.0  #: a note is worth a write after so long, whatever happened

Verdict = Literal["enough", "note", "goodbye", "goodbye now", "over"]


class Budget:
    """Of one call on one relay. Money is whole micro-dollars."""

    def __init__(self, meter: Meter, now: float) -> None:
        self._meter = meter
        self._allowance: Allowance = NO_LIMIT
        self._limit = NO_LIMIT.held  #: of what the meter shows
        self._warned: set[Scope] = set()
        self._noted, self._noted_at = 0, now
        self._is_asked = False  #: a note is under way
        self._is_due = False  #: a turn is over that is not noted
        self._look_at = now

    @property
    def cost(self) -> int:
        """What the session has cost by now, on all relays."""
        return self._allowance.elsewhere + self._meter.spent

    @property
    def is_estimated(self) -> bool:
        return self._meter.estimated > 0

    @property
    def scope(self) -> Scope:
        """The budget that is nearest to its end."""
        return self._allowance.scope

    def resets_in_ms(self, scope: Scope) -> int:
        """Until there is more; 0: in a new session."""
        return 0 if scope == "session" else self._allowance.resets_in_s * 1000

    @property
    def wants(self) -> int:
        """What should be held: two more turns, and a goodbye."""
        return 2 * self._meter.turn_cost(TURN_S) + self._meter.turn_cost(GOODBYE_S)

    def noting(self, now: float) -> int:
        """A note is made now, of what this returns."""
        self._is_asked, self._is_due = True, False
        self._noted, self._noted_at = self._meter.spent, now
        return self._noted

    def allowed(self, allowance: Allowance, noted: int) -> list[tuple[Scope, int]]:
        """The answer to a note of so much. Returns budgets that are nearly used up, and percent of them."""
        self._is_asked, self._allowance = False, allowance
        self._limit = noted + allowance.held
        self._look_at = 0.0
        near = [(scope, percent) for scope, percent in allowance.used.items() if percent >= WARN_PERCENT]
        new = [(scope, percent) for scope, percent in near if scope not in self._warned]
        self._warned |= {scope for scope, _ in new}
        return new

    def next_timeout(self) -> float:
        return self._look_at

    def turn_over(self) -> None:
        """What is left should be looked at."""
        self._is_due, self._look_at = True, 0.0

    def judge(self, now: float, *, is_quiet: bool) -> Verdict:
        """`is_quiet`: nothing would be cut."""
        if now < self._look_at:
            return "enough"
        spent, wants = self._meter.spent, self.wants
        left = self._limit - spent
        self._look_at = now + min(MOST_S, max(LEAST_S, left / FASTEST))
        sure = left if self._allowance.is_last else left + wants  # more is on the way, or the table is away
        goodbye = self._meter.turn_cost(GOODBYE_S)
        if sure <= 0:
            return "over"
        if sure < goodbye:
            return "goodbye now"
        if is_quiet and sure < goodbye + self._meter.turn_cost(TURN_S):
            return "goodbye"
        is_low = left < wants and not self._allowance.is_last
        return "note" if self._is_worth_a_note(now, spent, is_low=is_low) else "enough"

    def _is_worth_a_note(self, now: float, spent: int, *, is_low: bool) -> bool:
        if self._is_asked or spent == self._noted:
            return False
        return is_low or now >= self._noted_at + (NOTE_S if self._is_due else LATE_S)

    def last_warning(self) -> list[tuple[Scope, int]]:
        """The goodbye is near, and of the budget that is used up the client was not warned: a small one."""
        scope = self._allowance.scope
        if scope in self._warned:
            return []
        self._warned.add(scope)
        return [(scope, max(WARN_PERCENT, self._allowance.used.get(scope, 0)))]
