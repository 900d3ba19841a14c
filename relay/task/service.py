"""The relay task: its handshake, its calls, its heartbeat, and the order in which it leaves.

Leaving, in this order: admit nobody, have room made elsewhere, hand each call on at its turn gap, end the
rest at the deadline, exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from weakref import WeakValueDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from protocol.codec import encode, media_error
from protocol.errors import REGISTRY
from protocol.limits import MEDIA_MESSAGE_BYTES, SUBPROTOCOL
from protocol.media import PastTurn
from records.relays import LOST_S
from records.sessions import Session
from relay.call.call import GOES_ON, Call, Terms
from relay.call.turn_writer import within
from relay.client.guard import GuardedConnection
from relay.client.handshake import Admission, MediaHandshake, TicketBook
from relay.client.leg import close
from relay.client.origin_secret import OriginCheck, allow_any_origin
from relay.config import RelayConfig
from relay.logs import SESSION
from relay.metrics import Meter
from relay.model.connection import Legs, Plan
from relay.ports import Ledger, LedgerUnavailable, Unregistered
from relay.task.drain import Drain, ReserveCapacity

logger = logging.getLogger("relay.task.service")

HEARTBEAT_S = 5.0  #: how often the task shows that it lives, and reads its orders
FAREWELL_S = 14.0  #: for calls to send their closing message and write their last turns
STORE_NOTICE_S = 3.0  #: time limit of a best-effort status write
UNWRITTEN_S = 3600.0  #: how long the last turns of ended calls are tried to be written
UNWRITTEN_KEPT = 1_000  #: ended calls whose last turns wait for the store
ENDED_KEPT = 1_000  #: sessions that ended here and are remembered; a client comes back within minutes
PING_S = 20.0  #: keepalive of the client leg; also bounds how long a dead client is believed


class Book(Ledger, TicketBook, Protocol):
    """All the relay asks of the table about sessions."""

    async def load(self, session: str) -> Session | None: ...

    async def past(self, session: str) -> list[PastTurn]: ...

    async def disowned(self, held: Mapping[str, int]) -> dict[str, str]:
        """Which of these sessions, each held in an epoch, are not this relay's any more, and why."""
        ...


class Task(Protocol):
    """All the relay asks of the table about itself."""

    async def ready(self, address: str) -> None: ...

    async def heartbeat(self, held: set[str]) -> set[str]: ...

    async def retire_if_idle(self) -> bool: ...

    async def stopping(self) -> None: ...

    async def leave(self) -> None: ...


Handler = Callable[[ServerConnection], Awaitable[None]]
ProcessRequest = Callable[[ServerConnection, Request], Awaitable[Response | None]]
LegsFor = Callable[[str, int], Legs]  #: session, epoch


def listen(
    handler: Handler,
    host: str,
    port: int,
    process_request: ProcessRequest | None = None,
    pong_s: float = PING_S,
) -> AbstractAsyncContextManager[Server]:
    """The media road's WebSocket server, with the settings that everything here relies on."""
    return serve(
        handler,
        host,
        port,
        process_request=process_request,
        select_subprotocol=_select_subprotocol,
        create_connection=GuardedConnection,
        compression=None,  # PCM does not deflate, and deflating costs more than the whole relay
        max_size=MEDIA_MESSAGE_BYTES,
        ping_interval=PING_S,
        ping_timeout=pong_s,
        close_timeout=1.0,
        server_header=None,
    )


def _select_subprotocol(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Only ever our own, never the entry with the ticket. A native client may offer none at all."""
    ours = Subprotocol(SUBPROTOCOL)
    return ours if ours in offered else None


async def unlimited(calls: int) -> int:
    """The room of a relay that has no fleet."""
    return calls


class Relay:
    """One task, many calls."""

    def __init__(
        self,
        config: RelayConfig,
        book: Book,
        task: Task,
        legs_for: LegsFor,
        origin_check: OriginCheck = allow_any_origin,
        room: ReserveCapacity = unlimited,
    ) -> None:
        self._config = config
        self._book = book
        self._task = task
        self._legs_for = legs_for
        self._room = room
        self._meter = Meter(config.service)
        self._handshake = MediaHandshake(book, config.relay, self._health, origin_check)
        self.calls: dict[str, Call] = {}  #: by session
        self._joining: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  #: while one joins
        self._ended: dict[str, int] = {}  #: epoch in which a session ended here, whatever the table says
        self._unwritten: dict[Call, asyncio.Task[None] | None] = {}  #: ended, and not all of it written
        self._leaving = asyncio.Event()
        self._empty = asyncio.Event()  #: no call is running, and all are written
        self._empty.set()
        self._is_gone = False  #: its time is over: what is not written by now will not be
        self._lives = asyncio.TaskGroup()
        self.port = config.port  #: where it listens, once it does

    def leave(self) -> None:
        """Begin to leave; safe to call from a signal handler and more than once."""
        self._handshake.is_open = False
        self._leaving.set()

    async def run(self, announce: Callable[[int], Coroutine[None, None, None]]) -> None:
        """Until idle for long or told to leave. `announce` is called with the port once it listens."""
        async with (
            self._lives,
            listen(
                self._serve,
                self._config.host,
                self._config.port,
                self._handshake.process_request,
                self._config.timeouts.client_pong_s,
            ) as server,
        ):
            self.port = server.sockets[0].getsockname()[1]
            beating = self._lives.create_task(self._beat(), name="heartbeat")
            announcing = self._lives.create_task(announce(self.port), name="announcement")
            await self._leaving.wait()
            announcing.cancel()
            await self._drain()
            beating.cancel()

    # ---- clients

    async def _serve(self, connection: ServerConnection) -> None:
        admission = self._handshake.admission(connection)
        code = admission.refusal
        if not code:
            try:
                call = await self._join(admission)
            except LedgerUnavailable:
                call = "store_unavailable"
            if isinstance(call, Call):
                return await call.serve(connection)
            code = call
        with contextlib.suppress(ConnectionClosed):
            await connection.send(encode(media_error(code, fatal=True)))
        await close(connection, REGISTRY[code].close or 1000)
        return None

    async def _join(self, admission: Admission) -> Call | str:
        """The call of this session, begun if need be; or the code that says why there is none."""
        async with self._joining.setdefault(admission.session, asyncio.Lock()):
            call = self.calls.get(admission.session)
            if call is not None and call.session.epoch == admission.epoch:
                return call
            record = await self._book.load(admission.session)
            if record is None or record.state == "ENDED" or self._ended.get(record.id) == record.epoch:
                return "session_ended"
            if record.epoch != admission.epoch:
                return "superseded"
            if call is not None:
                call.end("superseded")
            if self._is_full:
                await self._disown()
            past = await self._past(record)
            if self._leaving.is_set():  # since the handshake
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
        left_s = record.ends_at - time.time()
        timeouts = self._config.timeouts
        plan = Plan(self._config.rotate_s, self._config.close_first, timeouts.model_pong_s, time.time)
        terms = Terms(record.epoch, left_s, self._config.resume_s, plan, timeouts)
        call = Call(record, terms, self._book, self._legs_for(record.id, record.epoch), past)
        self.calls[record.id] = call
        self._empty.clear()
        self._lives.create_task(self._live(call), name=f"call {record.id}")
        return call

    async def _live(self, call: Call) -> None:
        SESSION.set(call.record.id)
        logger.info("call started", extra={"session_id": call.record.id, "epoch": call.session.epoch})
        began_at = asyncio.get_running_loop().time()
        reason = "internal"
        try:
            reason = await call.run()
        finally:
            if reason not in GOES_ON:
                self._remember_end(call)
            if self.calls.get(call.record.id) is call:
                del self.calls[call.record.id]
            self._note_empty()
            lasted_s = round(asyncio.get_running_loop().time() - began_at, 1)
            logger.info(
                "call ended",
                extra={
                    "session_id": call.record.id,
                    "reason": reason,
                    "duration_s": lasted_s,
                    "troubles": dict(call.troubles),
                },
            )
            self._meter.troubles(call.troubles)
        if not call.is_written:
            await self._write_rest(call)

    async def _write_rest(self, call: Call) -> None:
        """A store that was down when the call ended gets its last turns when it is back."""
        if self._is_gone or len(self._unwritten) >= UNWRITTEN_KEPT:
            return _log_lost(call)
        self._unwritten[call] = task = asyncio.current_task()
        self._empty.clear()
        try:
            await within(UNWRITTEN_S, call.write_rest())
            if not call.is_written:
                _log_lost(call)
        except asyncio.CancelledError:
            if task is None or not self._leaving.is_set():
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

    # ---- the task

    async def _beat(self) -> None:
        now = asyncio.get_running_loop().time
        idle_since = heard_at = now()
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            with contextlib.suppress(LedgerUnavailable):
                await self._show_life()
                heard_at = now()
            unheard_s = now() - heard_at
            has_unwritten = bool(self._unwritten) and unheard_s < UNWRITTEN_S
            if self.calls or has_unwritten or self._leaving.is_set():
                idle_since = now()
            elif now() - idle_since >= self._config.idle_s and await self._may_retire(unheard_s):
                self.leave()

    async def _may_retire(self, unheard_s: float) -> bool:
        """Nobody is on the way to this relay: the table says so, or was not told for long that it lives.

        The table may be gone for good, with the stack. Nobody is led to a relay that was silent for LOST_S.
        """
        try:
            if not await self._task.retire_if_idle():
                return False
            logger.info("idle, leaving")
        except LedgerUnavailable:
            if unheard_s < LOST_S:
                return False
            logger.error("the table cannot be reached, leaving", extra={"unheard_s": round(unheard_s)})
        return True

    async def _show_life(self) -> None:
        try:
            self._obey(await self._task.heartbeat(set(self.calls)))
        except Unregistered:
            if not self._leaving.is_set():
                logger.error("the record of this relay is gone, leaving")
                self.leave()
        await within(HEARTBEAT_S, self._disown())  # a read that hangs must not silence the heart

    async def _disown(self) -> None:
        """End the calls whose session the record gives to another relay, or calls ended.

        A client may keep both ways open when it is_moving, and need not ever say that it has.
        """
        held = {session: call.session.epoch for session, call in self.calls.items()}
        for session, reason in (await self._book.disowned(held) if held else {}).items():
            call = self.calls.get(session)
            if call is not None and call.session.epoch == held[session]:  # not begun anew meanwhile
                call.end(reason)

    def _obey(self, orders: set[str]) -> None:
        for order in orders:
            verb, _, session = order.partition(":")
            if verb == "end" and session in self.calls:
                self.calls[session].end("client")
            elif verb == "rotate" and session in self.calls:
                self.calls[session].rotate()
            elif verb == "drain":
                self.leave()

    async def _drain(self) -> None:
        await self._notify_store(self._task.stopping())
        await Drain(self.calls, self._room, self._config.drain_s).run()
        await self._until_empty(FAREWELL_S)
        self._is_gone = True
        for writing in list(self._unwritten.values()):
            if writing is not None:
                writing.cancel()
        await self._notify_store(self._task.leave())

    async def _notify_store(self, word: Coroutine[None, None, None]) -> None:
        """Best-effort write of this relay's state; errors and timeouts are ignored."""
        with contextlib.suppress(LedgerUnavailable, TimeoutError):
            async with asyncio.timeout(STORE_NOTICE_S):
                await word

    async def _until_empty(self, within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._empty.wait()

    def _health(self) -> dict[str, object]:
        return {
            "relay": self._config.relay,
            "calls": len(self.calls),
            "capacity": self._config.capacity,
            "open": self._handshake.is_open,
        }


def _log_lost(call: Call) -> None:
    """The record will never have it."""
    logger.error("not written", extra={"session_id": call.record.id, "writes": call.unwritten})
