"""Writes what a call must not lose: finished turns, in order, and the newest handle with them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from protocol.media import Tokens
from records.sessions import Session
from relay.turn import Turn

logger = logging.getLogger("relay.scribe")

RETRY_S = (0.2, 1.0, 5.0)  #: longest waits between tries of one write; the last one repeats
WAITING_LIMIT = 500  #: writes of one call that wait: hours of talk, or a megabyte


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

    async def amend_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        """The turn once more, with what has come since it was saved. Its usage is not counted again."""
        ...

    async def save_tokens(self, session: Session, epoch: int, seq: int, tokens: Tokens) -> None:
        """What was billed without a turn; `seq` is above the numbers of all turns saved in this epoch."""
        ...

    async def save_handle(self, session: Session, epoch: int, handle: str) -> None:
        """The way back into the model's context, for another relay."""
        ...

    async def finish(self, session: Session, epoch: int, reason: str) -> None:
        """The session is over."""
        ...


@dataclass(frozen=True, slots=True)
class _Write:
    """One thing to be written, and of what kind it is."""

    kind: Literal["turn", "handle", "tokens"]
    do: Callable[[], Awaitable[None]]


class Scribe:
    """One call's pen. Live audio never waits for it; what the store does not take is kept and tried again.

    Each write may be repeated, for the answer to one that was done can get lost: the table counts it once.
    """

    def __init__(self, ledger: Ledger, session: Session, epoch: int) -> None:
        self.given_up = 0  #: turns for which there was no more room
        self._ledger, self._session, self._epoch = ledger, session, epoch
        self._unsaved: deque[_Write] = deque()
        self._noted = asyncio.Event()
        self._writing = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """Writes that the store has not taken."""
        return len(self._unsaved)

    def note(self, turn: Turn, written: Callable[[Turn], None]) -> None:
        """Have `turn` written, behind what was noted before, and `written` told of it."""

        async def save() -> None:
            await self._ledger.save_turn(self._session, self._epoch, turn)
            written(turn)

        self._put("turn", save)

    def note_more(self, turn: Turn) -> None:
        """Have a turn written again that was noted before: a part of it has come late."""
        self._put("turn", partial(self._ledger.amend_turn, self._session, self._epoch, turn))

    def note_handle(self, handle: str) -> None:
        """Have the way back written: only the newest counts."""
        for place, write in enumerate(self._unsaved):
            if place and write.kind == "handle":  # the first may be under way
                del self._unsaved[place]
                break
        self._put("handle", partial(self._ledger.save_handle, self._session, self._epoch, handle))

    def note_tokens(self, after_turn: int, tokens: Tokens) -> None:
        """Have written what was billed after the last turn, `after_turn`, was."""
        save = partial(self._ledger.save_tokens, self._session, self._epoch, after_turn + 1, tokens)
        self._put("tokens", save)

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
                write = self._unsaved[0]
                await self._insist(write.do)
                if self._unsaved and self._unsaved[0] is write:
                    self._unsaved.popleft()

    async def finish(self, reason: str) -> None:
        """Write that the session is over, however often it takes. Raises Superseded."""
        await self._insist(partial(self._ledger.finish, self._session, self._epoch, reason))

    def _put(self, kind: Literal["turn", "handle", "tokens"], do: Callable[[], Awaitable[None]]) -> None:
        self._unsaved.append(_Write(kind, do))
        if len(self._unsaved) > WAITING_LIMIT:
            lost = self._unsaved.popleft()
            self.given_up += lost.kind == "turn"
            logger.error("write given up", extra={"session_id": self._session.id, "kind": lost.kind})
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
            await asyncio.sleep(random.uniform(0.5, 1.0) * wait_s)  # not all calls of a relay at once
