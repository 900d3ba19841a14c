"""Sessions, turns and tickets in the table, as a relay reads and writes them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

from protocol.media import PastTurn, Tokens
from records import budgets, minutes, resumption, session_status, sessions, tickets, turns, usage
from records.budgets import Allowance, Spent
from records.sessions import Session
from records.table import Table
from records.tickets import Burn
from relay.aws.store import in_thread
from relay.metrics import Meter
from relay.turn import Turn

logger = logging.getLogger("relay.aws.session_store")

PAST_TURNS = 100  #: finished turns that a client without memory is given
PAST_CHARS = 100_000  #: of text in them
PAST_TEXT_CHARS = 40_000  #: of one party in one of them, so that the newest is always among them


class TableLedger:
    """`ports.Ledger` over the DynamoDB table."""

    def __init__(
        self, table: Table, clock: Callable[[], float] = time.time, meter: Meter | None = None
    ) -> None:
        self._table = table
        self._clock = clock
        self._meter = meter

    async def burn(self, ticket: str, relay: str) -> Burn:
        return await in_thread(tickets.burn, self._table, ticket, relay=relay, now=int(self._clock()))

    async def load(self, session: str) -> Session | None:
        return await in_thread(sessions.load, self._table, session)

    async def disowned(self, held: Mapping[str, int]) -> dict[str, str]:
        return await in_thread(session_status.disowned, self._table, held)

    async def past(self, session: str) -> list[PastTurn]:
        """The latest finished turns, as they were heard, within what one message may hold."""
        kept = [_past(turn) for turn in await in_thread(turns.latest, self._table, session, PAST_TURNS)]
        chars, first = 0, len(kept)
        while first and (chars := chars + _chars(kept[first - 1])) <= PAST_CHARS:
            first -= 1
        return kept[first:]

    async def save_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        kept = await self._put_turn(session, epoch, turn)
        seconds = (kept.ended_at - kept.started_at) / 1000
        await in_thread(usage.add, self._table, session.id, epoch, turn.number, turn.tokens, seconds)
        if self._meter is not None:
            self._meter.turn(turn)

    async def amend_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        await self._put_turn(session, epoch, turn)

    async def save_tokens(self, session: Session, epoch: int, seq: int, tokens: Tokens) -> None:
        await in_thread(usage.add, self._table, session.id, epoch, seq, tokens, 0.0)

    async def _put_turn(self, session: Session, epoch: int, turn: Turn) -> turns.Turn:
        late_s = asyncio.get_running_loop().time() - turn.ended_at  # the store may have been down
        kept = turns.fit(record_of(turn, self._clock() - late_s))
        await in_thread(turns.put, self._table, session.id, epoch, kept)
        if kept.truncated:
            self._note("turn truncated", "turn_truncated", session)
        return kept

    def _note(self, what: str, trouble: str, session: Session) -> None:
        logger.warning(what, extra={"session_id": session.id})
        if self._meter is not None:
            self._meter.troubles({trouble: 1})

    async def save_connected(self, session: Session, epoch: int, seconds: float) -> None:
        now = int(self._clock())
        more_s = await in_thread(minutes.note_connected, self._table, session.id, epoch, seconds, now)
        if self._meter is not None and more_s > 0:
            self._meter.connected(more_s)

    async def save_spent(self, session: Session, epoch: int, spent: Spent, wants: int) -> Allowance:
        note = partial(budgets.note, self._table, session.id, epoch, spent, wants=wants)
        return await in_thread(note, now=int(self._clock()))

    async def save_handle(self, session: Session, epoch: int, handle: str) -> None:
        now = int(self._clock())
        if not await in_thread(resumption.save_handle, self._table, session.id, epoch, handle, now):
            self._note("handle not kept", "handle_not_kept", session)

    async def save_model(self, session: Session, epoch: int, model: str) -> None:
        await in_thread(resumption.save_model, self._table, session.id, epoch, model)

    async def save_question(
        self, session: Session, epoch: int, turn: int, words: str, frames: tuple[int, int]
    ) -> None:
        await in_thread(resumption.save_question, self._table, session.id, epoch, turn, words, frames)

    async def finish(self, session: Session, epoch: int, reason: str) -> None:
        await in_thread(sessions.finish, self._table, session.id, epoch, reason, int(self._clock()))


def _chars(turn: PastTurn) -> int:
    return len(turn.user) + len(turn.agent)


def _past(turn: turns.Turn) -> PastTurn:
    heard = turn.agent_text if turn.heard is None else turn.heard
    user, agent = turn.user_text[:PAST_TEXT_CHARS], heard[:PAST_TEXT_CHARS]
    is_cut = turn.truncated or (user, agent) != (turn.user_text, heard)
    return PastTurn(turn.number, user, agent, turn.interrupted_at_ms is not None, is_cut, turn.outcome)


def record_of(turn: Turn, wall_s: float) -> turns.Turn:
    """The turn as it is kept. It ended at `wall_s`: its own times are the loop's."""
    ended_ms = round(wall_s * 1000)
    return turns.Turn(
        number=turn.number,
        user_text=turn.user_text,
        agent_text=turn.agent_text,
        heard=turn.heard_text() if turn.cut_at is not None else None,
        interrupted_at_ms=round(turn.heard_ms()) if turn.cut_at is not None else None,
        started_at=ended_ms - round(turn.lasted_s * 1000),
        ended_at=ended_ms,
        audio_ms=round(turn.audio_ms),
        tools=[turns.ToolUse(use.call_id, use.name, use.args, use.ok, use.took_ms) for use in turn.tools],
        truncated=turn.user_words.is_cut or turn.agent_words.is_cut,
        message_n=turn.message_n,
        uplink_seq=turn.uplink_seq,
        outcome=turn.outcome,
    )
