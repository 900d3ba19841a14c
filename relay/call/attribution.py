"""Which turn the words of a transcript belong to, when nothing but their own order can be relied on.

Pure: time is an argument. Google promises no order between a transcript and the audio or the end of its turn
(docs/sources.md#gemini-habits); others saw the words of a turn before its sound, seconds after its end and
after the next one had begun. What holds is that each party's words come in the order in which they were
said. So there is a stream of each party, with a cursor at the turn that got its latest words, and the turns
that sounded since; a piece goes to the turn at the cursor, or moves the cursor on. Where more than one turn
can be meant, what speaks against each is added up:

    a turn that sounded longer than its words take is not over         a sentence that has not ended, likewise
    a turn has no more words than its sound has room for               a transcript marked as finished is over
    a turn begins like a sentence, and not in the middle of one        words are about as late as those before

What no observer could tell, and the rule then (docs/decisions/0023-words-find-their-turn.md): words of a turn
that come after the next one has sounded, when all of it may be said already, are the next one's; of a turn
whose words never come, nothing tells that they will not. Where a turn was written before, its words amend it.
"""

from __future__ import annotations

from collections import deque

from relay.call.part import Part, Piece
from relay.call.pieces import Spacing, is_closing, is_ended, letters
from relay.call.repeated import is_said_twice
from relay.call.settlement import Settlement
from relay.call.wording import Wording
from relay.turn import Turn
from relay.words import Words

LETTERS_PER_S = 12.5  #: of speech, in an alphabet; learned from the call
BELIEVED_S = 4.0  #: of speech that this is worth
TYPICAL = 0.3  #: share of the latest lateness in what is usual
UNKNOWN_S, SPREAD_S = 3.0, 0.7  #: by which lateness differs from the usual: at first, and at least,
SPREAD = 0.25  #: and at least this share of it
SENTENCE = 15  #: letters of a piece that nobody says again by chance
PARTS = 8  #: turns in which words may still be missing; older ones get none
SETTLED = 4  #: turns behind the cursor whose words may still move
SETTLED_CHARS = 10_000  #: of pieces, in which it is looked for
FULL = 0.85  #: of the letters that a turn's sound has room for, and none need be missing
CUT_SHARE = 0.55  #: of that: words of an interrupted turn may never come
OVERFULL = 1.15  #: and more than that is too much
OWED_S = 10.0  #: after a turn was heard, its words may still come


class Cost:
    """What speaks against a turn: natural logarithms of odds, by the ear of who listened to many."""

    UNSAID = 7.0  #: a turn ends with all of its sound unexplained; with less of it, less
    UNENDED = 3.0  #: a turn ends within a sentence and was not cut short
    SILENT = 2.5  #: a turn has no words at all
    CROWDED = 12.0  #: a turn has twice the words that its sound has room for
    FINISHED = 9.0  #: its transcript was said to be over
    CLOSING = 6.0  #: a turn begins with a full stop or the like
    WITHIN = 2.0  #: a turn begins with a small letter, or behind a space, and those before did not
    LATEST = 6.0  #: words are much more, or less, late than usual
    UNHEARD = 3.0  #: the user was not heard to begin
    OWED = 6.0  #: likewise, and a turn that was heard has no words yet
    UNASKED = 6.0  #: the agent begins by itself, with words before their sound
    AGAIN = 3.0  #: for a turn, when a piece of it would come again as others did
    DONE = 1.0  #: a turn that is over may have all of its words
    BEGUN = 1.5  #: a piece begins like a turn, where one might be over
    JOINED = 6.0  #: likewise, right behind a word, in a transcript that brings its spaces


class WordStream:
    """One party's words, in the order in which they were said."""

    def __init__(self, *, runs_ahead: bool) -> None:
        self._runs_ahead = runs_ahead  #: words may come before their sound
        self.splits_replies = False  #: one turn may be of several parts
        self._past: deque[Part] = deque(maxlen=SETTLED)  #: before the cursor
        self._parts: deque[Part] = deque()  #: from the cursor on
        self._left: list[tuple[Turn, str]] = []  #: words that were held when the cursor moved on
        self._spacing = Spacing()
        self._habits = Habits()

    @property
    def last(self) -> Part | None:
        """The part that began last."""
        return self._parts[-1] if self._parts else None

    def has(self, turn: Turn) -> bool:
        """Words may still come for `turn`."""
        return any(part.turn is turn for part in self._parts)

    def is_owed(self, now: float) -> bool:
        """A turn was heard of late that has no words."""
        heard = [part for part in (*self._past, *self._parts) if part.sound_s and not part.pieces]
        return any(now < part.ended_at + OWED_S for part in heard)

    def part_of(self, turn: Turn, words: Words) -> Part:
        """The party's part of `turn`, begun if need be."""
        for part in self._parts:
            if part.turn is turn:
                return part
        self._parts.append(Part(turn, Wording(words, self._spacing), is_fixed=bool(words)))
        if len(self._parts) > PARTS:
            self._leave()
        return self._parts[-1]

    def place(self, piece: str, now: float, *, ahead: float | None) -> Part | None:
        """The part that `piece` belongs to, to which the cursor moves; None for one that has not begun.

        `ahead`: what speaks against that beforehand; None: it cannot be.
        """
        if not self._parts:
            return None
        if len(self._parts) == 1 and ahead and self._parts[0].wording.repetitions.has(piece):
            return self._parts[0]  # nothing else has been heard that it could be of
        costs, left = [], 0.0
        first = self._parts[0].wording.repetitions.carried or piece
        for part in self._parts:
            begins = self._habits.cost_of_beginning(first) if part is not self._parts[0] else 0.0
            costs.append(left + begins + self._cost_of_filling(part, piece, now))
            left += self._habits.cost_of_leaving(part)
        if ahead is not None:
            costs.append(
                left + ahead + self._habits.cost_of_beginning(first) + self._habits.cost_of_lateness(0.0)
            )
        at = costs.index(min(costs))
        if at == len(self._parts):
            return None
        self._habits.learn_lateness(self._habits.lateness_s(self._parts[at], now), now)
        return self._moved(self._parts[at], piece)

    def move_to(self, part: Part) -> Part:
        """The words that come belong to `part`, or to one behind it; those that are held too, if they may."""
        carried: list[str] = []
        while self._parts[0] is not part:
            held = self._parts[0].wording.repetitions.carry()
            carried += held
            before, behind = self._parts[0].pieces, self._parts[1].pieces
            behind[:0] = before[len(before) - len(held) :]
            del before[len(before) - len(held) :]
            self._leave()
        for piece in carried:
            self._left.append((part.turn, part.wording.take(piece)))
        return part

    def take(self, part: Part, piece: str, now: float) -> str:
        """The text that `piece` adds to `part`, to which the cursor has moved."""
        part.pieces.append(Piece(piece, now))
        return part.wording.take(piece)

    def _moved(self, part: Part, piece: str) -> Part:
        self.move_to(part)
        self._habits.learn_piece(piece, is_first=not part.wording.letters)
        return part

    def finished(self) -> None:
        """The transcript at the cursor is over, so the model says."""
        if self._parts and self._parts[0].wording.letters:
            self._parts[0].finished()

    def release(self) -> None:
        """Have `take_left` give the words that are held."""
        if self._parts:
            self._left.append((self._parts[0].turn, self._parts[0].wording.release()))

    def take_left(self) -> list[tuple[Turn, str]]:
        """Words that were held, and are none of a repetition."""
        left, self._left = self._left, []
        return left

    @property
    def may_settle(self) -> bool:
        """Words could be of another turn than they are, or said twice."""
        return len(self._past) + len(self._parts) > 1 or self._parts[0].wording.repetitions.dropped > 0

    def settle(self, now: float) -> list[tuple[Turn, Words]]:
        """Turns whose words are others now: what is known by `now` says where they belong."""
        parts, pace = self._settled_parts(), self._habits.room(1.0)
        if not any(part.sound_s for part in parts) or not any(part.pieces for part in parts):
            return []
        settled = [part.pieces for part in parts]
        if len(parts) > 1:
            ways = Settlement(
                parts,
                self._spacing,
                pace,
                now,
                runs_ahead=self._runs_ahead,
                splits_replies=self.splits_replies,
            )
            settled = [list(pieces) for pieces in ways.settle() or settled]
        is_moved = any(part.pieces != pieces for part, pieces in zip(parts, settled, strict=True))
        if is_moved:
            self._learn_spacing(settled)
        told = []
        for n, (part, pieces) in enumerate(zip(parts, settled, strict=True)):
            was, before, was_twice, part.pieces = part.wording, part.pieces, part.is_said_twice, pieces
            is_next_missing = any(each.sound_s and not each.pieces for each in parts[n + 1 : n + 2])
            part.is_said_twice = not is_next_missing and is_said_twice(part, pace, self._spacing)
            if not is_moved and was_twice is part.is_said_twice:
                continue
            words = part.retake(self._spacing, pieces)
            if before != pieces:
                part.is_finished = bool(pieces) and pieces[-1].ends
            if before != pieces or str(words) != str(was):
                told.append((part.turn, words))
            else:
                part.wording = was
        self._move_cursor()
        return told

    def _learn_spacing(self, turns: list[list[Piece]]) -> None:
        """Anew, of the pieces where they are now."""
        self._spacing.forget()
        for pieces in turns:
            wording = Wording(Words(), self._spacing)
            for piece in pieces:
                wording.take(piece.text)

    def _settled_parts(self) -> list[Part]:
        """The latest ones, behind one that keeps its words; none when that would be too much work."""
        parts = [*self._past, *self._parts]
        fixed = [n for n, part in enumerate(parts) if part.is_fixed]
        parts = parts[max(fixed, default=-1) + 1 :]
        size = sum(len(piece.text) for part in parts for piece in part.pieces)
        return parts if size <= SETTLED_CHARS else []

    def _move_cursor(self) -> None:
        """To the latest part that has words."""
        parts = [*self._past, *self._parts]
        at = max(n for n, part in enumerate(parts) if part.pieces or n == 0)
        self._past.clear()
        self._past.extend(parts[:at])
        self._parts = deque(parts[at:])

    def leg_lost(self, *, keeps_last: bool) -> None:
        """What is missing of the words will not come: `keeps_last`, but for those of the latest turn.

        An answer that is given again begins with the words of the one that broke off: they are none of that.
        """
        for part in self._parts:
            part.is_finished = not (keeps_last and part is self.last)
        while self._parts and not keeps_last:
            self._leave()
        if not keeps_last:
            self._past.clear()

    def _leave(self) -> None:
        part = self._parts.popleft()
        self._left.append((part.turn, part.wording.release()))
        self._habits.learn(part)
        self._past.append(part)

    def _cost_of_filling(self, part: Part, piece: str, now: float) -> float:
        """What speaks against words of a part, but for those before it and how it begins."""
        if self._habits.is_repetition(part, piece):
            return -Cost.AGAIN
        cost = Cost.FINISHED * part.is_finished
        cost += self._habits.cost_of_lateness(self._habits.lateness_s(part, now))
        sound_s = part.heard_s(now)
        if sound_s is None:
            return cost
        room = self._habits.room(sound_s)
        if not room:
            return cost + Cost.SILENT * bool(part.is_over and part.wording.said)
        cost += self._habits.cost_of_going_on(part, piece, room)
        return cost + Cost.CROWDED * max(0.0, (part.wording.said + letters(piece)) / room - OVERFULL)


class Habits:
    """How one party speaks and is transcribed, learned from its turns."""

    def __init__(self) -> None:
        self._letters, self._seconds = LETTERS_PER_S * BELIEVED_S, BELIEVED_S
        self._lateness_s, self._spread_s = 0.0, UNKNOWN_S
        self._learned, self._learned_at = 0, 0.0
        self._goes_on_spaced = False
        self._grows = False  #: its pieces are snapshots
        self._repeats_pieces = False
        self._repeats_wholes = 0  #: times that all pieces of the part before came again
        self._ends_sentences = 0.5  #: how sure it is that the transcript has their signs
        self._begins_large = False  #: with a capital letter
        self._begins_spaced = False

    def room(self, seconds: float) -> float:
        """Letters that so much sound has room for."""
        return seconds * self._letters / self._seconds

    def cost_of_leaving(self, part: Part) -> float:
        """What speaks against a part that gets no more words."""
        if part.is_finished:
            return 0.0
        room = self.room(part.sound_s)
        if not part.wording.letters:
            return Cost.SILENT if room else 0.0
        unsaid = max(0.0, FULL - part.wording.sounded / room) if room else 0.0
        is_within = not part.is_cut and not is_ended(part.wording.tail)
        unsaid *= CUT_SHARE if part.is_cut else 1.0
        return Cost.UNSAID * unsaid + Cost.UNENDED * self._ends_sentences * is_within

    def cost_of_going_on(self, part: Part, piece: str, room: float) -> float:
        """What speaks against more words of a part that may have all of them."""
        if (self._grows or part.wording.grew) and part.wording.letters:
            return Cost.CLOSING  # what does not grow begins anew
        if not part.wording.said or not part.is_over:
            return 0.0
        if not (part.is_cut or is_ended(part.wording.tail)):
            is_bare = piece[:1].isupper() and not part.wording.tail[-1:].isspace()
            return Cost.JOINED * (is_bare and self._goes_on_spaced)
        is_full = part.wording.sounded >= FULL * room
        if not piece[:1].isupper():
            return Cost.DONE * is_full
        return Cost.DONE * is_full + Cost.BEGUN * (1.0 if self._goes_on_spaced else 0.5 if is_full else 0.25)

    def is_repetition(self, part: Part, piece: str) -> bool:
        """A piece of `part` that comes again, as pieces of the parts before did."""
        old = part.wording.repetitions
        if (
            self._grows or part.wording.grew or not is_ended(part.wording.tail)
        ) and part.wording.rest_of_snapshot(piece) is not None:
            return True
        if part.wording.grew:
            return piece == part.wording.latest
        if letters(piece) >= SENTENCE and old.has(piece):
            return True
        if old.goes_on(piece) or (old.follows(piece) and (self._repeats_pieces or not old.begins(piece))):
            return True
        return self._repeats_wholes > old.wholes and old.begins(piece)

    def cost_of_beginning(self, piece: str) -> float:
        """What speaks against a part that begins with `piece`."""
        is_spaced = piece[:1].isspace() and not self._begins_spaced
        is_small = self._begins_large and piece.lstrip()[:1].islower()
        return Cost.WITHIN * (is_spaced + is_small) + Cost.CLOSING * is_closing(piece)

    def lateness_s(self, part: Part, now: float) -> float:
        """Of the next words of `part`: behind the sound that they are of."""
        return part.lateness_s(part.wording.said * self._seconds / self._letters, now)

    def cost_of_lateness(self, late_s: float) -> float:
        spread_s = max(self._spread_s, SPREAD_S + abs(self._lateness_s) * SPREAD)
        return min(Cost.LATEST, abs(late_s - self._lateness_s) / spread_s)

    def learn_piece(self, piece: str, *, is_first: bool) -> None:
        if not is_first:
            self._goes_on_spaced |= piece[:1].isspace()
            return
        self._begins_spaced |= piece[:1].isspace()
        self._begins_large |= piece.lstrip()[:1].isupper()

    def learn_lateness(self, late_s: float, now: float) -> None:
        if now == self._learned_at:
            return  # words that come together tell it once
        self._learned_at = now
        self._learned += 1
        share = max(TYPICAL, 1 / (1 + self._learned))
        off_s = late_s - self._lateness_s
        self._lateness_s += share * off_s
        self._spread_s += share * (abs(off_s) - self._spread_s)

    def learn(self, part: Part) -> None:
        """All words of `part` have come."""
        if part.wording.letters and not part.is_cut:
            self._ends_sentences = 1.0 if is_ended(part.wording.tail) else 0.0
        self._grows |= part.wording.grew
        self._repeats_pieces |= part.wording.repetitions.dropped > 0
        if part.wording.letters:
            self._repeats_wholes = part.wording.repetitions.wholes
        if part.wording.letters and part.is_over and part.sound_s:
            self._letters += part.wording.letters
            self._seconds += part.sound_s
