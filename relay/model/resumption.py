"""What the model behind the present handle remembers, and what it must be told again.

A handle that came while the user spoke, or waited for an answer, is no way back: whether a model goes on with
a question that it remembers is not known, and of half a sentence another relay has no other half. The one
before it is, and what was asked is said again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gemini.messages import UNANSWERED, UNHEARD, UNWRITTEN, Recall
from gemini.profiles import Profile
from protocol.media import PastTurn
from relay.turn import Turn

OVERLAP_S = 0.15  #: audio sent so shortly before a handle came may not be in it: the way there and back
KEPT_TURNS = 60  #: finished turns for a model that has forgotten everything
BEFORE = float("-inf")  #: the time of what was said before this call
RECALL_CHARS = 8_000  #: of them, the latest that fit: a prompt, not an archive


@dataclass(frozen=True, slots=True)
class Handle:
    """A resumption handle: the model's context as it was."""

    text: str
    at: float  #: loop time at which it came

    @property
    def covers(self) -> float:
        """Audio sent before this loop time is in it for certain."""
        return self.at - OVERLAP_S


class Resumption:
    """Follows handles and turns."""

    def __init__(self, handle: str | None, now: float, past: Sequence[PastTurn] = ()) -> None:
        """`handle` is one that another relay has left: it holds what was said before this call, `past`."""
        self.handle: Handle | None = Handle(handle, now) if handle else None  #: nothing was open when it came
        self._latest = self._before = self.handle  #: the newest of all, and the one before `handle`
        self._asked_from: float | None = None  #: what is not answered began to be said then
        self._asked_in: Turn | None = None  #: whose answer broke off, and which is asked again
        self._user_speaks = False
        self._written: Handle | None = self.handle  #: the last one that was written down
        self.answered_at = 0.0  #: loop time at which the last answer that was heard began
        self._turns: deque[tuple[float, Turn]] = deque(maxlen=KEPT_TURNS)  #: with the time each was noted
        self._turns.extend((BEFORE, _turn(each)) for each in past)

    def renew(self, handle: str, now: float) -> None:
        """The model has issued a newer handle."""
        self._latest = Handle(handle, now)
        if self._asked_from is None:
            self._before, self.handle = self.handle, self._latest

    def asks(self, began_at: float | None, *, user_speaks: bool) -> None:
        """The user has begun at `began_at` to say what is not answered; None: nothing is open."""
        self._asked_from, self._user_speaks = began_at, user_speaks
        if began_at is None:
            self._asked_in = None
        if began_at is not None and user_speaks and self.handle is not None and self.handle.covers > began_at:
            self.handle = self._before  # speech is heard a moment after it has begun

    def asks_again(self, turn: Turn) -> None:
        """The answer of `turn` broke off, and what it was to is said again as it was said."""
        self._asked_in = turn

    def forget(self) -> None:
        """The model does not take the handle, or what it remembers is of no use."""
        self.handle = self._latest = self._before = None

    @property
    def way_back(self) -> Handle | None:
        """What the next leg is to start from. A sentence that goes on is gone on with."""
        return self._latest if self._user_speaks else self.handle

    @property
    def is_empty(self) -> bool:
        """Nothing was said yet, here or on another relay."""
        return self.handle is None and not self._turns

    @property
    def is_current(self) -> bool:
        """The handle holds every finished turn."""
        if self.handle is None:
            return False
        return not self._turns or self._turns[-1][0] <= self.handle.at

    @property
    def has_news(self) -> bool:
        """The handle holds a turn that the one last written down does not."""
        if self.handle is None or not self.is_current or self.handle == self._written:
            return False
        return self._written is None or bool(self._turns and self._turns[-1][0] >= self._written.at)

    def news(self) -> str:
        """The handle to write down now; it counts as written."""
        assert self.handle is not None
        self._written = self.handle
        return self.handle.text

    def note(self, turn: Turn, now: float) -> None:
        """A turn has ended, or has lost the leg that spoke it. Noted twice, the first time counts."""
        if not self._turns or self._turns[-1][1] is not turn:
            self._turns.append((now, turn))

    def replay_from(self, handle: Handle | None) -> float:
        """Loop time from which what was sent must be sent again. What was answered is not said twice."""
        return max(handle.covers if handle else 0.0, self.answered_at)

    def recall(self, handle: Handle | None, profile: Profile) -> Recall | None:
        """The turns that a model resumed by `handle` does not know, as they were heard.

        Not every model can be told of them: some take none after their first turn, and wait for them before.
        """
        if handle is not None and not profile.takes_history_late:
            return None
        said = tuple(self._said_since(handle))
        return Recall(said) if said or profile.waits_for_history else None

    def _said_since(self, handle: Handle | None) -> Iterator[tuple[Literal["user", "agent"], str]]:
        since = handle.at if handle else BEFORE
        lines: list[tuple[Literal["user", "agent"], str]] = []
        chars = 0
        for noted_at, turn in reversed(self._turns):
            if turn is self._asked_in:
                continue  # it is said as it was said
            said = turn.user_text, _answer(turn)
            chars += sum(map(len, said))
            if noted_at < since or chars > RECALL_CHARS:
                break
            lines += [("agent", said[1])] if said[1].strip() else []
            lines += [("user", said[0])] if said[0].strip() else []
        return reversed(lines)


def _answer(turn: Turn) -> str:
    """What was heard of the answer in a turn that is over; to a question, never nothing."""
    heard = turn.heard_text()
    if heard.strip() or not turn.user_text.strip():
        return heard
    if turn.cut_at is not None and turn.heard_ms() <= 0:
        return UNHEARD
    return UNANSWERED if turn.first_audio_at is None else UNWRITTEN


def _turn(past: PastTurn) -> Turn:
    """Of another relay, as it was kept: why there are no words of it, its outcome says."""
    turn = Turn(past.turn, BEFORE, user_text=past.user, agent_text=past.agent)
    if past.outcome == "interrupted" or past.interrupted:
        turn.cut_at = BEFORE if not past.agent else None  # what was heard of it is all that is kept
    if past.outcome in ("", "completed"):
        turn.first_audio_at = BEFORE
    return turn
