"""One party's transcript: each piece finds its turn, is joined to the words there, and told."""

from __future__ import annotations

from protocol.audio import downlink_ms
from protocol.media import Role
from relay.call.attribution import WordStream
from relay.call.hearing import is_sound
from relay.call.part import Part
from relay.call.told import Told
from relay.turn import Turn

SETTLE_S = 2.0  #: after the latest piece it is looked where those before it belong
HOLD_S = 2.0  #: of words that may be a repetition, or of which it is not known how they join


class Transcript:
    """Pure. `told` hears of all that becomes of the words of a turn."""

    def __init__(self, role: Role, told: Told) -> None:
        self._role, self._told = role, told
        self._stream = WordStream(runs_ahead=role == "agent")
        self._held_at: float | None = None  #: words are held since then
        self._settles_at: float | None = None  #: it is looked then where the latest words belong

    def expect(self, *, splits_replies: bool) -> None:
        """One turn may be of several parts."""
        self._stream.splits_replies = splits_replies

    @property
    def last(self) -> Part | None:
        """The party's part of the turn in which it spoke last."""
        return self._stream.last

    def has(self, turn: Turn) -> bool:
        """Words may still come for `turn`."""
        return self._stream.has(turn)

    def is_owed(self, now: float) -> bool:
        """A turn was heard of late that has no words."""
        return self._stream.is_owed(now)

    def part_of(self, turn: Turn) -> Part:
        """The party's part of `turn`, begun if need be."""
        return self._stream.part_of(turn, turn.user_words if self._role == "user" else turn.agent_words)

    def note_sound(self, turn: Turn, pcm: bytes, now: float, *, is_over: bool) -> None:
        """Of the agent's voice in `turn`, which is heard no more when that `is_over`."""
        if self.has(turn) and is_sound(pcm):
            part = self.part_of(turn)
            part.sound(downlink_ms(len(pcm)) / 1000, now)
            part.is_over = is_over

    def end_last(self, now: float, *, is_cut: bool) -> None:
        """The party's latest part sounds no more."""
        part = self.last
        if part is not None and not part.is_over:
            part.end(now)
            part.is_cut = is_cut

    def find(self, piece: str, now: float, *, ahead: float | None) -> Part | None:
        """The part that `piece` belongs to; None: one that has not begun. `ahead`: see `WordStream.place`."""
        part = self._stream.place(piece, now, ahead=ahead)
        self._tell_left()
        return part

    def add(self, part: Part, piece: str, now: float) -> None:
        """`piece` belongs to `part`, and all that comes after it to that or a later one."""
        self._stream.move_to(part)
        self._tell_left()
        if text := self._stream.take(part, piece, now):
            self._told.more(self._role, part.turn, text)
        self._held_at = now if part.wording.is_holding else None
        self._settles_at = now + SETTLE_S if self._stream.may_settle else None

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
        if not keeps_last:
            self.settle(float("inf"))  # words of the next leg are of its own turns
        self._stream.leg_lost(keeps_last=keeps_last)

    def settle(self, now: float) -> None:
        """Words that turn out to be of another turn move there."""
        self._settles_at = None
        for turn, words in self._stream.settle(now):
            self._told.anew(self._role, turn, words)

    def next_timeout(self) -> float | None:
        """Time at which `handle_timeout` is to be called; None for never."""
        held_until = None if self._held_at is None else self._held_at + HOLD_S
        return min((at for at in (held_until, self._settles_at) if at is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        if self._held_at is not None and now >= self._held_at + HOLD_S:
            self.release()
        if self._settles_at is not None and now >= self._settles_at:
            self.settle(now)

    def close(self) -> None:
        """No more words come."""
        self.release()
        self.settle(float("inf"))

    def _tell_left(self) -> None:
        for turn, text in self._stream.take_left():
            if text:
                self._told.more(self._role, turn, text)
