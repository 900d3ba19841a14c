"""One party's transcript: each piece finds its turn, is joined to the words there, and told."""

from __future__ import annotations

from collections.abc import Callable

from relay.call.attribution import WordStream
from relay.call.part import Part
from relay.turn import Turn
from relay.words import Words

HOLD_S = 2.0  #: of words that may be a repetition, or of which it is not known how they join


class Transcript:
    """Pure. `tell` hears of every text that was added to the words of a turn."""

    def __init__(self, tell: Callable[[Turn, str], None], words_of: Callable[[Turn], Words]) -> None:
        self._tell, self._words_of = tell, words_of
        self._stream = WordStream()
        self._held_at: float | None = None  #: words are held since then

    @property
    def last(self) -> Part | None:
        """The party's part of the turn in which it spoke last."""
        return self._stream.last

    def has(self, turn: Turn) -> bool:
        """Words may still come for `turn`."""
        return self._stream.has(turn)

    def part_of(self, turn: Turn) -> Part:
        """The party's part of `turn`, begun if need be."""
        return self._stream.part_of(turn, self._words_of(turn))

    def find(self, piece: str, now: float, *, ahead: float | None) -> Part | None:
        """The part that `piece` belongs to; None: one that has not begun. `ahead`: see `WordStream.place`."""
        part = self._stream.place(piece, now, ahead=ahead)
        self._tell_left()
        return part

    def add(self, part: Part, piece: str, now: float) -> None:
        """`piece` belongs to `part`, and all that comes after it to that or a later one."""
        self._stream.move_to(part)
        self._tell_left()
        if text := part.wording.take(piece):
            self._tell(part.turn, text)
        self._held_at = now if part.wording.is_holding else None

    def finished(self) -> None:
        """The model says that the transcript of the turn is over."""
        self._stream.finished()

    def release(self) -> None:
        """Nothing more comes for now: what is held is added as it is."""
        self._held_at = None
        self._stream.release()
        self._tell_left()

    def leg_lost(self, *, keeps_last: bool) -> None:
        """What is missing will not come: `keeps_last`, but for the words of the latest turn."""
        self.release()
        self._stream.leg_lost(keeps_last=keeps_last)

    def next_timeout(self) -> float | None:
        """Time at which `handle_timeout` is to be called; None for never."""
        return None if self._held_at is None else self._held_at + HOLD_S

    def handle_timeout(self, now: float) -> None:
        if self._held_at is not None and now >= self._held_at + HOLD_S:
            self.release()

    def _tell_left(self) -> None:
        for turn, text in self._stream.take_left():
            if text:
                self._tell(turn, text)
