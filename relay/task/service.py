"""The relay task: its handshake, its calls, its heartbeat, and the order in which it leaves.

Leaving, in this order: admit nobody, have room made elsewhere, hand each call on at its turn gap, end the
rest at the deadline, exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Protocol

from protocol.codec import media_error
from protocol.errors import REGISTRY
from protocol.limits import NORMAL_CLOSE
from records.relays import LOST_S
from relay.call.call import Call
from relay.call.registry import CallRegistry, LegsFor, SessionBook
from relay.call.turn_writer import within
from relay.client.handshake import Admission, MediaHandshake, TicketBook
from relay.client.origin_secret import OriginCheck, allow_any_origin
from relay.client.port import ClientConnection, ConnectionLost
from relay.client.websocket import listening
from relay.config import RelayConfig
from relay.ports import LedgerUnavailable, Unregistered, WriteRefused
from relay.task.drain import Drain, ReserveCapacity

logger = logging.getLogger("relay.task.service")

HEARTBEAT_S = 5.0  #: how often the task shows that it lives, and reads its orders
FAREWELL_S = 14.0  #: for calls to send their closing message and write their last turns
REFUSED_S = 20.0  #: the table refuses its heartbeats: with the stack went the table, or this task's role
REFUSED_DRAIN_S = 60.0  #: then, for calls to be handed on; with all the rest it is gone within two minutes
SUSPENDING_S = 5.0  #: from the hook until the machine stands still, or does not
STORE_NOTICE_S = 3.0  #: time limit of a best-effort status write


class Book(SessionBook, TicketBook, Protocol):
    """All the relay asks of the table about sessions."""


class Task(Protocol):
    """All the relay asks of the table about itself."""

    async def ready(self, address: str) -> None: ...

    async def heartbeat(self, held: set[str], gone: Mapping[str, float]) -> set[str]: ...

    async def retire_if_idle(self) -> bool: ...

    async def stopping(self) -> None: ...

    async def leave(self) -> None: ...


async def unlimited(calls: int) -> int:
    """The reserve of a relay that has no fleet."""
    return calls


class Relay:
    """One task: it listens, shows that it lives, and leaves. Its calls are the registry's."""

    def __init__(
        self,
        config: RelayConfig,
        book: Book,
        task: Task,
        legs_for: LegsFor,
        origin_check: OriginCheck = allow_any_origin,
        reserve: ReserveCapacity = unlimited,
    ) -> None:
        self._config, self._task, self._reserve = config, task, reserve
        self._tasks = asyncio.TaskGroup()
        self.registry = CallRegistry(config, book, legs_for, self._tasks)
        self.handshake = MediaHandshake(book, config.relay, self._health, origin_check)
        self._leaving = asyncio.Event()
        self._drain_s = config.drain_s
        self.port = config.port  #: where it listens, once it does

    def leave(self) -> None:
        """Begin to leave; safe to call from a signal handler and more than once."""
        self.handshake.is_open = False
        self.registry.admit_no_more()
        self._leaving.set()

    async def run(self, announce: Callable[[int], Coroutine[None, None, None]]) -> None:
        """Until idle for long or told to leave. `announce` is called with the port once it listens."""
        config = self._config
        server = listening(
            self.serve, self.handshake, config.host, config.port, config.timeouts.client_pong_s
        )
        async with self._tasks, server as self.port:
            beating = self._tasks.create_task(self._beat(), name="heartbeat")
            announcing = self._tasks.create_task(announce(self.port), name="announcement")
            await self._leaving.wait()
            announcing.cancel()
            await self._drain()
            beating.cancel()

    async def serve(self, connection: ClientConnection, admission: Admission) -> None:
        """One client connection, until it is gone; or the answer why there is no call for it."""
        code = admission.refusal
        if not code:
            try:
                call = await self.registry.join(admission)
            except LedgerUnavailable:
                call = "store_unavailable"
            if isinstance(call, Call):
                return await call.serve(connection)
            code = call
        with contextlib.suppress(ConnectionLost):
            await connection.send(media_error(code, fatal=True))
        await connection.close(REGISTRY[code].close or NORMAL_CLOSE)
        return None

    async def _beat(self) -> None:
        now = asyncio.get_running_loop().time
        idle_since = heard_at = heeded_at = now()
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                await self._show_life()
                heard_at = heeded_at = now()
            except WriteRefused:
                if now() - heeded_at >= REFUSED_S:
                    self._leave_for_good()
            except LedgerUnavailable:  # that passes; a refusal does not
                heeded_at = now()
            unheard_s = now() - heard_at
            if self.registry.is_needed(unheard_s) or self._leaving.is_set():
                idle_since = now()
            elif now() - idle_since >= self._config.idle_s and await self._may_retire(unheard_s):
                self.leave()

    def _leave_for_good(self) -> None:
        """Whether or not it has calls: no order reaches it, nobody is led here, nobody else would end it."""
        if not self._leaving.is_set():
            logger.error("the table refuses this relay, leaving")
            self._drain_s = min(self._drain_s, REFUSED_DRAIN_S)
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
            self.obey(await self._task.heartbeat(set(self.registry.calls), self.registry.gone))
        except Unregistered:
            if not self._leaving.is_set():
                logger.error("the record of this relay is gone, leaving")
                self.leave()
        await within(HEARTBEAT_S, self.registry.disown())  # a read that hangs must not silence the heart

    def sleep(self) -> None:
        """The machine is to be suspended, whatever calls it has; if nothing comes of that, they go on."""
        for call in self.registry.calls.values():
            call.sleep()
        asyncio.get_running_loop().call_later(SUSPENDING_S, self.wake)

    def wake(self) -> None:
        """The machine was suspended, whatever calls it had: what they were connected to is no more.

        A client whose connection is dead comes back by itself; to cut off one that is not would be a gap.
        """
        for call in self.registry.calls.values():
            call.wake()

    def obey(self, orders: set[str]) -> None:
        """What the table asks for: `drain`, or `end:` and `rotate:` with a session."""
        for order in orders:
            verb, _, session = order.partition(":")
            if verb == "drain":
                self.leave()
            else:
                self.registry.obey(verb, session)

    async def _drain(self) -> None:
        await self._notify_store(self._task.stopping())
        await Drain(self.registry.calls, self.registry.news, self._reserve, self._drain_s).run()
        await self.registry.close(FAREWELL_S)
        await self._notify_store(self._task.leave())

    async def _notify_store(self, notice: Coroutine[None, None, None]) -> None:
        """Best-effort write of this relay's state; errors and timeouts are ignored."""
        with contextlib.suppress(LedgerUnavailable, TimeoutError):
            async with asyncio.timeout(STORE_NOTICE_S):
                await notice

    def _health(self) -> dict[str, object]:
        return {
            "relay": self._config.relay,
            "calls": len(self.registry.calls),
            "capacity": self._config.capacity,
            "open": self.handshake.is_open,
        }
