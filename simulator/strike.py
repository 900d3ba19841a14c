"""When faults strike one connection: by the clock, at a turn, or at once."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from simulator.clock import Clock
from simulator.faults import ARMED, Fault, name

T = TypeVar("T")


class Note(Protocol):
    def __call__(self, kind: str, *, fault: str) -> object: ...


class Strikes:
    """The faults of one connection, waiting, armed, or on their way."""

    def __init__(
        self, clock: Clock, faults: tuple[Fault, ...], act: Callable[[Fault], None], note: Note
    ) -> None:
        """`act` carries out a fault that strikes by itself; `note` writes every strike down."""
        self._clock = clock
        self._waiting = list(faults)
        self._act = act
        self._note = note
        self._armed: list[Fault] = []
        self._due: asyncio.Queue[tuple[float, Fault]] = asyncio.Queue()

    def connected(self) -> None:
        """The socket is open and no setup was read yet: armed faults without a moment count from here."""
        self._release(
            lambda fault: isinstance(fault, ARMED) and fault.at.time_s is None and fault.at.turn is None
        )

    def set_up(self) -> None:
        """The setup is complete: time counts from here."""
        self._release(lambda fault: fault.at.turn is None)

    def turn_began(self, number: int) -> None:
        self._release(lambda fault: isinstance(fault, ARMED) and fault.at.turn == number)

    def answer_began(self, number: int) -> None:
        self._release(lambda fault: fault.at.turn == number)

    def add(self, fault: Fault) -> None:
        """Take a fault from outside: now, or when its moment comes."""
        self._waiting.append(fault)
        if fault.at.turn is None:
            self._release(lambda waiting: waiting is fault)

    def take(self, kind: type[T], fits: Callable[[T], bool] = lambda _: True) -> T | None:
        """The oldest armed fault of that kind, used up by this."""
        for fault in self._armed:
            if isinstance(fault, kind) and fits(fault):
                self._armed.remove(fault)
                self._note("fault.struck", fault=name(fault))
                return fault
        return None

    async def run(self) -> None:
        """Strike when due. Later faults wait for earlier ones only as long as they must."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                at, fault = await self._due.get()
                tasks.create_task(self._strike(at, fault))

    def _release(self, fits: Callable[[Fault], bool]) -> None:
        for fault in [waiting for waiting in self._waiting if fits(waiting)]:
            self._waiting.remove(fault)
            delay_s = fault.after_s + (fault.at.time_s or 0.0)
            if delay_s:
                self._due.put_nowait((self._clock.now() + delay_s, fault))
            else:
                self._land(fault)

    async def _strike(self, at: float, fault: Fault) -> None:
        await self._clock.sleep_until(at)
        self._land(fault)

    def _land(self, fault: Fault) -> None:
        if isinstance(fault, ARMED):
            self._armed.append(fault)
        else:
            self._note("fault.struck", fault=name(fault))
            self._act(fault)
