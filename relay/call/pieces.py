"""Pieces of one party's transcript: which of them are news, and where a space belongs between them.

Pure. A model sends a transcript in pieces that bring their spaces, in pieces that lack them, as snapshots
that grow ("He", "Hello", "Hello there"), and some of it twice. A stream keeps to its own way, mostly.
"""

from __future__ import annotations

import unicodedata

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
    old = [char.casefold() for char in text if char.isalnum()]
    if len(old) < 2:
        return None
    at = 0
    for index, char in enumerate(piece):
        if not char.isalnum():
            continue
        if at == len(old):
            return _unsaid(text, piece[_behind(piece, index) :])
        if char.casefold() != old[at]:
            return None
        at += 1
    if at < len(old):
        return None
    return _unsaid(text, piece[len(piece.rstrip("".join(_CLOSING) + " ")) :]).rstrip()


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

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._held: list[str] = []
        self._runs: list[int] = []  #: places in `_pieces` at which a repetition would go on
        self.dropped = 0
        self.wholes = 0  #: times that all of them have come again

    @property
    def is_holding(self) -> bool:
        return bool(self._held)

    @property
    def held(self) -> str:
        return "".join(self._held)

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
            self.wholes += len(self._held) == len(self._pieces)
            self._held.clear()
        elif runs == [ends]:
            return news + self._refuted()
        self._runs = [place + 1 for place in runs if place < ends]
        return news

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

    def learn(self, last: str, piece: str) -> None:
        """A piece came behind the character `last`, or as the first of its turn."""
        parts = piece.split()
        self._run = letters(piece) + self._run if len(parts) == 1 else 0
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
            self._brings_spaces = False

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
        self._spacing = spacing
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
            self._spacing.learn(self._held[-1][-1:] if self._held else self._last, piece)
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
            gap = self._spacing.between(self._last, self._held[0][:1])
            if gap is None and not is_forced:
                break
            piece = self._held.pop(0)
            texts += [gap, piece] if gap else [piece]
            self._last = piece[-1:]
        return texts[0] if len(texts) == 1 else "".join(texts)
