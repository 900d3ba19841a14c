"""Results of a conversation: transcripts, counts, how it ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from protocol.media import Ended, Metrics, Transcript, TurnEnded, TurnInterrupted

if TYPE_CHECKING:
    from vivavoce import ConversationEvent


@dataclass(slots=True)
class Words:
    """Transcript of one utterance. `heard` is what the user heard of it, when it was interrupted."""

    role: str
    text: str = ""
    heard: str | None = None


@dataclass(slots=True)
class Tally:
    """Counters and transcripts of a conversation, updated by every event."""

    events: Counter[str] = field(default_factory=Counter)
    words: dict[str, Words] = field(default_factory=dict)
    turns: set[int] = field(default_factory=set)  #: agent turns that came to an end, interrupted or not
    interruptions: int = 0
    server_first_audio_ms: int | None = None  #: of the first turn, as the server measured it
    close_reason: str = ""

    def note(self, event: ConversationEvent) -> None:
        self.events[name_of(event)] += 1
        match event:
            case Transcript():
                words = self.words.setdefault(event.message, Words(event.role))
                words.text = event.text if event.whole else words.text + event.text
                words.heard = event.heard if event.heard is not None else words.heard
            case TurnEnded(role="agent"):
                self.turns.add(event.turn)
            case TurnInterrupted():
                self.turns.add(event.turn)
                self.interruptions += 1
            case Metrics() if self.server_first_audio_ms is None:
                self.server_first_audio_ms = event.first_audio_ms
            case Ended():
                self.close_reason = event.reason

    def transcripts(self) -> dict[str, list[str]]:
        """Utterances of each role in the order they began; of an interrupted one what was heard."""
        said: dict[str, list[str]] = {"user": [], "agent": []}
        for words in self.words.values():
            text = words.text if words.heard is None else words.heard
            if text.strip():
                said[words.role].append(text.strip())
        return said


def name_of(event: Any) -> str:
    """The event's name on the wire; frames and this client's own events by a name like those."""
    config = getattr(event, "__struct_config__", None)
    if config is not None:
        return str(config.tag)
    return {"AudioFrame": "audio", "Reconnecting": "reconnecting", "Quality": "quality"}[type(event).__name__]
