"""Notices a model that does not answer, and a turn that does not end.

Pure: time is an argument. Nobody is hurried: a model may think for half a minute, and one that is proactive
may rightly say nothing to what was not meant for it. What is certainly wrong (no sign of life, an empty or a
refused turn, an answer that cannot be heard) is mended once by changing the leg, on which the question is
asked again; when that does not help, the client is told. Others measured a model that goes silent on an open
socket, with transcripts going on or not (docs/sources.md#gemini-freeze). What became of the answer is a
table, `states.py`; what was asked is in `question.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gemini import messages as model
from gemini.messages import Credential, ModelCommand, ModelEvent
from protocol.audio import downlink_ms
from relay.call.hearing import is_sound
from relay.call.pulse import Pulse
from relay.call.question import NEVER, Ending, Question, Questions
from relay.call.running_answer import RunningAnswer
from relay.call.states import AnswerState
from relay.model.uplink_queue import Quiet, Speech
from relay.timeouts import Timeouts

PAUSE_S = 1.0  #: of quiet after speech: longer than the pauses between words
INAUDIBLE_S = 1.0  #: of sound that nobody can hear, at the beginning of an answer
THINK_S = 2.0  #: from the end of the user's turn to the first sign of its answer, in most cases

Trouble = Literal["silent_model", "endless_turn", "empty_turn", "rejected_turn"]
Failure = Literal["empty", "rejected", "lost"]

#: what becomes of a question's turn when mending did not help
FAILURES: dict[Trouble, Failure] = {
    "silent_model": "lost",
    "endless_turn": "lost",
    "empty_turn": "empty",
    "rejected_turn": "rejected",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong. It is mended by another leg, unless the question was `given_up`."""

    trouble: Trouble
    given_up: Failure | None = None


class ModelWatchdog:
    """Finds a silent or endless model, over all legs of one call."""

    def __init__(self, timeouts: Timeouts, *, is_read: bool = False) -> None:
        """`is_read`: the user reads the answers, and hears none."""
        self.questions, self.pulse = Questions(), Pulse(0.0)
        self._timeouts, self._is_read = timeouts, is_read
        self._is_proactive = True
        self._has_heard = False  #: we have: then the model's own hearing counts for nothing
        self._pause_s = PAUSE_S  #: of quiet that do not end the user's turn
        self._sounded_at = NEVER  #: when the last of an answer came
        self._answer = RunningAnswer()
        self._is_excused = False  #: the end of a turn without an answer is to come, and is no fault
        self._fault: Trouble | None = None  #: what the turn that has just ended was
        self._plays_until = 0.0  #: when received audio has played out, or of the latest event if later

    # ---- what is said

    def user_started(self, at: float) -> None:
        self._has_heard = True
        self.questions.start(at, in_answer=self._answer.goes_on)

    def user_stopped(self, at: float) -> None:
        self._has_heard = True
        self.questions.stop(at, is_sure=False, in_answer=self._answer.goes_on)

    def sent(self, item: Speech | Quiet | ModelCommand, now: float) -> None:
        """The model was given something."""
        match item:
            case model.SayText(respond=True):
                self.questions.ask(now, now, is_sure=True, is_behind=self._answer.goes_on)
            case model.MarkActivity(started=True):
                self.questions.start(now, in_answer=False)
            case model.MarkActivity(started=False):
                self.questions.stop(now, is_sure=True, in_answer=False)
            case model.AnswerTool(scheduling="silent"):
                pass  # it is to know, and to say nothing
            case model.AnswerTool():
                self.questions.ask(now, now, is_sure=True, has_tool=True)
            case Quiet() | model.FlushAudio():
                self.questions.wait_from(now)  # the model was kept waiting for the end of the turn

    def heard(self, event: ModelEvent, now: float, answers: float | None = None) -> None:
        """The model gave a sign. `answers`: when the answer began that runs now, by the conversation."""
        if not isinstance(event, model.AtWork):
            self.pulse.event(now)
        self.questions.goes_on(now)
        match event:
            case model.Audio(pcm) if self._answer.state is AnswerState.AUDIO or is_sound(pcm):
                self._goes_on(now, answers, downlink_ms(len(pcm)) / 1000)
            case model.ToolRequested():
                self._goes_on(now, answers)
                self.questions.tool_called()
            case model.GenerationEnded():
                self.questions.sound.ended()
            case model.Said() if self._is_read:
                self._goes_on(now, answers)
            case model.Said():
                self._goes_on_unheard(now, answers)
            case model.Audio(pcm):
                self._goes_on_unheard(now, answers, downlink_ms(len(pcm)) / 1000)
            case model.SpeechStarted() if not self._has_heard:
                self.questions.start(now, in_answer=False)
            case model.SpeechEnded() if not self._has_heard:
                self.questions.stop(now, is_sure=not self._is_proactive, in_answer=False)
            case model.Heard() if not self._is_proactive:
                self.questions.has_words()
            case model.AtWork():
                self.pulse.beat(now, at_work=True)
            case model.WaitsForInput():
                self._is_excused = True
            case model.Interrupted():
                self._is_excused = True
                if answers is None:  # else it was told before, of another one
                    self._answer.advance("interrupted")
                    self.questions.answer_cut(now)
            case model.TurnCompleted(idle=False):
                self.questions.sound.goes_on(after_tool=self.questions.has_tool)
                self._is_excused = False
            case model.TurnCompleted(ending=ending):
                self._end_turn(ending, now, answers)

    def leg_changed(self, now: float, credential: Credential) -> None:
        """Another leg is up. It was told again what is unanswered; of a turn it knows nothing."""
        profile = credential.profile
        self._pause_s = max(PAUSE_S, credential.silence_ms / 1000)  # by its setup so much quiet ends a turn
        self._is_proactive = profile.proactive.value
        self.questions.sound.splits_replies = profile.splits_replies.value
        self.questions.answer_over(now)
        self.questions.wait_from(now)
        self._answer.advance("leg")
        self._plays_until = now
        self.pulse.leg_changed(now)
        self._is_excused, self._fault = False, None

    def leg_lost(self, now: float, *, runs: bool) -> Ending:
        """The leg is gone, and with it an answer that `runs`. What becomes of that, and of its question."""
        asked = self.questions
        may_be_whole = not asked.sound.tells_end and now >= self._plays_until + PAUSE_S
        is_broken = runs and not asked.sound.is_whole
        is_unheard = asked.open is not None and not asked.open.is_behind
        if not is_broken or may_be_whole:
            asked.answering = None
        if asked.reopen(now) or (is_broken and is_unheard):
            return "again"
        return "lost" if is_broken else "whole"

    def answer_over(self, now: float) -> None:
        """By what was heard of it, whether the model says so or not."""
        self._answer.is_over()
        self.questions.answer_over(now)

    # ---- what is wrong

    def check(self, now: float, *, suspended: bool) -> Finding | None:
        """What is wrong now: once for each time that it is. To be asked only while a leg is up.

        `suspended`: it is not the model that is waited for, but a tool, or a client that does not read.
        """
        if suspended:
            self._plays_until = max(self._plays_until, now)
            self.questions.wait_from(now)
            self.pulse.excuse(now)
            return None
        fault, self._fault = self._fault, None
        if self._answer.state is AnswerState.UNHEARD:
            self._answer.advance("told")
            fault = "empty_turn"
        if fault is not None:
            return self._judge(fault, now)
        asked = self.questions.open
        if asked is not None and not self.questions.user_speaks and now >= self._answer_due(asked):
            return self._judge_silence(asked, now)
        stuck_at, trouble = self._stuck
        if asked is None and now >= stuck_at:
            self._answer.advance("endless")
            return Finding(trouble)
        return None

    def next_timeout(self, now: float) -> float | None:
        """Time at which to `check`, or at which `is_engaged` may end; None for never. While a leg is up."""
        if self._answer.state is AnswerState.UNHEARD or self._fault is not None:
            return now
        waits = [at for at in (self._quiet_at, self.questions.expected_until(self._timeouts)) if at > now]
        asked = self.questions.open
        if asked is not None and not self.questions.user_speaks:
            waits.append(self._answer_due(asked))
        if asked is None:
            waits.append(self._stuck[0])
        return min(waits, default=None)

    def is_engaged(self, now: float) -> bool:
        """Somebody may be speaking, or wait for an answer: a model may be late to say so, or never say it."""
        expected_until = self.questions.expected_until(self._timeouts)
        return self.questions.user_speaks or now < max(self._quiet_at, expected_until)

    # ---- the agent's turn

    def _goes_on(self, now: float, answers: float | None, sounds_s: float = 0.0) -> None:
        self._take(answers, now)
        self._answer.advance("audio")
        self._sounded_at = now
        if not self._has_heard:
            self.questions.speaks_no_more()  # the model has not said so, and answers
        self.questions.answered(self._answer.began_at)
        self._plays_until = max(self._plays_until, now) + sounds_s

    def _goes_on_unheard(self, now: float, answers: float | None, lasts_s: float = 0.0) -> None:
        """Text without its voice, or a voice that nobody can hear: it is no answer yet."""
        was_in_turn = self._answer.is_in_turn
        self._take(answers, now)
        if not was_in_turn:
            self.questions.wait_from(now)
        self._answer.advance("text")
        self._plays_until = max(self._plays_until, now)
        self._answer.inaudible_s += 0.0 if self._is_read else lasts_s
        asked = self.questions.open
        is_certain = self._answer.state is AnswerState.TEXT and self._answer.inaudible_s >= INAUDIBLE_S
        if is_certain and asked is not None and not asked.is_mended:
            self._answer.advance("inaudible")

    def _take(self, answers: float | None, now: float) -> None:
        if self._answer.take(answers, now):
            self.questions.answer_over(now)  # nobody has said so

    def _end_turn(self, ending: model.Ending, now: float, answers: float | None) -> None:
        """The model is idle. When the conversation `answers` on, this may be told of the one before."""
        self._plays_until = max(self._plays_until, now)
        is_excused, self._is_excused = self._is_excused or ending == "wants_more", False
        if answers is not None:
            return
        if self._answer.is_in_turn:
            self.pulse.worked(now - self._answer.began_at)
            self._answer.advance("completed")
        elif self.questions.open is not None and not is_excused:
            self._fault = "rejected_turn" if ending == "rejected" else "empty_turn"
        self.questions.answer_over(now)

    # ---- how long it may take

    def _answer_due(self, asked: Question) -> float:
        """When an answer that has not come is judged. A leg that lives is given its time."""
        stops_at = self.pulse.stops_at(asked.said_at, is_certain=asked.is_mended)
        if self._answer.state is AnswerState.TEXT:
            return min(asked.said_at + self._timeouts.answer_s, stops_at)
        patient_until = asked.said_at + self._timeouts.patience_s
        dead_at = max(asked.said_at, self.pulse.alive_at) + self._timeouts.answer_s
        return min(patient_until if asked.is_mended else min(patient_until, dead_at), stops_at)

    @property
    def _quiet_at(self) -> float:
        """When what was spoken last is surely over, and the model had its time to say that it answers."""
        is_answered = self._sounded_at >= self.questions.stopped_at
        return self.questions.stopped_at + self._pause_s + (0.0 if is_answered else THINK_S)

    @property
    def _stuck(self) -> tuple[float, Trouble]:
        """When the turn that runs has been silent, or has run, for too long, or nobody is behind it."""
        endless_at = min(
            self._plays_until + self._timeouts.stall_s, self._answer.began_at + self._timeouts.turn_s
        )
        frozen_at, asked = float("inf"), self.questions
        if asked.spoken_over is not None:
            frozen_at = self.pulse.stops_at(NEVER)
        elif asked.unfinished is not None:
            lives_until = self.pulse.lives_until(self._timeouts.answer_s)
            frozen_at = max(self._plays_until, self.pulse.stops_at(NEVER), lives_until)
        if not self._answer.is_in_turn:
            return float("inf"), "endless_turn"
        if asked.user_speaks or endless_at <= frozen_at:
            return endless_at, "endless_turn"
        return frozen_at, "silent_model"

    def _judge_silence(self, asked: Question, now: float) -> Finding | None:
        is_patience_over = now >= asked.said_at + self._timeouts.patience_s
        is_rightful = not asked.is_sure and not self.pulse.has_stopped(asked.said_at)
        if is_patience_over and is_rightful and self._answer.state is AnswerState.NONE:
            self.questions.open = None  # rightly so: the user's next words are another try
            return None
        return self._judge("silent_model", now)

    def _judge(self, trouble: Trouble, now: float) -> Finding:
        """Mended the first time, given up the second."""
        asked = self.questions.open
        if asked is None or not asked.is_mended:
            if asked is not None:
                asked.is_mended = True
                self.questions.wait_from(now)
            return Finding(trouble)
        self.questions.open, self.questions.answered_at = None, now  # the next leg is not asked it either
        return Finding(trouble, FAILURES[trouble])
