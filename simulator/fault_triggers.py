"""Triggers of one connection's faults: a time, a turn, or none (at once)."""

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from simulator.clock import Clock
from simulator.faults import ARMED, HTTP, Fault, name

T = TypeVar("T")


class Note(Protocol):
    def __call__(self, kind: str, *, fault: str) -> object: ...


class FaultTriggers:
    """Faults of one connection: waiting for their trigger, delayed, or armed."""

    def __init__(
        self, clock: Clock, faults: tuple[Fault, ...], act: Callable[[Fault], None], note: Note
    ) -> None:
        """`act` carries out a fault that acts by itself; `note` logs every fault that acts."""
        self._clock = clock
        self._waiting = [fault for fault in faults if not isinstance(fault, HTTP)]
        self._act = act
        self._note = note
        self._armed: list[Fault] = []
        self._is_over = False

    def connected(self) -> None:
        """The socket is open, the setup not read: armed faults without a trigger are armed now."""
        self._release(
            lambda fault: isinstance(fault, ARMED) and fault.at.time_s is None and fault.at.turn is None
        )

    def set_up(self) -> None:
        """The setup is complete: `at.time_s` counts from here."""
        self._release(lambda fault: fault.at.turn is None)

    def turn_began(self, number: int) -> None:
        self._release(lambda fault: isinstance(fault, ARMED) and fault.at.turn == number)

    def answer_began(self, number: int) -> None:
        self._release(lambda fault: fault.at.turn == number)

    def add(self, fault: Fault) -> None:
        """Add a fault while the connection is open; without a trigger it acts at once."""
        self._waiting.append(fault)
        if fault.at.turn is None:
            self._release(lambda waiting: waiting is fault)

    def take(self, kind: type[T], fits: Callable[[T], bool] = lambda _: True) -> T | None:
        """Remove and return the oldest armed fault of that kind; None without one."""
        for fault in self._armed:
            if isinstance(fault, kind) and fits(fault):
                self._armed.remove(fault)
                self._note("fault.struck", fault=name(fault))
                return fault
        return None

    def stop(self) -> None:
        """Cancel all triggers: the connection is over."""
        self._is_over = True

    def _release(self, fits: Callable[[Fault], bool]) -> None:
        for fault in [waiting for waiting in self._waiting if fits(waiting)]:
            self._waiting.remove(fault)
            delay_s = fault.after_s + (fault.at.time_s or 0.0)
            if delay_s:
                self._clock.later(delay_s, partial(self._fire, fault))
            else:
                self._fire(fault)

    def _fire(self, fault: Fault) -> None:
        if self._is_over:
            return
        if isinstance(fault, ARMED):
            self._armed.append(fault)
        else:
            self._note("fault.struck", fault=name(fault))
            self._act(fault)
