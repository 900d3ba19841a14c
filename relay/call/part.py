"""One party's part of a turn: what of it was heard, and its words."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace

from relay.call.pieces import Spacing
from relay.call.wording import Wording
from relay.turn import Turn
from relay.words import Words

STEP_S = 0.25  #: of sound, of which it is kept when it came


@dataclass(frozen=True, slots=True)
class Piece:
    """Of a transcript, as it came."""

    text: str
    at: float
    ends: bool = False  #: the transcript of its turn, so the model says


@dataclass
class Part:
    """One party's part of a turn."""

    turn: Turn
    wording: Wording
    sound_s: float = 0.0  #: how long it sounded, as far as was heard
    is_over: bool = False  #: it sounds no more
    is_cut: bool = False  #: it ended before its sentence did
    is_finished: bool = False  #: so the model says of its transcript
    is_said_twice: bool = False  #: what came twice in its transcript
    is_fixed: bool = False  #: it has typed words too, and keeps what it has
    began_at: float = float("-inf")  #: the user
    ended_at: float = 0.0
    speaks_since: float | None = None  #: the user, whose words cannot run ahead of his voice
    #: the agent's sound: how much, until when
    arrived: list[tuple[float, float]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    def speak(self, at: float) -> None:
        """The user begins, or goes on."""
        if not self.sound_s:
            self.began_at = at
        self.is_over, self.speaks_since = False, at

    def end(self, at: float, lasted_s: float = 0.0) -> None:
        """It sounds no more. `lasted_s`: by its sound, which may have come faster than it was spoken."""
        if self.speaks_since is not None:
            self.sound_s += max(lasted_s, at - self.speaks_since)
        self.is_over, self.ended_at, self.speaks_since = True, at, None

    def sound(self, seconds: float, now: float) -> None:
        """More of the agent's voice has come."""
        self.sound_s += seconds
        if not self.arrived or self.sound_s >= self.arrived[-1][0] + STEP_S:
            self.arrived.append((self.sound_s, now))

    def lateness_s(self, place_s: float, now: float) -> float:
        """How long ago the sound came that is `place_s` from its beginning; below 0: it has yet to come.

        Of the user's, how long ago it ended: his words come together behind it, or while he speaks.
        """
        if not self.arrived:
            return max(0.0, now - self.ended_at) if self.is_over else 0.0
        at = bisect_left(self.arrived, (place_s, 0.0))
        if at == len(self.arrived):
            at -= 1
            if not self.is_over:
                return self.sound_s - place_s
        return now - self.arrived[at][1]

    def finished(self) -> None:
        """The model says that its transcript is over."""
        self.is_finished = True
        if self.pieces:
            self.pieces[-1] = replace(self.pieces[-1], ends=True)

    def retake(self, spacing: Spacing, pieces: list[Piece]) -> Words:
        """Make its words anew, of these pieces: what they tell of the spacing is known already."""
        words = Words()
        self.pieces, self.wording = pieces, Wording(words, spacing.copy(), keeps_all=self.is_said_twice)
        for piece in pieces:
            self.wording.take(piece.text)
        self.wording.release()
        self.wording.go_on(spacing)
        return words

    def heard_s(self, now: float) -> float | None:
        """Sound that its words are of; None while that may still come."""
        if self.speaks_since is not None:
            return self.sound_s + max(0.0, now - self.speaks_since)
        return self.sound_s if self.is_over else None
