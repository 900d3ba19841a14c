"""What the `session` function works with. Built once per container, and by tests with fakes of the edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from functions.core.config import SessionConfig
from functions.core.replies import Replies
from records.relays import Relay
from records.table import Table


class Launcher(Protocol):
    """Starts the task of a relay."""

    def launch(self, relay: Relay) -> None:
        """Ask for the task; asking again for the same relay is harmless. Raises LaunchFailed."""


class LaunchFailed(Exception):
    """No task could be had now."""


@dataclass(frozen=True, slots=True)
class Ports:
    table: Table
    replies: Replies
    launcher: Launcher
    route_key: Callable[[], str]
    clock: Callable[[], float]  #: wall clock, epoch s
    config: SessionConfig

    def now(self) -> int:
        """Epoch s."""
        return int(self.clock())
