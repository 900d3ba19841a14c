"""What a call and its two sides share: what a watchdog tells, the ledger of facts, and how that fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from protocol.media import Tokens
from records.budgets import Allowance, Spent
from records.sessions import Session
from relay.turn import Turn


@dataclass(frozen=True, slots=True)
class TroubleFound:
    """A watchdog has found something, and it is being mended."""

    trouble: str  #: for the log and the metrics


class Superseded(Exception):
    """Another relay owns the session now: its record must not be written any more."""


class LedgerUnavailable(Exception):
    """The store did not take a write; it may later."""


class WriteRefused(LedgerUnavailable):
    """The store will never take this write: it is too large or malformed, or we may not write there."""


class Unregistered(Exception):
    """The table does not know this relay any more: nobody can be led here."""


class Ledger(Protocol):
    """Where a call's facts are kept. Writes are fenced by the epoch: Superseded.

    They raise LedgerUnavailable when they may be tried again, WriteRefused when that would not help.
    """

    async def save_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        """The finished turn, and what it used."""
        ...

    async def amend_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        """The turn once more, with what has come since it was saved. Its usage is not counted again."""
        ...

    async def save_tokens(self, session: Session, epoch: int, seq: int, tokens: Tokens) -> None:
        """What was billed without a turn; `seq` is above the numbers of all turns saved in this epoch."""
        ...

    async def save_connected(self, session: Session, epoch: int, seconds: float) -> None:
        """How long the model was connected in this epoch so far. Not fenced: that was paid for."""
        ...

    async def save_spent(self, session: Session, epoch: int, spent: Spent, wants: int) -> Allowance:
        """What this epoch has cost so far; `wants` micro-dollars are held for what comes. Not fenced."""
        ...

    async def save_handle(self, session: Session, epoch: int, handle: str) -> None:
        """The resumption handle, for another relay."""
        ...

    async def save_model(self, session: Session, epoch: int, model: str) -> None:
        """The model that the session fell back to, for another relay."""
        ...

    async def save_question(
        self, session: Session, epoch: int, turn: int, words: str, frames: tuple[int, int]
    ) -> None:
        """What was said and is not answered, for another relay; no words: nothing is.

        `frames`: the first and the last of the microphone's in which it was said.
        """
        ...

    async def finish(self, session: Session, epoch: int, reason: str) -> None:
        """The session is over."""
        ...
