"""The agent's turn as its leg brings it, for the watchdog. Pure: time is an argument."""

from __future__ import annotations

from protocol.states import advance
from relay.call.states import ANSWER, AnswerState


class RunningAnswer:
    """Of one call, one after the other. Which of them a sound belongs to, the conversation says."""

    def __init__(self) -> None:
        self.state = AnswerState.NONE
        self.began_at = 0.0  #: if one runs
        self.inaudible_s = 0.0  #: how much of it came that nobody can hear
        self._known_as: float | None = None  #: when it began by the conversation; None: it has not, there
        self._is_over = False  #: for the conversation, though the model has not ended it

    @property
    def is_in_turn(self) -> bool:
        """The model has not ended it."""
        return self.state in (AnswerState.TEXT, AnswerState.AUDIO)

    @property
    def goes_on(self) -> bool:
        """What is said now is said into it."""
        return self.is_in_turn and not self._is_over

    def take(self, known_as: float | None, now: float) -> bool:
        """More has come, of the answer that began at `known_as`. True: the one before it is over by that."""
        is_another = self.is_in_turn and self._known_as is not None and known_as not in (None, self._known_as)
        if is_another or not self.is_in_turn:
            self.began_at, self.inaudible_s, self._known_as = now, 0.0, None
            self._is_over = False
        if known_as is not None:
            self._known_as = known_as
        return is_another

    def is_over(self) -> None:
        """By what was heard of it, whether the model says so or not."""
        self._is_over = True

    def advance(self, event: str) -> None:
        self.state = advance(ANSWER, self.state, event)
