"""What the functions work with. Built once per container, and by tests with fakes of the edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from functions.core.runtime.config import SessionConfig, SweepConfig
from functions.core.sessions.replies import Replies
from records.relays import Relay
from records.table import Table


class Launcher(Protocol):
    """Starts the task of a relay."""

    def launch(self, relay: Relay) -> None:
        """Ask for the task; asking again for the same relay is harmless. Raises LaunchFailed."""


class LaunchFailed(Exception):
    """No task could be had now."""


class TaskList(Protocol):
    """The relays' tasks, as whoever runs them sees them."""

    def running(self) -> Mapping[str, Sequence[str]]:
        """Tasks that run or start, by relay. Raises TasksUnknown."""

    def stopping(self) -> Sequence[str]:
        """Tasks that were told to end and have not ended yet. Raises TasksUnknown."""

    def stop(self, task: str) -> None:
        """Have a task end: it gets its time to drain. Raises TasksUnknown."""


class TasksUnknown(Exception):
    """Whoever runs the tasks does not answer."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What it takes to start relays and to tell clients."""

    table: Table
    replies: Replies
    launcher: Launcher
    clock: Callable[[], float]  #: wall clock, epoch s

    def now(self) -> int:
        """Epoch s."""
        return int(self.clock())


@dataclass(frozen=True, slots=True)
class Ports(Dispatch):
    """Of the `session` function."""

    route_key: Callable[[], str]
    config: SessionConfig


@dataclass(frozen=True, slots=True)
class SweepPorts(Dispatch):
    """Of the `sweep` function."""

    tasks: TaskList
    config: SweepConfig
