"""The state of one conversation on one connection, and the port its messages leave by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from simulator.calls import Calls
from simulator.context import Memory
from simulator.setup import Setup
from simulator.voice import Detector
from simulator.world import World

T = TypeVar("T")


class Outlet(Protocol):
    """Where messages go, and where faults come from: one connection."""

    number: int

    def emit(self, message: dict[str, Any]) -> None: ...

    def emit_audio(self, message: bytes) -> None: ...

    def turn_began(self, number: int) -> None:
        """A turn of the model starts; faults waiting for it are armed."""

    def answer_began(self, number: int) -> None:
        """Something of the turn was sent; faults waiting for it strike."""

    def take(self, kind: type[T], fits: Callable[[T], bool] = ...) -> T | None:
        """The armed fault of that kind, used up by this."""


@dataclass(slots=True)
class Conversation:
    setup: Setup
    memory: Memory
    detector: Detector
    calls: Calls
    outlet: Outlet
    world: World
    was_resumed: bool = False

    def note(self, kind: str, **fields: Any) -> None:
        """A ledger line that names the connection and the session."""
        self.world.ledger.note(kind, connection=self.outlet.number, session=self.memory.lineage, **fields)
