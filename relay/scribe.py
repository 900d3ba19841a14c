"""Writes what a call must not lose: finished turns, in order, and the newest handle with them."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from records.sessions import Session
from relay.turn import Turn

logger = logging.getLogger("relay.scribe")

RETRY_S = (0.2, 1.0, 5.0)  #: waits between tries of one write; the last one repeats


class Superseded(Exception):
    """Another relay owns the session now: its record must not be written any more."""


class LedgerUnavailable(Exception):
    """The store did not take a write; it may later."""


class Ledger(Protocol):
    """Where a call's facts are kept. Writes are fenced by the epoch: Superseded, or LedgerUnavailable."""

    async def save_turn(self, session: Session, epoch: int, turn: Turn, handle: str | None) -> None:
        """The finished turn, what it used, and the way back into the model's context after it."""
        ...

    async def finish(self, session: Session, epoch: int, reason: str) -> None:
        """The session is over."""
        ...


class Scribe:
    """One call's pen. Live audio never waits for it."""

    def __init__(self, ledger: Ledger, session: Session, epoch: int) -> None:
        self._ledger, self._session, self._epoch = ledger, session, epoch
        self._unsaved: asyncio.Queue[tuple[Turn, str | None]] = asyncio.Queue()

    def note(self, turn: Turn, handle: str | None) -> None:
        """Have `turn` written, behind those before it."""
        self._unsaved.put_nowait((turn, handle))

    async def run(self) -> None:
        """Until cancelled. Raises Superseded when the session belongs to another relay."""
        while True:
            turn, handle = await self._unsaved.get()
            await self._save(turn, handle)
            self._unsaved.task_done()

    async def flush(self) -> None:
        """Wait until everything noted is written. `run` must be running."""
        await self._unsaved.join()

    async def finish(self, reason: str) -> None:
        await self._ledger.finish(self._session, self._epoch, reason)

    async def _save(self, turn: Turn, handle: str | None) -> None:
        tries = 0
        while True:
            try:
                return await self._ledger.save_turn(self._session, self._epoch, turn, handle)
            except LedgerUnavailable:
                wait_s = RETRY_S[min(tries, len(RETRY_S) - 1)]
                logger.warning("turn not written", extra={"session_id": self._session.id, "tries": tries + 1})
            tries += 1
            await asyncio.sleep(wait_s)
