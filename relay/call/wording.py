"""One party's words in one turn, made of the pieces that came: joined, and each once."""

from __future__ import annotations

from relay.call.pieces import Joiner, Repetitions, Spacing, growth, is_beginning, letters
from relay.words import Words

NAME_LETTERS = 4  #: in the name of a digit


class Wording:
    """Pure. Adds to `words` what the pieces bring; `spacing` is their stream's.

    `keeps_all`: what comes twice was said twice.
    """

    def __init__(self, words: Words, spacing: Spacing, *, keeps_all: bool = False) -> None:
        self.repetitions = Repetitions(keeps_all=keeps_all)
        self.letters = 0
        self._digits = 0  #: among these
        self.tail = ""  #: the latest of its words
        self.latest = ""  #: the latest of its pieces, when these are snapshots
        self._words = words
        self._joiner = Joiner(spacing)

    def __str__(self) -> str:
        return str(self._words)

    @property
    def said(self) -> int:
        """Letters of its words, with those that are held."""
        return self.letters + letters(self._joiner.held) + letters(self.repetitions.held)

    @property
    def sounded(self) -> int:
        """Letters at most that it takes to say them: of numbers, those of their names."""
        return self.said + (NAME_LETTERS - 1) * self._digits

    @property
    def grew(self) -> bool:
        """Its pieces are snapshots."""
        return bool(self.latest)

    @property
    def is_holding(self) -> bool:
        return self._joiner.is_holding or self.repetitions.is_holding

    def take(self, piece: str) -> str:
        """The text to add for `piece`; nothing when it is a repetition, or held until the next one."""
        if self.grew and len(piece) <= len(str(self)) and is_beginning(piece, str(self)):
            self.repetitions.dropped += 1
            return ""  # an earlier snapshot once more
        rest = self.rest_of_snapshot(piece)
        if self.grew or rest:
            self.latest = piece
        if rest is None or self.repetitions.has(piece):
            return self._added(self._joiner.take(self.repetitions.take(piece)))
        held = self._joiner.take(self.repetitions.release())
        return self._added(held + self._joiner.grow(rest))

    def go_on(self, spacing: Spacing) -> None:
        """From here on learn as `spacing` does."""
        self._joiner.spacing = spacing

    def release(self) -> str:
        """The text that was held."""
        return self._added(self._joiner.take(self.repetitions.release()) + self._joiner.release())

    def rest_of_snapshot(self, piece: str) -> str | None:
        """What `piece` adds when it has all that was said before; None when it has not."""
        rest = None
        if self.letters and len(piece) > self.letters:
            rest = growth(str(self) + self._joiner.held, piece)
        if rest is None and self.grew:
            rest = growth(self.latest, piece)  # the next sentence may grow by itself
        return rest

    def _added(self, text: str) -> str:
        taken = self._words.add(text) if text else ""
        if taken:
            self.letters += letters(taken)
            self._digits += sum(map(str.isdigit, taken))
            self.tail = taken
        return taken
