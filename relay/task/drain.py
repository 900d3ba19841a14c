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
PATIENT_PART = 0.1  #: of the time: so long only calls are moved whose way back holds all that was said
FORCED_PART = 0.8  #: of the time: after it all are told to move, whoever speaks

Room = Callable[[int], Awaitable[int]]  #: so many calls need places; returns how many READY relays have


class Movable(Protocol):
    """A call, as far as its move goes."""

    moves: bool  #: told to

    @property
    def is_over(self) -> bool:
        """It needs no place elsewhere, only time for its last word."""
        ...

    @property
    def is_deserted(self) -> bool:
        """Its client is not here, and will come back elsewhere."""
        ...

    def is_at_gap(self, *, patient: bool) -> bool: ...

    async def move(self, ends_in_s: float) -> None: ...

    def go_away(self, ends_in_s: float) -> None: ...

    def end(self, reason: str) -> None: ...


class Departure:
    """Empties `calls`, which shrinks as they end, within `within_s`."""

    def __init__(self, calls: Mapping[str, Movable], room: Room, within_s: float) -> None:
        self._now = asyncio.get_running_loop().time
        self._calls, self._ask = calls, room
        self._began_at, self._within_s = self._now(), within_s
        self._room = 0  #: places elsewhere, as they were when asked last

    async def run(self) -> None:
        """Until no call is left, or the time is over and the rest was ended."""
        async with asyncio.TaskGroup() as moves:
            asking = moves.create_task(self._ask_for_room())
            while self._calls and self._left_s > 0:
                self._look(moves)
                await asyncio.sleep(TICK_S)
            asking.cancel()
        forced = list(self._calls.values())
        for call in forced:
            call.end("going_away")
        logger.info("calls handed on", extra={"forced": len(forced)})

    @property
    def _left_s(self) -> float:
        return self._within_s - (self._now() - self._began_at)

    def _look(self, moves: asyncio.TaskGroup) -> None:
        gone_s = self._within_s - self._left_s
        for call in list(self._calls.values()):
            if call.is_deserted:
                call.end("going_away")
        waiting = [call for call in self._calls.values() if not call.moves and not call.is_over]
        if gone_s >= self._within_s * FORCED_PART:
            for call in waiting:
                call.go_away(self._left_s)
            return
        patient = gone_s < self._within_s * PATIENT_PART
        free = self._room - sum(call.moves for call in self._calls.values())
        at_gap = [call for call in waiting if call.is_at_gap(patient=patient)]
        for call in at_gap[: max(0, free)]:
            call.moves = True
            moves.create_task(call.move(self._left_s))

    async def _ask_for_room(self) -> None:
        while self._calls:
            if calls := sum(not call.is_over for call in self._calls.values()):
                self._room = await self._ask(calls)
            await asyncio.sleep(ASK_S)
