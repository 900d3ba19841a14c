"""Dependencies of the functions. Built once per container, and by tests with fakes of the edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from functions.core.runtime.config import SessionConfig, SweepConfig
from functions.core.sessions.replies import Replies
from records.relays import Relay
from records.sessions import Session
from records.start_failures import Cause
from records.table import Table


class Launcher(Protocol):
    """Starts the task of a relay."""

    def launch(self, relay: Relay) -> None:
        """Start the task; idempotent per relay. Raises LaunchFailed."""


class LaunchFailed(Exception):
    """No task could be started now."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.words)
        self.cause = cause


class TaskList(Protocol):
    """Relay tasks as listed by the orchestrator."""

    def running(self) -> Mapping[str, Sequence[str]]:
        """Tasks that run or start, by relay. Raises TasksUnknown."""

    def stopping(self) -> Sequence[str]:
        """Tasks that are stopping and have not ended yet. Raises TasksUnknown."""

    def causes(self) -> Mapping[str, Cause]:
        """Why tasks that have ended lately did so, by relay. Raises TasksUnknown."""

    def stop(self, task: str) -> None:
        """Stop a task: it gets its time to drain. Raises TasksUnknown."""


class TasksUnknown(Exception):
    """No answer from the orchestrator."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Dependencies to start relays and to post replies."""

    table: Table
    replies: Replies
    launcher: Launcher
    clock: Callable[[], float]  #: wall clock, epoch s

    def now(self) -> int:
        """Epoch s."""
        return int(self.clock())


@dataclass(frozen=True, slots=True)
class Ports(Dispatch):
    """Dependencies of the `session` function."""

    route_key: Callable[[], str]
    model_refusal: Callable[[Session], str]  #: code by which mint refuses a session; empty: it does not
    config: SessionConfig


@dataclass(frozen=True, slots=True)
class SweepPorts(Dispatch):
    """Dependencies of the `sweep` function."""

    tasks: TaskList
    config: SweepConfig
