"""What of a call is paid for: how long its model was connected, and what that cost."""

from __future__ import annotations

from collections.abc import Callable

from records.budgets import Allowance, Spent
from relay.call.stopwatch import Stopwatch
from relay.call.turn_writer import TurnWriter
from relay.model.meter import Meter


class Account:
    """Of one call on one relay. Sums: a note that is lost is made up for by the next."""

    def __init__(self, writer: TurnWriter, meter: Meter) -> None:
        self._writer, self._meter = writer, meter
        self._connected = Stopwatch()

    def model_connected(self, now: float) -> None:
        self._connected.start(now)

    def model_lost(self, now: float) -> None:
        self._connected.stop(now)

    def next_timeout(self, now: float) -> float | None:
        """Time at which `handle_timeout` is to be called; None for never."""
        return self._connected.due_at(now)

    def handle_timeout(self, now: float) -> None:
        if self._connected.is_due(now):
            self.note_connected(now)

    def note_connected(self, now: float) -> None:
        """Have written how long the model was connected so far."""
        self._writer.note_connected(self._connected.seconds(now))

    def note_spent(self, now: float, wants: int, told: Callable[[Allowance], None]) -> None:
        """Have written what was spent so far, and `wants` held; `told` of what may be spent then."""
        self._writer.note_spent(self._spent(now), wants, told)

    async def tell(self, now: float) -> None:
        """Write both, when nothing else of the call may be written any more."""
        await self._writer.tell_paid(self._connected.seconds(now), self._spent(now))

    def _spent(self, now: float) -> Spent:
        connected_ms = round(self._connected.seconds(now) * 1000)
        return Spent(self._meter.reported, self._meter.estimated, connected_ms)
