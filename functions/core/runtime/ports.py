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


@dataclass(frozen=True, slots=True)
class Launched:
    """A MicroVM that was launched."""

    vm: str  #: its id
    address: str  #: its endpoint, as the API names it


class Launcher(Protocol):
    """Starts relays."""

    def launch(self, relay: Relay) -> Launched | None:
        """Start its task or MicroVM, or wake that; idempotent per relay. Raises LaunchFailed.

        Returns where a MicroVM is, when it has not been noted yet.
        """


class LaunchFailed(Exception):
    """Nothing could be started now."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.words)
        self.cause = cause


class Admittance(Protocol):
    """Admits clients to MicroVMs."""

    def protocols(self, vm: str) -> list[str]:
        """Subprotocol entries that its proxy wants. Raises VmGone; LaunchFailed when not known now."""


class VmGone(Exception):
    """A MicroVM has ended, or does not run."""


@dataclass(frozen=True, slots=True)
class Vm:
    """A MicroVM as listed."""

    id: str
    state: str  #: in AWS's words
    started_at: int  #: epoch s


class VmList(Protocol):
    """MicroVMs of our image."""

    def alive(self) -> Sequence[Vm]:
        """All that have not ended. Raises TasksUnknown."""

    def suspend(self, vm: str) -> bool:
        """Suspend it, and wait for that a while. True once it is suspended. Raises TasksUnknown."""

    def terminate(self, vm: str) -> None:
        """End it: its relay gets some time to drain. Raises TasksUnknown."""

    def reason(self, vm: str) -> str:
        """Why it is in its state, in AWS's words; empty when none are given, or there is no answer."""


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
    admittance: Admittance | None = None  #: None: no relay lives in a MicroVM
    mint_ahead: Callable[[Session, int], None] = lambda session, now: None


@dataclass(frozen=True, slots=True)
class SweepPorts(Dispatch):
    """Dependencies of the `sweep` function."""

    tasks: TaskList | None  #: None: no relay is one
    config: SweepConfig
    vms: VmList | None = None  #: None: no relay lives in one
