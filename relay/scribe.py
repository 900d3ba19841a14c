"""Writes what a call must not lose: finished turns, in order, and the newest handle with them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from records.sessions import Session
from relay.turn import Turn

logger = logging.getLogger("relay.scribe")

RETRY_S = (0.2, 1.0, 5.0)  #: waits between tries of one write; the last one repeats


class Superseded(Exception):
    """Another relay owns the session now: its record must not be written any more."""


class LedgerUnavailable(Exception):
    """The store did not take a write; it may later."""


class Unregistered(Exception):
    """The table does not know this relay any more: nobody can be led here."""


class Ledger(Protocol):
    """Where a call's facts are kept. Writes are fenced by the epoch: Superseded, or LedgerUnavailable."""

    async def save_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        """The finished turn, and what it used."""
        ...

    async def save_handle(self, session: Session, epoch: int, handle: str) -> None:
        """The way back into the model's context, for another relay."""
        ...

    async def finish(self, session: Session, epoch: int, reason: str) -> None:
        """The session is over."""
        ...


class Scribe:
    """One call's pen. Live audio never waits for it."""

    def __init__(self, ledger: Ledger, session: Session, epoch: int) -> None:
        self._ledger, self._session, self._epoch = ledger, session, epoch
        self._unsaved: deque[Callable[[], Awaitable[None]]] = deque()
        self._noted = asyncio.Event()
        self._writing = asyncio.Lock()

    def note(self, turn: Turn, written: Callable[[Turn], None]) -> None:
        """Have `turn` written, behind what was noted before, and `written` told of it."""

        async def save() -> None:
            await self._ledger.save_turn(self._session, self._epoch, turn)
            written(turn)

        self._put(save)

    def note_handle(self, handle: str) -> None:
        """Have the way back written. For every turn, not for every handle: they come each second."""
        self._put(partial(self._ledger.save_handle, self._session, self._epoch, handle))

    async def run(self) -> None:
        """Until cancelled. Raises Superseded when the session belongs to another relay."""
        while True:
            await self._noted.wait()
            self._noted.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write everything noted, however often it takes. Raises Superseded."""
        async with self._writing:
            while self._unsaved:
                await self._insist(self._unsaved[0])
                self._unsaved.popleft()

    async def finish(self, reason: str) -> None:
        """Write that the session is over, however often it takes. Raises Superseded."""
        await self._insist(partial(self._ledger.finish, self._session, self._epoch, reason))

    def _put(self, write: Callable[[], Awaitable[None]]) -> None:
        self._unsaved.append(write)
        self._noted.set()

    async def _insist(self, write: Callable[[], Awaitable[None]]) -> None:
        tries = 0
        while True:
            try:
                return await write()
            except LedgerUnavailable:
                wait_s = RETRY_S[min(tries, len(RETRY_S) - 1)]
                logger.warning("not written", extra={"session_id": self._session.id, "tries": tries + 1})
            tries += 1
            await asyncio.sleep(wait_s)
