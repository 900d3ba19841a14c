"""Notices a model that keeps silent where it owes an answer, a turn that does not end, a mute microphone.

Pure: time is an argument. Others measured a model that goes silent on an open socket, with transcripts going
on or not (docs/sources.md#gemini-freeze). What is noticed is mended by changing the leg, as after a drop.
What became of the answer is a table, `states.py`; that one is owed is a time beside it.
"""

from __future__ import annotations

from typing import Literal

from gemini import messages as model
from gemini.messages import SILENCE_MS, ModelCommand, ModelEvent
from protocol.audio import downlink_ms, uplink_ms
from protocol.states import advance
from relay.call.states import ANSWER, AnswerState
from relay.model.uplink_queue import Speech
from relay.timeouts import Timeouts

LOUD = 1_500  #: peak of a frame that may be speech, of 32767; a quiet room stays below
SPEECH_MS = 1_000.0  #: of loud frames that nobody answered: less may be a cough
PAUSE_S = 1.0  #: of quiet after speech: longer than the pauses between words
THINK_S = 2.0  #: from the end of the user's turn to the first sign of its answer, in most cases
REPEATS = 2  #: legs in a row that are changed for silence; a model may also choose not to answer

Trouble = Literal["silent_model", "endless_turn"]


class ModelWatchdog:
    """Finds a silent or endless model, over all legs of one call."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._owed_since: float | None = None  #: an answer is awaited since then
        self._pause_s = PAUSE_S  #: of quiet that do not end the user's turn
        self._loud_ms = 0.0  #: of loud audio since the model last gave a sign
        self._loud_at = float("-inf")  #: when the last loud frame was sent
        self._answered_at = float("-inf")  #: when the last sign of an answer came
        self._answer = AnswerState.NONE
        self._turn_at = 0.0  #: the agent's turn began then, if one runs
        self._plays_until = (
            0.0  #: loop time when received audio has played out, or of the latest event if later
        )
        self._changed = 0  #: legs in a row, without a sign of the model's between them

    def sent(self, item: Speech | ModelCommand, now: float) -> None:
        """The model was given something."""
        match item:
            case Speech(pcm=pcm):
                self._note_speech(pcm, now)
            case model.SayText(respond=True) | model.MarkActivity(started=False) | model.AnswerTool():
                self._owed_since = now
            case model.FlushAudio() if self._owed_since is not None:
                self._owed_since = now  # until then the model was kept waiting for the end of the turn

    def heard(self, event: ModelEvent, now: float) -> None:
        """The model gave a sign."""
        match event:
            case model.Audio(pcm):
                self._goes_on(now, downlink_ms(len(pcm)) / 1000)
            case model.ToolRequested():
                self._goes_on(now)
            case model.Said(text) if text:
                self._goes_on_in_text(now)
            case model.SpeechEnded():
                self._owed_since = now
            case model.Heard(text) if text:
                self._note_question(now)
            case model.SpeechStarted():
                self._owed_since, self._loud_ms = None, 0.0
            case model.Interrupted():
                self._moves("interrupted")
            case model.TurnCompleted(idle):
                return self._end_turn(idle, now)
            case _:
                return None
        self._changed = 0
        return None

    def leg_changed(self, now: float, silence_ms: int = SILENCE_MS) -> None:
        """Another leg is up. It was told again what is unanswered; of a turn it knows nothing.

        `silence_ms` of quiet end the user's turn by its setup.
        """
        self._pause_s = max(PAUSE_S, silence_ms / 1000)
        if self._owed_since is not None:  # what was answered in text is not asked again
            self._owed_since = None if self._answer is AnswerState.TEXT else now
        self._moves("leg")
        self._plays_until, self._loud_ms = now, 0.0

    def check(self, now: float, *, suspended: bool) -> Trouble | None:
        """What is wrong now: once for each time that it is. To be asked only while a leg is up.

        `suspended`: it is not the model that is waited for, but a tool, or a client that does not read.
        """
        if suspended:
            self._plays_until = max(self._plays_until, now)
            self._owed_since = None if self._owed_since is None else now
            return None
        if self._answer is AnswerState.UNHEARD:
            self._moves("told")
            return self._note_silence()
        if self._owed_since is not None and now >= self._owed_since + self._timeouts.answer_s:
            self._owed_since = now
            return self._note_silence()
        if self._is_in_turn and now >= self._endless_at:
            self._moves("endless")
            return "endless_turn"
        return None

    def _note_speech(self, pcm: bytes, now: float) -> None:
        if max(memoryview(pcm).cast("h"), default=0) < LOUD:
            return
        if now - self._loud_at > self._timeouts.answer_s:
            self._loud_ms = 0.0  # coughs far apart are no speech together
        self._loud_at = now
        self._loud_ms += uplink_ms(len(pcm))
        self._note_question(now)  # counted from the last loud frame

    def _note_question(self, now: float) -> None:
        if self._loud_ms >= SPEECH_MS and not self._is_in_turn:
            self._owed_since = now

    def _goes_on_in_text(self, now: float) -> None:
        """Text comes without its audio when a leg has frozen by half: it is no answer yet."""
        if not self._is_in_turn:
            self._turn_at = self._owed_since = now
            self._loud_ms = 0.0
        self._moves("text")
        self._plays_until = max(self._plays_until, now)

    def _goes_on(self, now: float, sounds_s: float = 0.0) -> None:
        if not self._is_in_turn:
            self._turn_at = now
        self._moves("audio")
        self._answered_at = now
        self._owed_since, self._loud_ms = None, 0.0
        self._plays_until = max(self._plays_until, now) + sounds_s

    def _end_turn(self, idle: bool, now: float) -> None:
        self._plays_until = max(self._plays_until, now)
        self._owed_since = None
        if idle and self._is_in_turn:
            self._moves("completed")
            self._loud_ms = 0.0  # loudspeakers that the microphone hears are no speech that nobody answers

    def _moves(self, event: str) -> None:
        self._answer = advance(ANSWER, self._answer, event)

    @property
    def _is_in_turn(self) -> bool:
        return self._answer in (AnswerState.TEXT, AnswerState.AUDIO)

    def _note_silence(self) -> Trouble | None:
        self._changed += 1
        if self._changed > REPEATS:
            self._owed_since = None  # it may not want to answer: the user's next words are another try
            return None
        return "silent_model"

    @property
    def _endless_at(self) -> float:
        """When the turn that runs has been silent, or has run, for too long."""
        return min(self._plays_until + self._timeouts.stall_s, self._turn_at + self._timeouts.turn_s)

    def is_engaged(self, now: float) -> bool:
        """Somebody may be speaking, or wait for an answer: a model may be late to say so, or never say it."""
        return now < self._quiet_at or self._owed_since is not None

    @property
    def _quiet_at(self) -> float:
        """When what was spoken last is surely over, and the model had its time to say that it answers."""
        is_answered = self._answered_at > self._loud_at
        return self._loud_at + self._pause_s + (0.0 if is_answered else THINK_S)

    def next_timeout(self, now: float) -> float | None:
        """Time at which to `check`, or at which `is_engaged` may end; None for never. While a leg is up."""
        if self._answer is AnswerState.UNHEARD:
            return now
        waits = [] if self._quiet_at <= now else [self._quiet_at]
        if self._owed_since is not None:
            waits.append(self._owed_since + self._timeouts.answer_s)
        if self._is_in_turn:
            waits.append(self._endless_at)
        return min(waits, default=None)

    @property
    def is_repeated(self) -> bool:
        """The leg before this one was changed for its silence, too: its handle may be the cause."""
        return self._changed > 1


class MicWatchdog:
    """Notices a microphone that is said to be open and sends nothing."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._awaited_since: float | None = None

    def said(self, state: str, now: float) -> None:
        """The client told what its microphone does."""
        self._awaited_since = now if state == "open" else None

    def frame(self, now: float) -> None:
        if self._awaited_since is not None:
            self._awaited_since = now

    def is_mute(self, now: float, *, is_here: bool) -> bool:
        """True once for each silence. A client that is not here owes nothing."""
        if self._awaited_since is None:
            return False
        if not is_here:
            self._awaited_since = now
            return False
        if now < self._awaited_since + self._timeout_s:
            return False
        self._awaited_since = float("inf")  # until the next frame, or word
        return True

    def next_timeout(self) -> float | None:
        """Time at which to ask `is_mute`; None for never."""
        at = None if self._awaited_since is None else self._awaited_since + self._timeout_s
        return None if at == float("inf") else at
