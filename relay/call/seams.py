"""Between two pieces of a stream of words: what speaks against a turn that ends there, and against none.

Pure. Costs are natural logarithms of odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import log

from relay.call.part import Piece
from relay.call.pieces import growth, is_closing, is_ended, letters

WITHIN = 4.0  #: a turn begins with a small letter, where sentences begin with capitals
SPACED = 3.0  #: it begins with a space, and the first one did not
CLOSING = 8.0  #: it begins with a full stop or the like
AGAIN, AGAIN_SHORT = 6.0, 3.0  #: it begins with the piece that came before, or a longer one that begins so
JOINED = 6.0  #: two words without a space between them, in a stream that has spaces
UNENDED = 4.0  #: a turn ends within a sentence and was not cut short
PAUSE_S = 1.0  #: between two pieces, and a turn may begin with what the one before began with
APART_S = 6.0  #: what comes again so much later was rather said again than sent again
SHORT = 5  #: letters that are said twice by chance


class Seams:
    """Seam `n` is before piece `n`, the last one behind the last piece."""

    def __init__(self, came: Sequence[Piece], *, splits_replies: bool = False) -> None:
        """`splits_replies`: a turn may be of several parts, and the next one begins as a turn does."""
        pieces = [piece.text for piece in came]
        pairs = list(pairwise(pieces))
        self._is_apart = [after.at > before.at + APART_S for before, after in pairwise(came)]
        self._has_pause = [True, *(after.at > before.at + PAUSE_S for before, after in pairwise(came))]
        self.is_end = [False, *map(is_ended, pieces)]  #: a sentence ends there
        self.has_ends = any(self.is_end)
        self._is_large = [piece.lstrip()[:1].isupper() for piece in pieces]
        self.begin = [0.0, *self._costs_of_beginning(pieces, pairs)]  #: a turn begins there
        self._go_on = [0.0, *self._costs_of_going_on(pieces, pairs, splits_replies)]
        self._gone_on = [0.0, *accumulate(self._go_on)]

    def within(self, start: int, end: int) -> float:
        """What speaks against all seams between pieces `start` and `end` being within one turn."""
        return self._gone_on[end] - self._gone_on[start + 1]

    def likeliest(self, count: int, cuts: Sequence[int]) -> list[int]:
        """Seams at which a turn may begin; of equal ones those near `cuts`."""
        against = sorted(
            (
                self.begin[n] - self._go_on[n] + UNENDED * (not self.is_end[n]),
                min(abs(n - at) for at in cuts),
                n,
            )
            for n in range(1, len(self.begin))
            if self.begin[n] < (CLOSING if self._has_pause[n] else WITHIN)
        )
        return [n for *_, n in against[:count]]

    def _costs_of_beginning(self, pieces: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[float]:
        is_new = [True, *(before != piece for before, piece in pairs)]
        signs = zip(self._is_large, self.is_end, is_new, strict=False)
        behind_end = [large for large, end, new in signs if end and new]
        begins_large = self._is_large[0] and 2 * sum(behind_end) > len(behind_end)
        begins_spaced = pieces[0][:1].isspace()
        again = sum(a == b and not apart for (a, b), apart in zip(pairs, self._is_apart, strict=True))
        repeats = 10 * again > len(pieces)
        grows = sum(_grows(a, b) for a, b in pairs) > 1
        costs = []
        for (before, piece), is_apart in zip(pairs, self._is_apart, strict=True):
            cost = CLOSING * is_closing(piece) + SPACED * (piece[:1].isspace() and not begins_spaced)
            cost += WITHIN * (begins_large and piece.lstrip()[:1].islower())
            if piece == before or _grows(before, piece):
                is_likely = (
                    repeats if letters(before) <= SHORT else grows or piece == before or not is_ended(before)
                )
                sent_again = AGAIN if is_likely else AGAIN_SHORT
                cost += sent_again / 2 if is_apart else sent_again
            costs.append(cost)
        return costs

    def _costs_of_going_on(
        self, pieces: Sequence[str], pairs: Sequence[tuple[str, str]], splits_replies: bool
    ) -> list[float]:
        within = [large for large, end in zip(self._is_large, self.is_end, strict=False) if not end][1:]
        large_within = log((len(within) + 2) / (sum(within) + 1))  # names are rare, or they are not
        has_spaces = 3 * sum(" " in piece for piece in pieces) > len(pieces)
        costs, seen = [], set()
        for n, (before, piece) in enumerate(pairs, 1):
            is_again = pairs[n : n + 1] and pairs[n] in seen  # with the next one: all of a turn comes again
            seen.add((before, piece))
            cost = large_within if self._is_large[n] and not self.is_end[n] and not is_again else 0.0
            is_bare = has_spaces and self._is_large[n] and piece[:1].isalpha() and not before[-1:].isspace()
            is_bare = is_bare and not (splits_replies and self.is_end[n])
            if is_bare and piece != before and not _grows(before, piece):
                cost += JOINED
            costs.append(cost)
        return costs


def _grows(before: str, piece: str) -> bool:
    """`piece` is the next snapshot after `before`."""
    return len(piece) > len(before) and bool(growth(before, piece))
