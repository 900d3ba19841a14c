"""What the user, or a tool, has said and nobody has answered. Pure: time is an argument.

Here, and nowhere else, is decided that a question is answered: when all sound of an answer to it has come, or
that answer is over, or the user wants no more of it. Whether it is asked again on the next leg, with which
outcome a broken turn ends, and which handle is a way back, follows from this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from relay.model.replay_buffer import LEAD_S
from relay.timeouts import Timeouts

NEVER = float("-inf")
REACTION_S = 1.5  #: after speech over an answer, for the model to react
SPEECH_S = 1.0  #: of speech: less may be a cough

#: of an answer whose leg is gone: all of it had come, or its question is asked again, or is not
Ending = Literal["whole", "again", "lost"]


@dataclass(slots=True)
class Question:
    """Times are loop time in seconds."""

    began_at: float
    said_at: float  #: all of it; from then on its answer is waited for
    is_sure: bool  #: it must be answered; a proactive model need not answer speech
    is_behind: bool = False  #: it came while an answer ran, and what comes of that is none to it
    is_short: bool = False  #: it may be a cough, and no question
    is_mended: bool = False  #: it was asked again, on another leg
    ended_at: float = NEVER  #: when all of it was said, however long it has been waited for since
    has_tool: bool = False  #: a tool was called for it, which must not be called twice
    again_to: float = NEVER  #: what was said until then is asked again, for its answer broke off

    def __post_init__(self) -> None:
        if self.ended_at == NEVER:
            self.ended_at = self.said_at


class Sound:
    """Whether all sound of the answer that runs has come."""

    def __init__(self) -> None:
        self.is_whole = False
        self.tells_end = False  #: the model says so
        self.splits_replies = False  #: it may go on by itself after that

    def ended(self) -> None:
        """All of it has come, or of a part of it."""
        self.tells_end = True
        self.is_whole = not self.splits_replies

    def goes_on(self, *, after_tool: bool) -> None:
        """The model will say more, by itself or `after_tool`."""
        self.is_whole = False
        self.splits_replies |= not after_tool


class Questions:
    """Of one call. What is said before an answer comes is one question."""

    def __init__(self) -> None:
        self.open: Question | None = None
        self.answering: Question | None = None  #: what the answer that runs is to
        self.answered_at = self._answered_before = 0.0  #: the last answer that was heard, and the one before
        self._broke_at = 0.0  #: the answer that broke off began then
        self.sound = Sound()  #: of the answer that runs
        self.spoken_over: tuple[float, float] | None = (
            None  #: speech over the answer that runs, from when to when
        )
        self.stopped_at = NEVER  #: when the user last stopped to speak
        self._speaks_since: float | None = None  #: the user
        self._is_over_answer = False  #: the user began within one that goes on: it may be its echo
        self._has_words = False  #: what the user is saying does, so it must be answered

    @property
    def user_speaks(self) -> bool:
        return self._speaks_since is not None

    @property
    def began_at(self) -> float | None:
        """When what is not answered began to be said; None when there is nothing."""
        held = [asked.began_at for asked in (self.open, self.unfinished) if asked]
        return min([self._speaks_since, *held] if self._speaks_since is not None else held, default=None)

    @property
    def times(self) -> tuple[float | None, float, bool]:
        """When what is not answered began to be said (None: there is nothing), was said, and: still is.

        What an answer runs to is not answered before all of that has come.
        """
        asked = self.open or self.unfinished
        said_at = asked.ended_at if asked and not self.user_speaks else float("inf")
        return self.began_at, said_at, self.user_speaks

    @property
    def has_tool(self) -> bool:
        """A tool was called by the answer that runs."""
        return self.answering is not None and self.answering.has_tool

    @property
    def unfinished(self) -> Question | None:
        """What an answer runs to of which more must come."""
        asked = self.answering
        return None if asked is None or self.sound.is_whole or asked.has_tool else asked

    def expected_until(self, timeouts: Timeouts) -> float:
        """Until then an answer is likely to come, or is owed for certain."""
        if self.open is None:
            return NEVER
        if self.open.is_sure:
            return self.open.said_at + timeouts.patience_s
        return NEVER if self.open.is_short else self.open.said_at + timeouts.answer_s

    def start(self, at: float, *, in_answer: bool) -> None:
        """The user begins to speak, perhaps while an answer runs."""
        if self._speaks_since is None:
            self._speaks_since, self._is_over_answer = at, in_answer

    def stop(self, at: float, *, is_sure: bool, in_answer: bool) -> None:
        """The user has spoken. An answer that was not interrupted by it has heard itself."""
        began_at, self._speaks_since = at if self._speaks_since is None else self._speaks_since, None
        self.stopped_at = at
        if in_answer and not self._is_over_answer:
            first = self.answering or Question(
                began_at, at, is_sure
            )  # it began before we knew that he stopped
            self.answering = Question(min(began_at, first.began_at), at, is_sure, has_tool=first.has_tool)
        elif self._is_over_answer:
            self.spoken_over = (began_at, at) if at - began_at >= SPEECH_S else self.spoken_over
        else:
            self.ask(began_at, at, is_sure=is_sure or self._has_words)
        self._is_over_answer = self._has_words = False

    def has_words(self) -> None:
        """The model, which answers all that is said, has understood some of it."""
        self._has_words = self.user_speaks
        if self.open is not None:
            self.open.is_sure = True

    def speaks_no_more(self) -> None:
        """The user has stopped, and is being answered."""
        self._speaks_since, self._is_over_answer = None, False

    def ask(
        self,
        began_at: float,
        said_at: float,
        *,
        is_sure: bool,
        is_behind: bool = False,
        has_tool: bool = False,
    ) -> None:
        again_to = NEVER
        if self.open is not None:
            began_at, is_sure = min(began_at, self.open.began_at), is_sure or self.open.is_sure
            again_to = self.open.again_to
        is_short = said_at - began_at < SPEECH_S
        self.open = Question(began_at, said_at, is_sure, is_behind, is_short, has_tool=has_tool)
        self.open.again_to = again_to

    def answered(self, began_at: float) -> None:
        """Sound has come of an answer that began then: the first, or more."""
        if self.answered_at != began_at:
            self._answered_before, self.answered_at = self.answered_at, began_at
        if self.open is not None and not self.open.is_behind:
            self.answering, self.open = self.open, None
        self.sound.is_whole = False

    def unwanted(self) -> None:
        """The user wants no more of the answer that runs, nor to have the one that broke off again."""
        asked, self.answering = self.open, None
        if asked is None or asked.again_to == NEVER:
            return
        self.answered_at = self._broke_at
        if asked.ended_at <= asked.again_to:
            self.open = None
        else:  # what was said since is to be answered
            asked.began_at, asked.again_to = asked.again_to, NEVER

    def tool_called(self) -> None:
        """By the answer that runs."""
        if self.answering is not None:
            self.answering.has_tool = True

    def goes_on(self, now: float) -> None:
        """The model gives a sign. If it was spoken over, it has heard that by then."""
        if self.spoken_over is not None and now > self.spoken_over[1] + REACTION_S:
            self.spoken_over = None

    def reopen(self, now: float) -> bool:
        """The answer that ran broke off: what it was to is open again, once. False: that is not.

        When the user has spoken over it and no model has reacted, he has interrupted it, and that is open.
        """
        asked, self.answering = self.unfinished, None
        if self.spoken_over is not None and not self.user_speaks:
            (began_at, ended_at), self.spoken_over = self.spoken_over, None
            self.ask(began_at, ended_at, is_sure=True)
            self.wait_from(now)
            self.answered_at = began_at - LEAD_S
            return False
        if asked is None or asked.is_mended or self.user_speaks:
            return False
        ended_at = max(each.ended_at for each in (asked, self.open) if each)
        self.open = Question(
            asked.began_at, now, is_sure=True, is_mended=True, ended_at=ended_at, again_to=now
        )
        self._broke_at, self.answered_at = self.answered_at, self._answered_before
        return True

    def wait_from(self, now: float) -> None:
        """What is asked is waited for from now on."""
        if self.open is not None:
            self.open.said_at = max(self.open.said_at, now)

    def answer_cut(self, now: float) -> None:
        """The answer that ran was interrupted: it was no echo that was heard."""
        self._is_over_answer = False
        spoken_over = self.spoken_over
        self.answer_over(now)
        if spoken_over is not None:
            self.ask(*spoken_over, is_sure=False)

    def answer_over(self, now: float) -> None:
        """The answer that ran is over: what came behind it is waited for."""
        self.answering = self.spoken_over = None
        self.sound.is_whole = False
        if self.open is not None and self.open.is_behind:
            self.open.is_behind = False
            self.wait_from(now)
