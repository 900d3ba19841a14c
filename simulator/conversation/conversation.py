"""State of one conversation on one connection, and the port for its messages."""

from dataclasses import dataclass
from typing import Any, Protocol

from simulator.conversation.calls import Calls
from simulator.conversation.world import World
from simulator.fault_triggers import FaultTriggers
from simulator.faults import LostTranscriptionHead
from simulator.session.context import Entry, Memory, audio_tokens, text_tokens
from simulator.session.setup import Setup
from simulator.speech.turn_detection import TurnDetector


class Outlet(Protocol):
    """Port for outgoing messages, implemented by a shaper of signals."""

    @property
    def puts_words_first(self) -> bool: ...

    def emit(self, message: dict[str, Any]) -> None: ...

    def emit_audio(self, message: bytes) -> None: ...


@dataclass(slots=True)
class Conversation:
    number: int  #: of the connection
    setup: Setup
    memory: Memory
    detector: TurnDetector
    calls: Calls
    outlet: Outlet
    triggers: FaultTriggers
    world: World

    def note(self, kind: str, **fields: Any) -> None:
        """A ledger line that names the connection and the session."""
        self.world.ledger.note(kind, connection=self.number, session=self.memory.lineage, **fields)

    def remember(self, role: str, text: str, audio_s: float | None = None) -> None:
        """Add to the context. Speech counts by the second, text by its length."""
        is_counted = role == "user" and self.memory.listens_to_all
        spoken = audio_tokens(audio_s) if audio_s is not None and not is_counted else 0
        typed = text_tokens(text) if audio_s is None else 0
        self.memory.entries.append(Entry(role, text, typed, spoken))

    def lost_head(self, text: str, side: str) -> int:
        """Number of leading characters that a fault removes from this transcript."""
        fault = self.triggers.take(LostTranscriptionHead, lambda lost: lost.side in (side, "both"))
        return min(fault.characters, len(text)) if fault else 0
