"""The calls of one process: joined, begun, ended, and written to the end. Knows no task and no socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol
from weakref import WeakValueDictionary

from protocol.media import PastTurn
from protocol.pace import UserPace
from records.session_status import end_code
from records.sessions import Session
from relay import clock
from relay.call.call import GOES_ON, Call
from relay.call.terms import Terms
from relay.call.turn_writer import within
from relay.client.handshake import Admission
from relay.config import RelayConfig
from relay.logs import SESSION
from relay.metrics import Meter
from relay.model.port import Legs
from relay.model.rotation import Plan
from relay.ports import Ledger, LedgerUnavailable

logger = logging.getLogger("relay.call.registry")

UNWRITTEN_S = 3600.0  #: how long the last turns of ended calls are tried to be written
UNWRITTEN_KEPT = 1_000  #: ended calls whose last turns wait for the store
PACES_KEPT = 1_000  #: users whose pace is remembered
ENDED_KEPT = 1_000  #: sessions that ended here and are remembered; a client comes back within minutes

LegsFor = Callable[[str, int], Legs]  #: session, epoch


class SessionBook(Ledger, Protocol):
    """What the registry asks of the table. Raises LedgerUnavailable."""

    async def load(self, session: str) -> Session | None: ...

    async def past(self, session: str) -> list[PastTurn]: ...

    async def disowned(self, held: Mapping[str, int]) -> dict[str, str]:
        """Which of these sessions, each held in an epoch, are not this relay's any more, and why."""
        ...


class Paces:
    """What each user's calls may send together; remembered after the last of them, for the next."""

    def __init__(self) -> None:
        self._of: dict[str, UserPace] = {}

    def of(self, user: str) -> UserPace:
        """For one call more of that user."""
        pace = self._of.pop(user, None) or UserPace(clock.now())
        self._of[user] = pace  # behind those that were asked for before
        pace.count(1, clock.now())
        if len(self._of) > PACES_KEPT:
            idle = (name for name, each in self._of.items() if not each.calls)
            self._of.pop(next(idle, ""), None)
        return pace

    def left(self, user: str) -> None:
        """One call less."""
        if (pace := self._of.get(user)) is not None:
            pace.count(-1, clock.now())


class CallRegistry:
    """`calls` are those that run; some more, ended, may still be written."""

    def __init__(
        self, config: RelayConfig, book: SessionBook, legs_for: LegsFor, tasks: asyncio.TaskGroup
    ) -> None:
        """Calls run in `tasks`, which must be entered before the first one is joined."""
        self.calls: dict[str, Call] = {}  #: by session
        self.news = asyncio.Event()  #: set when a call has ended, or may have become fit to be moved
        self._config, self._book, self._legs_for, self._tasks = config, book, legs_for, tasks
        self._meter, self._paces = Meter(config.service), Paces()
        self.joining: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  #: while one joins
        self._ended: dict[str, int] = {}  #: epoch in which a session ended here, whatever the table says
        self._unwritten: dict[Call, asyncio.Task[None] | None] = {}  #: ended, and not all of it written
        self._empty = asyncio.Event()  #: no call is running, and all are written
        self._empty.set()
        self._admits = True
        self._is_closed = False  #: what is not written by now will not be

    def __len__(self) -> int:
        return len(self.calls)

    @property
    def gone(self) -> dict[str, float]:
        """Sessions that wait for their client, and for how many seconds."""
        waits = {session: call.gone_s for session, call in self.calls.items()}
        return {session: gone_s for session, gone_s in waits.items() if gone_s is not None}

    @property
    def has_unwritten(self) -> bool:
        return bool(self._unwritten)

    def is_needed(self, unheard_s: float) -> bool:
        """A call runs, or the store may still take what one has left; it was not heard for so long."""
        return bool(self.calls) or (self.has_unwritten and unheard_s < UNWRITTEN_S)

    # ---- joining

    async def join(self, admission: Admission) -> Call | str:
        """The call of this session, begun if need be; or the code that says why there is none.

        Raises LedgerUnavailable.
        """
        async with self.joining.setdefault(admission.session, asyncio.Lock()):
            call = self.calls.get(admission.session)
            if call is not None and call.session.epoch == admission.epoch:
                return call
            record = await self._book.load(admission.session)
            if record is None or record.state == "ENDED" or self._ended.get(record.id) == record.epoch:
                return end_code(record.reason if record else "")
            if record.epoch != admission.epoch:
                return "superseded"
            if call is not None:
                call.end("superseded")
            if self._is_full:
                await self.disown()
            past = await self._past(record)
            if not self._admits:  # since the handshake
                return "going_away"
            return "capacity" if self._is_full else self._begin(record, past)

    @property
    def _is_full(self) -> bool:
        """It has as many calls as it may. The table counts them too, but only those that it knows of."""
        return sum(not call.is_over for call in self.calls.values()) >= self._config.capacity

    async def _past(self, record: Session) -> list[PastTurn]:
        """What was said on other relays. To go on is worth more than to show it."""
        if record.next_turn > 1:
            with contextlib.suppress(LedgerUnavailable):
                return await self._book.past(record.id)
        return []

    def _begin(self, record: Session, past: list[PastTurn]) -> Call:
        timeouts = self._config.timeouts
        plan = Plan(self._config.rotate_s, self._config.close_first, timeouts.model_pong_s, time.time)
        left_s = record.ends_at - time.time()
        pace = self._paces.of(record.user)
        terms = Terms(record.epoch, left_s, self._config.resume_s, plan, timeouts, pace)
        legs = self._legs_for(record.id, record.epoch)
        self.calls[record.id] = call = Call(record, terms, self._book, legs, past, self.news)
        self._empty.clear()
        self._tasks.create_task(self._live(call), name=f"call {record.id}")
        return call

    # ---- a call's life

    async def _live(self, call: Call) -> None:
        SESSION.set(call.record.id)
        logger.info("call started", extra={"session_id": call.record.id, "epoch": call.session.epoch})
        began_at = asyncio.get_running_loop().time()
        reason = "internal"
        try:
            reason = await call.run()
        finally:
            self._forget(call, reason)
            self._paces.left(call.record.user)
            lasted_s = round(asyncio.get_running_loop().time() - began_at, 1)
            facts = {"reason": reason, "duration_s": lasted_s, "troubles": dict(call.troubles)}
            logger.info("call ended", extra={"session_id": call.record.id, **facts})
            self._meter.troubles(call.troubles)
        if not call.is_written:
            await self._write_rest(call)

    def _forget(self, call: Call, reason: str) -> None:
        if reason not in GOES_ON:
            self._remember_end(call)
        if self.calls.get(call.record.id) is call:
            del self.calls[call.record.id]
        self._note_empty()
        self.news.set()

    async def _write_rest(self, call: Call) -> None:
        """A store that was down when the call ended gets its last turns when it is back."""
        if self._is_closed or len(self._unwritten) >= UNWRITTEN_KEPT:
            return _log_lost(call)
        self._unwritten[call] = task = asyncio.current_task()
        self._empty.clear()
        try:
            await within(UNWRITTEN_S, call.write_rest())
            if not call.is_written:
                _log_lost(call)
        except asyncio.CancelledError:
            if task is None or self._admits:
                raise
            _log_lost(call)
        finally:
            del self._unwritten[call]
            self._note_empty()
        return None

    def _note_empty(self) -> None:
        if not self.calls and not self._unwritten:
            self._empty.set()

    def _remember_end(self, call: Call) -> None:
        """A client must not come back to an empty call of the same epoch: it would hear nothing of it."""
        self._ended[call.record.id] = call.session.epoch
        if len(self._ended) > ENDED_KEPT:
            del self._ended[next(iter(self._ended))]

    # ---- what is ordered from elsewhere

    def obey(self, verb: str, session: str) -> None:
        """`end` or `rotate` a call. One that is not here, or another verb: nothing."""
        call = self.calls.get(session)
        if call is None:
            return
        if verb == "end":
            call.end("client")
        elif verb == "rotate":
            call.rotate()

    async def disown(self) -> None:
        """End the calls whose session the record gives to another relay, or calls ended.

        A client may keep both ways open when it moves, and need not ever say that it has.
        """
        held = {session: call.session.epoch for session, call in self.calls.items()}
        for session, reason in (await self._book.disowned(held) if held else {}).items():
            call = self.calls.get(session)
            if call is not None and call.session.epoch == held[session]:  # not begun anew meanwhile
                call.end(reason)

    # ---- the end of the process

    def admit_no_more(self) -> None:
        """No call is begun from now on; those that run go on."""
        self._admits = False

    async def close(self, within_s: float) -> None:
        """Wait so long for all calls to end and to be written; the rest is given up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._empty.wait()
        self._is_closed = True
        for writing in list(self._unwritten.values()):
            if writing is not None:
                writing.cancel()


def _log_lost(call: Call) -> None:
    """The record will never have it."""
    logger.error("not written", extra={"session_id": call.record.id, "writes": call.unwritten})
