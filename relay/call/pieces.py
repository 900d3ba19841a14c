"""Pieces of one party's transcript: which of them are news, and where a space belongs between them.

Pure. A model sends a transcript in pieces that bring their spaces, in pieces that lack them, as snapshots
that grow ("He", "Hello", "Hello there"), and some of it twice. A stream keeps to its own way, mostly.
"""

from __future__ import annotations

import unicodedata
from copy import copy

WINDOW = 64  #: pieces back that a repetition may begin
LONG_WORD = 20  #: letters in a row without a space are no word: the stream brings no spaces
_CLOSING = frozenset(".,;:!?…)]}»”’'\"。，、！？：；）」』%")
_OPENING = frozenset("([{«“‘¿¡-–—/（「『'")
_ENDS = frozenset(".!?…。！？")
_PAUSES = _ENDS | frozenset(",;")


def letters(text: str) -> int:
    """How many letters and digits."""
    return sum(map(str.isalnum, text))


def is_ended(text: str) -> bool:
    """The sentence is over."""
    return text.rstrip(" \n\"'”’»)")[-1:] in _ENDS


def is_closing(text: str) -> bool:
    """It can only go on with what came before."""
    return text.lstrip()[:1] in _CLOSING - frozenset("'\"")


def is_unspaced(char: str) -> bool:
    """Of a script that puts no spaces between words."""
    return unicodedata.east_asian_width(char) in "WF" or "\u0e00" <= char <= "\u0eff"


def growth(text: str, piece: str) -> str | None:
    """What `piece` adds when it is a snapshot of all that was said; None when it is none.

    Case and punctuation may have been corrected since.
    """
    said = text.strip()
    if piece.startswith(said) and letters(said[:8]) > 1:  # most often, and cheaper
        rest = piece[len(said) :]
        return rest if any(map(str.isalnum, rest)) else rest.rstrip()
    if _first(said) != _first(piece):
        return None
    old, new = _spelled(said), _spelled(piece)
    if sum(char != " " for char, _ in old) < 2 or len(new) < len(old):
        return None
    if any(a != b for (a, _), (b, _) in zip(old, new, strict=False)):
        return None
    if len(new) > len(old):
        return _unsaid(text, piece[_behind(piece, new[len(old)][1]) :])
    return _unsaid(text, piece[len(piece.rstrip("".join(_CLOSING) + " ")) :]).rstrip()


def _spelled(text: str) -> list[tuple[str, int]]:
    """Letters without case, digits, and a space for each gap; with their places in `text`."""
    spelled: list[tuple[str, int]] = []
    for place, char in enumerate(text.rstrip()):
        if char.isalnum():
            spelled.append((char.casefold(), place))
        elif char.isspace() and spelled and spelled[-1][0] != " ":
            spelled.append((" ", place))
    return spelled


def _first(text: str) -> str:
    return next(filter(str.isalnum, text), "").casefold()


def is_beginning(piece: str, text: str) -> bool:
    """All of `piece` stands at the beginning of `text`."""
    return growth(piece, text) is not None


def _unsaid(text: str, rest: str) -> str:
    """`rest` without the punctuation that `text` ends in already."""
    said = text.rstrip()
    return rest.removeprefix(said[len(said.rstrip("".join(_CLOSING))) :])


def _behind(piece: str, index: int) -> int:
    """Where the part of `piece` begins that leads to `index`: with what parts it from the letter before."""
    while index and not piece[index - 1].isalnum():
        index -= 1
    return index


class Repetitions:
    """Of the pieces of one turn: those that come again, one or a run of them, add nothing.

    A run is known as one when all of it has come again: until then its pieces are held.
    """

    def __init__(self, *, keeps_all: bool = False) -> None:
        self._keeps_all = keeps_all  #: nothing is a repetition
        self._pieces: list[str] = []
        self._held: list[str] = []
        self._runs: list[int] = []  #: places in `_pieces` at which a repetition would go on
        self.dropped = 0
        self._wholes, self._whole_at = 0, 0  #: times that all of them came again, and how many they were

    @property
    def is_holding(self) -> bool:
        return bool(self._held)

    @property
    def held(self) -> str:
        return "".join(self._held)

    @property
    def carried(self) -> str:
        """The first piece of what `carry` would give."""
        return self._held[0] if self._held and len(self._held) in self._runs else ""

    def carry(self) -> list[str]:
        """What is held and began like all from the first: of the next turn, when that goes on otherwise."""
        if not self.carried:
            return []
        held, self._held, self._runs = self._held, [], []
        return held

    def goes_on(self, piece: str) -> bool:
        """It is the next one of a repetition that has begun."""
        return any(self._pieces[place] == piece for place in self._runs)

    def has(self, piece: str) -> bool:
        """It may begin one, or go on with it."""
        return self.goes_on(piece) or self.follows(piece) or self.begins(piece)

    def begins(self, piece: str) -> bool:
        """It is the first of all."""
        return piece in self._pieces[:1]

    def follows(self, piece: str) -> bool:
        """It is the one before, once more."""
        return piece in self._pieces[-1:]

    def take(self, piece: str) -> list[str]:
        """The pieces that are news now."""
        news: list[str] = []
        if self._keeps_all:
            self._pieces.append(piece)
            return [piece]
        runs = [place for place in self._runs if self._pieces[place] == piece]
        if not runs:
            news = self._refuted()
            first = max(0, len(self._pieces) - WINDOW)
            runs = [place for place in range(first, len(self._pieces)) if self._pieces[place] == piece]
        if not runs:
            self._pieces.append(piece)
            return [*news, piece]
        self._held.append(piece)
        ends = len(self._pieces) - 1
        if ends in runs and not (len(self._held) == 1 and _is_said_twice(piece)):
            self.dropped += len(self._held)
            self._note_whole()
            self._held.clear()
        elif runs == [ends]:
            return news + self._refuted()
        self._runs = [place + 1 for place in runs if place < ends]
        return news

    @property
    def wholes(self) -> int:
        """Times that all of the pieces have come again."""
        return self._wholes if self._whole_at == len(self._pieces) else 0

    def _note_whole(self) -> None:
        if len(self._held) == len(self._pieces):
            self._wholes = self.wholes + 1
            self._whole_at = len(self._pieces)

    def release(self) -> list[str]:
        """Nothing more comes for now: no repetition was held, but for one of all from the first."""
        return [] if len(self._held) in self._runs else self._refuted()

    def _refuted(self) -> list[str]:
        """What was held was no repetition."""
        held, self._held, self._runs = self._held, [], []
        self._pieces += held
        return held


def _is_said_twice(piece: str) -> bool:
    """Digits, and single characters that are words, are said twice in a row often enough."""
    return len(piece.split()) == 1 and (letters(piece) <= 1 or any(map(str.isdigit, piece)))


class Spacing:
    """How the pieces of one stream part words, learned from them."""

    def __init__(self) -> None:
        self._brings_spaces: bool | None = None  #: not known yet
        self._run = 0  #: letters in a row without any space
        self._lacks = 0  #: times that a space was missing between pieces
        self._has_inner = False  #: pieces have spaces in them

    def copy(self) -> Spacing:
        """One that learns by itself from here on."""
        return copy(self)

    def learn(self, last: str, piece: str) -> None:
        """A piece came behind the character `last`, or as the first of its turn."""
        parts = piece.split()
        self._run = letters(piece) + self._run if len(parts) == 1 else 0
        self._has_inner |= len(parts) > 1
        if not last or self._brings_spaces is not None:
            return
        first = piece[:1]
        if last.isspace() or first.isspace():
            self._brings_spaces = True
        elif self._is_ambiguous(last, first):
            if self._run >= LONG_WORD and len(parts) == 1:
                self._brings_spaces = False
        elif first not in _CLOSING and (
            (last in _PAUSES and first.isalpha()) or (last.islower() and first.isupper())
        ):
            self._lacks += 1  # cut anywhere, pieces look like this once: behind an answer that was cut short
            if self._lacks > self._has_inner:
                self._brings_spaces = False

    def forget(self) -> None:
        """Missing spaces were found between pieces that are of two turns: they tell nothing."""
        if not self._brings_spaces:
            self._brings_spaces, self._run, self._lacks, self._has_inner = None, 0, 0, False

    def between(self, last: str, first: str) -> str | None:
        """A space, or nothing; None when that is not known yet."""
        if not last or last.isspace() or first.isspace() or first in _CLOSING or last in _OPENING:
            return ""
        if is_unspaced(last) and is_unspaced(first):
            return ""
        if last in _ENDS and first.isupper():
            return " "
        if self._brings_spaces is None and self._is_ambiguous(last, first):
            return None
        return " " if self._brings_spaces is False else ""

    @staticmethod
    def _is_ambiguous(last: str, first: str) -> bool:
        """Within a word, or between two."""
        is_wordlike = last.isalnum() and first.isalnum() and not (is_unspaced(last) and is_unspaced(first))
        return is_wordlike and not (last.islower() and first.isupper())


class Joiner:
    """Puts the pieces of one turn together. Those are held of which it is not known yet how they join."""

    def __init__(self, spacing: Spacing) -> None:
        self.spacing = spacing  #: of the stream
        self._last = ""  #: character of the text
        self._held: list[str] = []

    @property
    def is_holding(self) -> bool:
        return bool(self._held)

    @property
    def held(self) -> str:
        return "".join(self._held)

    def take(self, pieces: list[str]) -> str:
        """The text that can be added now."""
        for piece in pieces:
            self.spacing.learn(self._held[-1][-1:] if self._held else self._last, piece)
            self._held.append(piece)
        return self._join(is_forced=False)

    def grow(self, rest: str) -> str:
        """Likewise, with the rest of a snapshot, which brings its own spaces."""
        text = self.release() + rest
        self._last = text[-1:] or self._last
        return text

    def release(self) -> str:
        """What was held, as it came."""
        return self._join(is_forced=True)

    def _join(self, *, is_forced: bool) -> str:
        texts: list[str] = []
        while self._held:
            gap = self.spacing.between(self._last, self._held[0][:1])
            if gap is None and not is_forced:
                break
            piece = self._held.pop(0)
            texts += [gap, piece] if gap else [piece]
            self._last = piece[-1:]
        return texts[0] if len(texts) == 1 else "".join(texts)
