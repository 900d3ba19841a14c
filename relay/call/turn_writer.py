"""Writes what a call must not lose: finished turns, in order, and the newest handle with them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Literal

from protocol.media import Tokens
from records.budgets import Allowance, Spent
from records.sessions import Session
from relay.ports import Ledger, LedgerUnavailable, WriteRefused
from relay.turn import Turn

logger = logging.getLogger("relay.call.turn_writer")

RETRY_S = (0.2, 1.0, 5.0)  #: longest waits between tries of one write; the last one repeats
RETRY_LIMIT_S = 600.0  #: how long one write is tried; others wait behind it
WAITING_LIMIT = 500  #: writes of one call that wait: hours of talk, or a megabyte


Kind = Literal["turn", "late words", "handle", "model", "question", "connected", "spent", "tokens", "end"]


@dataclass(frozen=True, slots=True)
class _Write:
    """One thing to be written, and of what kind it is."""

    kind: Kind
    do: Callable[[], Awaitable[None]]
    turn: Turn | None = None  #: whose tokens are still to be counted when it is given up
    written: Callable[[Turn], None] | None = None


class TurnWriter:
    """Writes one call's facts in order. Live audio never waits for it; what the store refuses is retried.

    Each write may be repeated, for the answer to one that was done can get lost: the table counts it once.
    One that is refused for good, or not taken for RETRY_LIMIT_S, is given up: others wait behind it.
    """

    def __init__(
        self, ledger: Ledger, session: Session, epoch: int, troubles: Counter[str] | None = None
    ) -> None:
        self.given_up = 0  #: turns that are not in the record
        self._troubles = Counter[str]() if troubles is None else troubles
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

        self._put(_Write("turn", save, turn, written))

    def amend(self, turn: Turn) -> None:
        """Have a turn written again that was noted before: a part of it has come late."""
        amend = partial(self._ledger.amend_turn, self._session, self._epoch, turn)
        self._put(_Write("late words", amend))

    def note_handle(self, handle: str) -> None:
        """Have the resumption handle written: only the newest counts."""
        self._put_newest(
            _Write("handle", partial(self._ledger.save_handle, self._session, self._epoch, handle))
        )

    def note_model(self, model: str) -> None:
        """Have written which model the session fell back to."""
        self._put_newest(_Write("model", partial(self._ledger.save_model, self._session, self._epoch, model)))

    def note_question(self, turn: int, words: str, frames: tuple[int, int]) -> None:
        """Have written what was said in `turn`, in which of the microphone's frames, and is not answered."""
        save = partial(self._ledger.save_question, self._session, self._epoch, turn, words, frames)
        self._put_newest(_Write("question", save))

    def note_connected(self, seconds: float) -> None:
        """Have written how long the model was connected so far."""
        save = partial(self._ledger.save_connected, self._session, self._epoch, seconds)
        self._put_newest(_Write("connected", save))

    def note_spent(self, spent: Spent, wants: int, told: Callable[[Allowance], None]) -> None:
        """Have written what was spent so far; `told` of what may be spent from then on."""

        async def save() -> None:
            told(await self._ledger.save_spent(self._session, self._epoch, spent, wants))

        self._put_newest(_Write("spent", save))

    async def tell_paid(self, seconds: float, spent: Spent) -> None:
        """Write time and money when nothing else of the call may be written any more."""
        connected = partial(self._ledger.save_connected, self._session, self._epoch, seconds)
        await self._write_with_retry(_Write("connected", connected))

        async def save() -> None:
            await self._ledger.save_spent(self._session, self._epoch, spent, 0)

        await self._write_with_retry(_Write("spent", save))

    def note_tokens(self, after_turn: int, tokens: Tokens) -> None:
        """Have written what was billed after the last turn, `after_turn`, was."""
        self._put(self._tokens(after_turn + 1, tokens))

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
                is_written = await self._write_with_retry(write)
                if self._unsaved and self._unsaved[0] is write:
                    self._unsaved.popleft()
                    if not is_written:
                        self._skip(write)

    async def finish(self, reason: str) -> None:
        """Write that the session is over; the sweep finds what could not be told. Raises Superseded."""
        end = partial(self._ledger.finish, self._session, self._epoch, reason)
        await self._write_with_retry(_Write("end", end))

    def _tokens(self, seq: int, tokens: Tokens) -> _Write:
        return _Write("tokens", partial(self._ledger.save_tokens, self._session, self._epoch, seq, tokens))

    def _put_newest(self, write: _Write) -> None:
        for place, waiting in enumerate(self._unsaved):
            if place and waiting.kind == write.kind:  # the first may be under way
                del self._unsaved[place]
                break
        self._put(write)

    def _put(self, write: _Write) -> None:
        self._unsaved.append(write)
        if len(self._unsaved) > WAITING_LIMIT:
            self._give_up(self._unsaved.popleft(), "write_given_up")
        self._noted.set()

    async def _write_with_retry(self, write: _Write) -> bool:
        """Write it, however often it takes. False when it is given up."""
        now = asyncio.get_running_loop().time
        began_at = now()
        for tries in count(1):
            try:
                await write.do()
                break
            except WriteRefused:
                return self._give_up(write, "write_refused")
            except LedgerUnavailable:
                wait_s = random.uniform(0.5, 1.0) * RETRY_S[min(tries, len(RETRY_S)) - 1]  # not all at once
                if now() + wait_s - began_at > RETRY_LIMIT_S:
                    return self._give_up(write, "write_given_up")
                logger.warning("not written", extra={"session_id": self._session.id, "tries": tries})
            await asyncio.sleep(wait_s)
        return True

    def _give_up(self, write: _Write, trouble: str) -> bool:
        """It will not be in the record."""
        self.given_up += write.kind == "turn"
        self._troubles[trouble] += 1
        facts = {"session_id": self._session.id, "kind": write.kind, "trouble": trouble}
        logger.error("write given up", extra=facts)
        return False

    def _skip(self, write: _Write) -> None:
        """A turn that is not kept is over for the client all the same, and was billed."""
        if write.turn is not None and write.written is not None:
            self._unsaved.appendleft(self._tokens(write.turn.number, write.turn.tokens))
            write.written(write.turn)


async def within(seconds: float, work: Awaitable[None]) -> None:
    """Wait for it no longer than that; what is left of it is given up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work
