"""A user who asks, listens, and knows for how long nothing was heard, and what was told.

Silence is what a person at the loudspeaker has: sound counts when it is played and can be heard, whatever
the messages said of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from protocol import media
from protocol.limits import DOWNLINK_HZ, SAMPLE_BYTES
from simulator.speech.samples import SHIPPED
from vivavoce import Conversation, VoiceError
from vivavoce.microphone import Microphone
from vivavoce.playback import VirtualSpeaker
from vivavoce.wavefile import read_wav

QUESTION = read_wav(SHIPPED / "question.wav")
INTERRUPTION = read_wav(SHIPPED / "interruption.wav")
AUDIBLE = 200  #: peak of a piece that a person hears, of 32767
PIECE_S = 0.1  #: at most so much is played before it is looked at
ANSWER_S = 0.8  #: of sound: less is no answer
WHOLE = 0.8  #: of an answer, by its length: enough, for what the user says again may be heard a little less
MORE_S = 3.0  #: after an answer was said to be missing, one may still come so long
REMARK_S = 4.0  #: how long nothing is expected after words that are not meant for the model
UNTOLD = ("", "completed")  #: outcomes of a turn that tell nobody that an answer is missing

End = Literal["answered", "told", "silent"]


@dataclass(slots=True)
class Heard:
    """What came of one question."""

    end: End
    silence_s: float  #: the longest without a sound, from the end of the question to its answer's end
    code: str = ""  #: by which it was told that there is no answer
    is_part: bool = False  #: the answer broke off


@dataclass(slots=True)
class Question:
    """One question, and what has come of it so far. Loop times, but for `epoch_s`."""

    asked_at: float  #: its end
    epoch_s: float = field(default_factory=time.time)  #: the same by the wall clock
    after: int = 0  #: turn that played when it ended: its sound is no answer to this
    sounded_at: float = 0.0  #: end of the last sound
    longest_s: float = 0.0  #: without a sound
    sounds: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))  #: s, by turn
    has_ended: bool = False  #: a turn of the agent has, since then
    told: str = ""  #: code by which it was told that there is no answer
    told_at: float = 0.0

    def __post_init__(self) -> None:
        self.sounded_at = self.asked_at

    @property
    def sound_s(self) -> float:
        """Of the turn in which most was heard: an answer that broke off and the next one are not one."""
        return max(self.sounds.values(), default=0.0)

    def hear(self, turn: int, lasted_s: float, now: float) -> None:
        """A sound of `turn` has just ended."""
        if turn <= self.after:
            return
        self.longest_s = max(self.longest_s, now - lasted_s - self.sounded_at)
        self.sounded_at = now
        self.sounds[turn] += lasted_s

    def tell(self, code: str, now: float) -> None:
        if not self.told:
            self.told, self.told_at = code, now


@dataclass
class Listener:
    """One conversation by script. `patience_s` is how long an answer is waited for.

    `answer_s` gives the length of the newest answer that the model began since a wall clock time; 0 when it
    is not known: then an answer is whole when its turn ends.
    """

    patience_s: float
    answer_s: Callable[[float], float] = lambda since_s: 0.0
    heard: list[Heard] = field(default_factory=list)
    session: str = ""
    _question: Question = field(default_factory=lambda: Question(_now()))
    _is_open: bool = False  #: a turn of the agent runs
    _failure: str = ""
    _barged_in: bool = False  #: the next interruption is the user's own
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.speaker = VirtualSpeaker(self._hear, every_s=PIECE_S)

    async def talk(self, call: Conversation, steps: tuple[str, ...]) -> None:
        """Follow the script to its end, or to that of the conversation."""
        self._ask(_now())
        try:
            async with asyncio.timeout(self.patience_s), contextlib.AsyncExitStack() as entering:
                await entering.enter_async_context(call)
                leaving = entering.pop_all()
        except VoiceError as error:
            self.heard.append(Heard("told", _now() - self._question.asked_at, error.code))
            return
        except TimeoutError:
            self.heard.append(Heard("silent", _now() - self._question.asked_at))
            return
        async with leaving:
            self.session = call.session
            await self._follow(call, steps)

    async def _follow(self, call: Conversation, steps: tuple[str, ...]) -> None:
        microphone = Microphone(call.send_audio)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read(call))
            sending = tasks.create_task(microphone.run())
            for step in steps:
                if not self._failure:
                    await self._step(step, call, microphone)
            reading.cancel()
            sending.cancel()

    async def _step(self, step: str, call: Conversation, mic: Microphone) -> None:
        kind, _, text = step.partition(" ")
        if kind == "wait":
            await asyncio.sleep(float(text))
        elif kind == "remark":
            await mic.say(QUESTION)
            await asyncio.sleep(REMARK_S)
        else:
            with contextlib.suppress(VoiceError):  # the reader tells why
                await self._put_question(kind, text, call, mic)
            await self._wait_for_answer()

    async def _put_question(self, kind: str, text: str, call: Conversation, mic: Microphone) -> None:
        match kind:
            case "type":
                self._ask(_now())
                await call.send_text(text)
            case "push_to_talk":
                await call.mic("open")
                self._ask(await mic.say(QUESTION))
                await call.mic("paused")
            case "barge_in":
                self._ask(await mic.say(QUESTION))
                await self._until(lambda: self._question.sound_s > 0, self.patience_s)
                self._barged_in = True
                self._ask(await mic.say(INTERRUPTION))
            case _:
                self._ask(await mic.say(QUESTION))

    async def _wait_for_answer(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience_s):
                await self._until(self._is_settled, self.patience_s)
                await self.speaker.is_silent.wait()
        self.heard.append(self._judge())

    def _is_settled(self) -> bool:
        question, now = self._question, _now()
        is_told = bool(question.told) and now > question.told_at + MORE_S
        is_over = self._has_part() and now > question.sounded_at + MORE_S
        return bool(self._failure) or is_told or is_over or self._is_answered()

    def _is_answered(self) -> bool:
        """The whole of it was heard."""
        question = self._question
        length_s = self.answer_s(question.epoch_s)
        return question.sound_s >= WHOLE * length_s if length_s else self._has_part()

    def _has_part(self) -> bool:
        """The answer's turn is over, and something of it was heard."""
        return self._question.has_ended and not self._is_open and self._question.sound_s >= ANSWER_S

    def _judge(self) -> Heard:
        question = self._question
        if self._is_answered():
            return Heard("answered", question.longest_s)
        if self._failure or question.told:
            waited_s = max(0.0, question.told_at - question.sounded_at)
            return Heard("told", max(question.longest_s, waited_s), self._failure or question.told)
        if self._has_part():
            return Heard("answered", question.longest_s, is_part=True)
        return Heard("silent", max(question.longest_s, _now() - question.sounded_at))

    def _ask(self, ended_at: float) -> None:
        """A question has ended: what comes from now on is for it."""
        self._question = Question(ended_at, after=self.speaker.turn)

    def _hear(self, pcm: bytes) -> None:
        """Played just now."""
        now = _now()
        if pcm and max(memoryview(pcm).cast("h")) >= AUDIBLE and now >= self._question.asked_at:
            self._question.hear(self.speaker.turn, len(pcm) / SAMPLE_BYTES / DOWNLINK_HZ, now)
            self._news.set()

    async def _read(self, call: Conversation) -> None:
        try:
            async for event in call.events():
                self._heed(event)
        except VoiceError as error:
            self._question.tell(error.code, _now())
            self._failure = error.code
        else:
            self._failure = self._question.told or "ended"
        self._news.set()

    def _heed(self, event: object) -> None:
        match event:
            case media.TurnStarted(role="agent"):
                self._is_open = True
            case media.TurnEnded(role="agent"):
                self._is_open = False
                if event.outcome == "interrupted" and self._barged_in:
                    self._barged_in = False
                    return
                self._question.has_ended = True
                if event.outcome not in UNTOLD:
                    self._question.tell(event.outcome, _now())
            case media.Error() if event.n:
                self._question.tell(event.code, _now())
        self._news.set()

    async def _until(self, condition: Callable[[], bool], within_s: float) -> None:
        """Wait for it; looked at whenever something comes, and ten times a second."""
        deadline = _now() + within_s
        while not condition() and not self._failure and _now() < deadline:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PIECE_S):
                    await self._news.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()
