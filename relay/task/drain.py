"""How a relay that leaves hands its calls on: at their turn gaps, to relays that are there already.

asked for room ──▶ a READY relay has it ──▶ each call at its gap: told to move, gone
     │                                          │ near the deadline: told wherever it stands
     └── nobody has room: it talks on here ─────┘ at the deadline: ended, and resumed elsewhere
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from relay.clock import CLOCK_S

logger = logging.getLogger("relay.task.drain")

ASK_S = 2.0  #: how often room is asked for while somebody waits for it
PATIENT_PART = 0.1  #: share of the drain window: only calls with a current resumption handle are moved
FORCED_PART = 0.8  #: share of it after which all are told to move, whoever speaks

#: takes how many calls need places; returns how many places READY relays have
ReserveCapacity = Callable[[int], Awaitable[int]]


class Movable(Protocol):
    """A call, as far as its move goes."""

    @property
    def is_moving(self) -> bool:
        """Its client was told to go on elsewhere."""
        ...

    @property
    def is_over(self) -> bool:
        """It needs no place elsewhere, only time for its closing message."""
        ...

    @property
    def is_detached(self) -> bool:
        """Its client is not here, and will come back elsewhere."""
        ...

    def is_at_gap(self, *, keep_context: bool) -> bool: ...

    async def move(self, ends_in_s: float) -> None: ...

    def go_away(self, ends_in_s: float) -> None: ...

    def end(self, reason: str) -> None: ...


class Drain:
    """Empties `calls`, which shrinks as they end, within `within_s`."""

    def __init__(
        self, calls: Mapping[str, Movable], news: asyncio.Event, reserve: ReserveCapacity, within_s: float
    ) -> None:
        """`news` is set whenever a call has ended, or may have become fit to be moved."""
        self._now = asyncio.get_running_loop().time
        self._calls, self._news, self._reserve = calls, news, reserve
        self._places = 0  #: elsewhere, as they were when asked last
        self._moving: set[Movable] = set()
        self._moves: list[asyncio.Task[None]] = []
        began_at = self._now()
        self._context_until = began_at + within_s * PATIENT_PART
        self._forced_at = began_at + within_s * FORCED_PART
        self._ends_at = began_at + within_s

    async def run(self) -> None:
        """Until no call is left, or the time is over and the rest was ended."""
        async with asyncio.TaskGroup() as moves:
            asking = moves.create_task(self._ask_for_places())
            while self._calls and self._now() < self._ends_at:
                self._news.clear()
                self._move_those_at_gaps(moves)
                await self._until_news()
            asking.cancel()
            forced = list(self._calls.values())
            for call in forced:
                call.end("going_away")
            for move in self._moves:
                move.cancel()  # of a call that has ended: what it waits for would come too late
        logger.info("calls handed on", extra={"forced": len(forced)})

    async def _until_news(self) -> None:
        """Or until the next stage begins."""
        stages = (self._context_until, self._forced_at, self._ends_at)
        stage = min(at for at in stages if at > self._now() or at == self._ends_at)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(stage + CLOCK_S):
                await self._news.wait()

    def _move_those_at_gaps(self, moves: asyncio.TaskGroup) -> None:
        now, calls = self._now(), list(self._calls.values())
        for call in calls:
            if call.is_detached:
                call.end("going_away")
        waiting = [call for call in calls if not self._is_moving(call) and not call.is_over]
        if now >= self._forced_at:
            for call in waiting:
                call.go_away(self._ends_at - now)
            return
        free = self._places - sum(map(self._is_moving, calls))
        keep_context = now < self._context_until
        at_gap = [call for call in waiting if call.is_at_gap(keep_context=keep_context)]
        for call in at_gap[: max(0, free)]:
            self._moving.add(call)
            self._moves.append(moves.create_task(call.move(self._ends_at - now)))

    def _is_moving(self, call: Movable) -> bool:
        """Told to move, or about to be."""
        return call in self._moving or call.is_moving

    async def _ask_for_places(self) -> None:
        while self._calls:
            if calls := sum(not call.is_over for call in self._calls.values()):
                self._places = await self._reserve(calls)
                self._news.set()
            await asyncio.sleep(ASK_S)
