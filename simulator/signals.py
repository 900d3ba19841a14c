"""Order, delay, repetition, fragmentation and absence of each signal of the service, as data.

Google promises no order between its signals, and others saw each of them late, twice, in pieces or not at
all. A range or a probability is drawn anew for each turn, from the scenario's seed.
"""

import random
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

Order = Literal["before", "with", "after"]
Name = Literal[
    "input_transcript",
    "output_transcript",
    "turn_complete",
    "generation_complete",
    "interrupted",
    "handle",
    "usage",
    "go_away",
    "voice_activity",
    "interaction_status",
]
TRANSCRIPTS: tuple[Name, ...] = ("input_transcript", "output_transcript")

#: signal -> its field in a server message, or in `serverContent` when it is not at the top
TOP: dict[Name, str] = {
    "handle": "sessionResumptionUpdate",
    "usage": "usageMetadata",
    "go_away": "goAway",
    "voice_activity": "voiceActivity",
}
CONTENT: dict[Name, str] = {
    "input_transcript": "inputTranscription",
    "output_transcript": "outputTranscription",
    "turn_complete": "turnComplete",
    "generation_complete": "generationComplete",
    "interrupted": "interrupted",
    "interaction_status": "interactionStatus",
}


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One signal's habits. A pair is a range, ends included. Seconds are virtual."""

    order: Literal["before", "with", "after", "any"] = "with"
    delay_s: float | tuple[float, float] = 0.0
    repeat: int | tuple[int, int] = 0  #: times that it comes again
    fragment: int | tuple[int, int] = 1  #: pieces of a transcript
    absent: float = 0.0  #: probability, 0 to 1, that it does not come


class Signals(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Signals that are not sent as usual."""

    input_transcript: Signal | None = None
    output_transcript: Signal | None = None
    turn_complete: Signal | None = None
    generation_complete: Signal | None = None
    interrupted: Signal | None = None
    handle: Signal | None = None
    usage: Signal | None = None
    go_away: Signal | None = None
    voice_activity: Signal | None = None
    interaction_status: Signal | None = None

    def of(self, name: Name) -> Signal | None:
        signal: Signal | None = getattr(self, name)
        return signal

    def complaint(self) -> str:
        """Name what makes no sense; empty when all does."""
        for name in (*TOP, *CONTENT):
            if (signal := self.of(name)) is None:
                continue
            if signal.fragment != 1 and name not in TRANSCRIPTS:
                return f"signals.{name}.fragment: only transcripts come in pieces"
            if not 0 <= signal.absent <= 1:
                return f"signals.{name}.absent must be 0 to 1"
            for field, least in (("delay_s", 0), ("repeat", 0), ("fragment", 1)):
                if min(_ends(getattr(signal, field))) < least:
                    return f"signals.{name}.{field} must be at least {least}"
        return ""


@dataclass(frozen=True, slots=True)
class Habit:
    """A signal's habits as drawn for one turn."""

    order: Order
    delay_s: float
    repeat: int
    fragment: int
    is_absent: bool


def draw(signal: Signal, chance: random.Random) -> Habit:
    orders: tuple[Order, ...] = ("before", "with", "after")
    return Habit(
        chance.choice(orders) if signal.order == "any" else signal.order,
        chance.uniform(*_ends(signal.delay_s)),
        chance.randint(*_ends(signal.repeat)),
        chance.randint(*_ends(signal.fragment)),
        chance.random() < signal.absent,
    )


def _ends(value: Any) -> tuple[Any, Any]:
    """Both ends of a range; of a plain number, twice the same."""
    return value if isinstance(value, tuple) else (value, value)
