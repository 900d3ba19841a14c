"""A call as its model hears it: the simulator's ledger, as far as it is about that call."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.ledger import Ledger, Line

_COMES_S = 30.0


@dataclass(frozen=True, slots=True)
class ModelEnd:
    """The model's end of one call."""

    ledger: Ledger
    session: str

    @classmethod
    def of_latest(cls, ledger: Ledger) -> ModelEnd:
        """That of the call which was begun last."""
        return cls(ledger, ledger.where("session.opened")[-1]["session"])

    def lines(self, kind: str) -> list[Line]:
        return self.ledger.where(kind, session=self.session)

    async def line(self, kind: str, count: int = 1, within_s: float = _COMES_S) -> Line:
        """The `count`-th such line, now or when it comes. Raises TimeoutError."""
        return await self.ledger.wait_for(kind, count=count, within_s=within_s, session=self.session)
