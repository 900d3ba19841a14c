"""Context of a session, and the resumption handles that snapshot it.

A handle is a snapshot: everything up to that moment and nothing after, which is
what makes a client replay its last second of audio.
"""

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.audio.pcm import IN_HZ, SAMPLE_BYTES
from simulator.audio.watermark import Watermarks
from simulator.billing import plus
from simulator.clock import Clock
from simulator.session.setup import CONTEXT_TOKENS, Setup
from simulator.speech.turn_detection import TurnDetector
from simulator.wire import refusal
from simulator.wire.refusal import Refusal

TOKENS_PER_S = 25  #: of audio, heard or spoken
CHARS_PER_TOKEN = 4  #: of text, roughly
VIDEO_TOKENS = 258  #: one image
HANDLE_LIFE_S = 2 * 3600.0  #: after it was made; Google counts from the end of its connection
KEPT_HANDLES = 256  #: for each lineage; the oldest go
KEPT_IN_ALL = 50_000  #: over all lineages


def text_tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)


def audio_tokens(duration_s: float) -> int:
    return round(TOKENS_PER_S * duration_s)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing said, typed, shown or returned by a tool."""

    role: str  #: user, model or tool
    text: str
    text_tokens: int = 0
    audio_tokens: int = 0
    video_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.text_tokens + self.audio_tokens + self.video_tokens


@dataclass(slots=True)
class Memory:
    """The context of one session. It survives reconnects by way of handles."""

    lineage: str
    model: str
    entries: list[Entry] = field(default_factory=list)
    turn: int = 0  #: turns begun so far
    uplink_bytes: int = 0  #: 16 kHz audio consumed
    watermarks: Watermarks = field(default_factory=Watermarks)
    billed: dict[str, int] = field(default_factory=dict)  #: tokens over all turns: prompt, response
    setup_tokens: int = 0
    told: dict[str, Any] = field(default_factory=dict)  #: sum of all turns' `usageMetadata`
    listens_to_all: bool = False  #: silence is in the context, too
    billed_bytes: int = 0  #: of `uplink_bytes`: those before the last turn that was billed
    used_rules: set[int] = field(default_factory=set)  #: scenario rules marked `once` that were taken

    def copied(self) -> "Memory":
        return replace(
            self,
            entries=list(self.entries),
            watermarks=self.watermarks.copied(),
            billed=dict(self.billed),
            told=dict(self.told),
            used_rules=set(self.used_rules),
        )

    def consumed(self) -> dict[str, Any]:
        """Uplink audio consumed so far, for the ledger."""
        return {
            "uplink_bytes": self.uplink_bytes,
            "planted": list(self.watermarks.ranges),
            "missing": self.watermarks.missing(),
            "repeated": list(self.watermarks.repeated),
        }

    def bill(self, report: dict[str, Any]) -> None:
        """Add a turn's `usageMetadata` to the totals."""
        for name in ("promptTokenCount", "responseTokenCount", "totalTokenCount"):
            self.billed[name] = self.billed.get(name, 0) + int(report[name])
        self.told = plus(self.told, report)
        self.billed_bytes = self.uplink_bytes

    def prompt(self) -> dict[str, int]:
        """Tokens of the whole context by modality: what every turn is billed again."""
        return {
            "TEXT": self.setup_tokens + sum(entry.text_tokens for entry in self.entries),
            "AUDIO": sum(entry.audio_tokens for entry in self.entries) + self._listened(self.uplink_bytes),
            "VIDEO": sum(entry.video_tokens for entry in self.entries),
        }

    def unbilled(self) -> int:
        """Tokens of audio that was heard since the last turn, where all of it is billed."""
        return self._listened(self.uplink_bytes - self.billed_bytes)

    def _listened(self, size: int) -> int:
        return audio_tokens(size / (IN_HZ * SAMPLE_BYTES)) if self.listens_to_all else 0

    def fit(self, setup: Setup) -> int:
        """Keep the context within its window. Returns how many entries were dropped.

        Raises Refusal when it is full and compression was not asked for.
        """
        size = sum(self.prompt().values())
        if setup.compression is None:
            if size > CONTEXT_TOKENS:
                raise Refusal(refusal.CONTEXT_FULL)
            return 0
        if size <= setup.compression.trigger_tokens:
            return 0
        dropped = 0
        while self.entries and size > setup.compression.target_tokens:
            size -= self.entries.pop(0).tokens
            dropped += 1
        return dropped


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Session state behind one handle. A resumption copies it."""

    memory: Memory
    detector: TurnDetector
    made_at: float


class HandleBook:
    """All issued handles, and the number of open connections of each session."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._snapshots: dict[str, Snapshot] = {}
        self._of: dict[str, list[str]] = {}
        self._open: dict[str, int] = {}

    def issue(self, memory: Memory, detector: TurnDetector) -> str:
        """Issue a handle for a snapshot of the current state."""
        handle = secrets.token_urlsafe(30)
        self._snapshots[handle] = Snapshot(
            memory.copied(), detector.copied(detector.settings), self._clock.now()
        )
        issued = self._of.setdefault(memory.lineage, [])
        issued.append(handle)
        if len(issued) > KEPT_HANDLES:
            self._snapshots.pop(issued.pop(0), None)
        if len(self._snapshots) > KEPT_IN_ALL:
            oldest = next(iter(self._snapshots))
            self._of.pop(self._snapshots.pop(oldest).memory.lineage, None)
        return handle

    def find(self, handle: str) -> Snapshot | None:
        """The snapshot of a handle that is known and not too old."""
        snapshot = self._snapshots.get(handle)
        if snapshot is None or self._clock.now() - snapshot.made_at > HANDLE_LIFE_S:
            return None
        return snapshot

    def opened(self, lineage: str) -> None:
        self._open[lineage] = self._open.get(lineage, 0) + 1

    def closed(self, lineage: str) -> None:
        self._open[lineage] -= 1
        if not self._open[lineage]:
            del self._open[lineage]

    def open_count(self, lineage: str) -> int:
        return self._open.get(lineage, 0)
