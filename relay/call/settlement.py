"""Where a stream of words is cut into turns, looked at once more when more of it is known.

Pure. A piece is placed when it comes, by what is known then. Later there is more: how long each turn sounded,
what came behind it, and how late this stream is. So all ways to cut the latest turns' words are compared as a
whole (dynamic programming over turns and seams, docs/decisions/0023-words-find-their-turn.md), and the
likeliest is taken when it is clearly better than the one there is. Costs are natural logarithms of odds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from math import log, sqrt

from relay.call.part import Part, Piece
from relay.call.pieces import Spacing
from relay.call.seams import UNENDED, Seams
from relay.call.wording import Wording
from relay.words import Words

SPACE = 1.07  #: a word takes a little longer than its letters
MOST, MORE = 1.7, 20  #: times the letters that a turn's sound has room for, and more letters, are too many
SLACK_S = 0.25  #: by which the length of a turn is uncertain, besides
OFF = 0.2  #: by which the logarithm of its length differs from that of its words, before that is learned
SEAMS = 30  #: that are worth a look,
WORK = 6_000  #: or so many, divided by the pieces: of a long talk only the likeliest
STEPS = 3  #: in which words and manner are fitted to each other
USUAL = ((0.2, 0.5), (3.0, 2.0))  #: words are so late, and by so much more or less, where nothing is learned
SPREAD_S = 0.4  #: at least
MISSING = 1.2  #: times the letters that came in a second of sound are usual: there are turns without words
BELIEVED_S = 4.0  #: of sound, for which the pace so far is worth

MARGIN = 1.5  #: by which another way to cut must be better
FINE = 2.0  #: where no turn is without words, and none costs more, nothing is looked at again
SILENT = 6.0  #: a turn has no words at all
EXPECTED = 1.0  #: it has none yet
UNHEARD = 9.0  #: words are of a turn of which nothing was heard
EARLY, EARLY_S = 9.0, 1.0  #: words came before their turn had begun, by more than our clocks may differ
FINISHED = 8.0  #: words come behind the mark that these were all
UNFINISHED = 2.0  #: there is no such mark, where others have one
FAR, LATEST = 12.0, 12.0  #: at most, for length and lateness
CUT_SHARE = 0.6  #: words of an interrupted turn may never come
IMPOSSIBLE = 1e3

Cuts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a stream comes."""

    pace: float  #: letters in a second of sound
    off: float = OFF
    late_s: float = 0.0
    spread_s: float = SPREAD_S
    marks_ends: bool = False


class Settlement:
    """Of `parts`, which have pieces so far. `now`: those of the latest may still come."""

    def __init__(
        self,
        parts: Sequence[Part],
        spacing: Spacing,
        pace: float,
        now: float,
        *,
        runs_ahead: bool,
        splits_replies: bool = False,
    ) -> None:
        self._parts, self._now, self._runs_ahead = parts, now, runs_ahead
        self._pieces = [piece for part in parts for piece in part.pieces]
        self._seams = Seams(self._pieces, splits_replies=splits_replies)
        self._sizes: dict[int, tuple[list[float], Iterator[float]]] = {}
        self._found: dict[Cuts, tuple[float, Cuts, Manner]] = {}
        self._spacing, self._pace = spacing, pace
        self._longest_s = max(part.sound_s for part in parts)

    def settle(self) -> list[Sequence[Piece]] | None:
        """The pieces of each part; None when they are well where they are."""
        so_far = [0]
        for part in self._parts:
            so_far.append(so_far[-1] + len(part.pieces))
        cuts = self._better_than(tuple(so_far))
        if cuts is None:
            return None
        return [self._pieces[a:b] for a, b in pairwise(cuts)]

    def _better_than(self, cuts: Cuts) -> Cuts | None:
        manner = self._learn(cuts, self._pace)
        is_missing = any(part.is_over and part.sound_s and not part.pieces for part in self._parts)
        if not is_missing and max(self._costs(cuts, manner)) < FINE:
            return None
        count = max(2 * len(self._parts), min(SEAMS, WORK // len(self._pieces)))
        places = sorted({*cuts, *self._seams.likeliest(count, cuts)})
        paces = [self._overall_pace(cuts)]
        if self._pace > MISSING * paces[0]:
            paces.append(self._pace)
        usual = [
            replace(manner, pace=pace, off=OFF / 2, late_s=late, spread_s=by)
            for pace in paces
            for late, by in USUAL
        ]
        for each in (manner, *usual):
            self._fit(each, places)
        if not self._found:
            return None
        cost, best, manner = min(self._found.values(), key=lambda way: way[0])
        return best if cost < sum(self._costs(cuts, manner)) - MARGIN else None

    def _fit(self, manner: Manner, places: Sequence[int]) -> None:
        """Note the best ways from `manner` on."""
        for _ in range(STEPS):
            best = self._best(manner, places)
            if best in self._found or not best:
                return  # from here on it is as before
            manner = self._learn(best, manner.pace)
            self._found[best] = sum(self._costs(best, manner)), best, manner

    # ---- manner

    def _learn(self, cuts: Cuts, pace: float) -> Manner:
        runs = [(part, a, b) for part, a, b in zip(self._parts, cuts, cuts[1:], strict=False) if b > a]
        whole = [(self._size(a, b), part.sound_s) for part, a, b in runs if part.is_over and part.sound_s]
        said = sum(min(size, 1.3 * pace * sound_s) for size, sound_s in whole)
        pace = (said + pace * BELIEVED_S) / (sum(sound_s for _, sound_s in whole) + BELIEVED_S)
        off = sum(min(_off(size, sound_s, pace) ** 2, 4 * OFF**2) for size, sound_s in whole)
        lates = sorted(self._late_s(part, a, n, pace) for part, a, b in runs for n in (a, b - 1))
        late_s = lates[len(lates) // 2] if lates else 0.0
        spread_s = sum(abs(late - late_s) for late in lates) / max(1, len(lates))
        marks = sum(any(piece.ends for piece in self._pieces[a:b]) for _, a, b in runs)
        return Manner(
            pace,
            sqrt((off + OFF**2) / (len(whole) + 1)),
            late_s,
            max(SPREAD_S, spread_s),
            marks_ends=2 * marks > len(runs),
        )

    def _overall_pace(self, cuts: Cuts) -> float:
        """If no words are missing."""
        said = sum(self._size(a, b) for a, b in pairwise(cuts))
        return said / max(1.0, sum(part.sound_s for part in self._parts))

    def _late_s(self, part: Part, start: int, n: int, pace: float) -> float:
        at = self._pieces[n].at
        if at < part.began_at:
            return at - part.began_at
        return part.lateness_s(self._size(start, n) / pace, at)

    # ---- sizes

    def _size(self, start: int, end: int) -> float:
        """Letters of `pieces[start:end]`, and what words take besides; of very many at least so many."""
        if start not in self._sizes:
            self._sizes[start] = [], self._measure(start)
        sizes, rest = self._sizes[start]
        sizes += islice(rest, max(0, end - start + 1 - len(sizes)))  # measured as far as is asked for
        return sizes[min(end - start, len(sizes) - 1)]

    def _measure(self, start: int) -> Iterator[float]:
        wording, size = Wording(Words(), self._spacing.copy()), 0.0
        too_much = 2 * MOST * self._pace * self._longest_s + MORE
        yield size
        for piece in self._pieces[start:]:
            wording.take(piece.text)
            size = wording.said * SPACE
            yield size
            if size > too_much:
                return

    # ---- ways to cut

    def _best(self, manner: Manner, places: Sequence[int]) -> Cuts:
        """The cheapest way; nothing when none is possible."""
        last = len(self._pieces)
        best: dict[int, tuple[float, Cuts]] = {0: (0.0, (0,))}
        for part in self._parts:
            reached: dict[int, tuple[float, Cuts]] = {}
            for start, (before, way) in best.items():
                for end in places:
                    if end < start:
                        continue
                    least = reached[end][0] if end in reached else IMPOSSIBLE
                    cost = before + self._cost(part, start, end, manner, least - before)
                    if cost >= IMPOSSIBLE:
                        break
                    if cost < least:
                        reached[end] = cost, (*way, end)
            best = reached
        return best[last][1] if last in best else ()

    def _costs(self, cuts: Cuts, manner: Manner) -> list[float]:
        ways = zip(self._parts, cuts, cuts[1:], strict=False)
        return [self._cost(part, start, end, manner) for part, start, end in ways]

    def _cost(self, part: Part, start: int, end: int, manner: Manner, most: float = IMPOSSIBLE) -> float:
        """What speaks against `pieces[start:end]` as the words of `part`; of more than `most`, some of it."""
        is_open = not part.is_over or (end == len(self._pieces) and self._are_expected(part, manner))
        if start == end:
            return EXPECTED * part.is_over if is_open else SILENT * min(1.0, part.sound_s)
        size = self._size(start, end)
        if part.is_over and size > MOST * manner.pace * part.sound_s + MORE:
            return IMPOSSIBLE
        cost = self._seam(start, end) + log(manner.spread_s)
        cost += EARLY * (self._pieces[start].at < part.turn.started_at - EARLY_S)
        cost += self._cost_of_length(part, size, manner, is_open)
        if not is_open:
            cost += self._cost_of_ending(part, end, manner)
        if manner.marks_ends:
            cost += FINISHED * sum(piece.ends for piece in self._pieces[start : end - 1])
        if cost > most:
            return cost
        off_s = abs(self._late_s(part, start, start, manner.pace) - manner.late_s)
        off_s += abs(self._late_s(part, start, end - 1, manner.pace) - manner.late_s)
        return cost + min(LATEST, off_s / manner.spread_s / 2)

    def _seam(self, start: int, end: int) -> float:
        return self._seams.begin[start] + self._seams.within(start, end)

    def _are_expected(self, part: Part, manner: Manner) -> bool:
        """More words of `part` may come."""
        return self._now < part.ended_at + max(0.0, manner.late_s) + 2 * manner.spread_s + 1.0

    def _cost_of_ending(self, part: Part, end: int, manner: Manner) -> float:
        is_within = self._seams.has_ends and not part.is_cut and not self._seams.is_end[end]
        return UNENDED * is_within + UNFINISHED * (manner.marks_ends and not self._pieces[end - 1].ends)

    def _cost_of_length(self, part: Part, size: float, manner: Manner, is_open: bool) -> float:
        if not part.sound_s and part.speaks_since is None:
            return 0.0 if self._runs_ahead and not part.is_over else UNHEARD
        off = _off(size, part.sound_s, manner.pace) / manner.off
        if not part.is_over or (off < 0 and is_open):
            return 0.0
        cost = off * off / 2 if -3 < off < 3 else 3 * abs(off) - 4.5
        return min(FAR, cost) * (CUT_SHARE if part.is_cut and off < 0 else 1.0) + log(2 * manner.off / OFF)


def _off(size: float, sound_s: float, pace: float) -> float:
    """How much longer the words are than the sound, as a logarithm."""
    return log((size + SLACK_S * pace) / (sound_s * pace + SLACK_S * pace))
