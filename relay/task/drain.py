"""How a relay that leaves hands its calls on: at their turn gaps, to relays that are there already.

asked for room ──▶ a READY relay has it ──▶ each call at its gap: told to move, gone
     │                                          │ near the deadline: told wherever it stands
     └── nobody has room: it talks on here ─────┘ at the deadline: ended, and resumed elsewhere
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

logger = logging.getLogger("relay.task.drain")

TICK_S = 0.1  #: how often a turn gap is looked for: it has no event of its own
ASK_S = 2.0  #: how often room is asked for while somebody waits for it
PATIENT_PART = 0.1  #: share of the drain window: only calls with a current resumption handle are moved
FORCED_PART = 0.8  #: share of it after which all are told to move, whoever speaks

#: takes how many calls need places; returns how many places READY relays have
ReserveCapacity = Callable[[int], Awaitable[int]]


class Movable(Protocol):
    """A call, as far as its move goes."""

    is_moving: bool  #: told to

    @property
    def is_over(self) -> bool:
        """It needs no place elsewhere, only time for its closing message."""
        ...

    @property
    def is_detached(self) -> bool:
        """Its client is not here, and will come back elsewhere."""
        ...

    def is_at_gap(self, *, patient: bool) -> bool: ...

    async def move(self, ends_in_s: float) -> None: ...

    def go_away(self, ends_in_s: float) -> None: ...

    def end(self, reason: str) -> None: ...


class Drain:
    """Empties `calls`, which shrinks as they end, within `within_s`."""

    def __init__(self, calls: Mapping[str, Movable], room: ReserveCapacity, within_s: float) -> None:
        self._now = asyncio.get_running_loop().time
        self._calls, self._ask = calls, room
        self._began_at, self._within_s = self._now(), within_s
        self._room = 0  #: places elsewhere, as they were when asked last

    async def run(self) -> None:
        """Until no call is left, or the time is over and the rest was ended."""
        async with asyncio.TaskGroup() as is_moving:
            asking = is_moving.create_task(self._ask_for_room())
            while self._calls and self._left_s > 0:
                self._look(is_moving)
                await asyncio.sleep(TICK_S)
            asking.cancel()
        forced = list(self._calls.values())
        for call in forced:
            call.end("going_away")
        logger.info("calls handed on", extra={"forced": len(forced)})

    @property
    def _left_s(self) -> float:
        return self._within_s - (self._now() - self._began_at)

    def _look(self, is_moving: asyncio.TaskGroup) -> None:
        gone_s = self._within_s - self._left_s
        for call in list(self._calls.values()):
            if call.is_detached:
                call.end("going_away")
        waiting = [call for call in self._calls.values() if not call.is_moving and not call.is_over]
        if gone_s >= self._within_s * FORCED_PART:
            for call in waiting:
                call.go_away(self._left_s)
            return
        patient = gone_s < self._within_s * PATIENT_PART
        free = self._room - sum(call.is_moving for call in self._calls.values())
        at_gap = [call for call in waiting if call.is_at_gap(patient=patient)]
        for call in at_gap[: max(0, free)]:
            call.is_moving = True
            is_moving.create_task(call.move(self._left_s))

    async def _ask_for_room(self) -> None:
        while self._calls:
            if calls := sum(not call.is_over for call in self._calls.values()):
                self._room = await self._ask(calls)
            await asyncio.sleep(ASK_S)
