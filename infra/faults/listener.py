"""A user who asks, listens, and knows for how long nothing was heard, and what was told.

Silence is what a person at the loudspeaker has: sound counts when it is played and can be heard, whatever
the messages said of it.
"""

from __future__ import annotations

import asyncio
import contextlib
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
    sound_s: float = 0.0  #: of the answer


@dataclass
class Listener:
    """One conversation by script. `patience_s` is how long an answer is waited for."""

    patience_s: float
    heard: list[Heard] = field(default_factory=list)
    session: str = ""
    _since: float = 0.0  #: end of the question, or of the last sound after it
    _asked_at: float = 0.0
    _longest_s: float = 0.0
    _sound_s: float = 0.0
    _is_open: bool = False  #: a turn of the agent runs
    _has_ended: bool = False  #: a turn of the agent with sound has, since the question
    _told: str = ""
    _told_at: float = 0.0
    _failure: str = ""
    _barged_in: bool = False  #: the next interruption is the user's own
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def speaker(self) -> VirtualSpeaker:
        return VirtualSpeaker(self._hear, every_s=PIECE_S)

    async def talk(self, call: Conversation, speaker: VirtualSpeaker, steps: tuple[str, ...]) -> None:
        """Follow the script to its end, or to that of the conversation."""
        self._ask(_now())
        try:
            async with asyncio.timeout(self.patience_s), contextlib.AsyncExitStack() as entering:
                await entering.enter_async_context(call)
                leaving = entering.pop_all()
        except VoiceError as error:
            self.heard.append(Heard("told", _now() - self._asked_at, error.code))
            return
        except TimeoutError:
            self.heard.append(Heard("silent", _now() - self._asked_at))
            return
        async with leaving:
            self.session = call.session
            await self._follow(call, speaker, steps)

    async def _follow(self, call: Conversation, speaker: VirtualSpeaker, steps: tuple[str, ...]) -> None:
        microphone = Microphone(call.send_audio)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read(call))
            sending = tasks.create_task(microphone.run())
            for step in steps:
                if not self._failure:
                    await self._step(step, call, speaker, microphone)
            reading.cancel()
            sending.cancel()

    async def _step(self, step: str, call: Conversation, speaker: VirtualSpeaker, mic: Microphone) -> None:
        kind, _, text = step.partition(" ")
        if kind == "wait":
            await asyncio.sleep(float(text))
        elif kind == "remark":
            await mic.say(QUESTION)
            await asyncio.sleep(REMARK_S)
        else:
            with contextlib.suppress(VoiceError):  # the reader tells why
                await self._put_question(kind, text, call, mic)
            await self._wait_for_answer(speaker)

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
                await self._until(lambda: self._sound_s > 0, self.patience_s)
                self._barged_in = True
                self._ask(await mic.say(INTERRUPTION))
            case _:
                self._ask(await mic.say(QUESTION))

    async def _wait_for_answer(self, speaker: VirtualSpeaker) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience_s):
                await self._until(self._is_settled, self.patience_s)
                await speaker.is_silent.wait()
        self.heard.append(self._judge())

    def _is_settled(self) -> bool:
        is_told = bool(self._told) and _now() > self._told_at + MORE_S
        return bool(self._failure) or is_told or self._is_answered()

    def _is_answered(self) -> bool:
        return self._has_ended and not self._is_open and self._sound_s >= ANSWER_S

    def _judge(self) -> Heard:
        if self._is_answered():
            return Heard("answered", self._longest_s, sound_s=self._sound_s)
        if self._failure or self._told:
            waited_s = max(0.0, self._told_at - self._since)
            return Heard("told", max(self._longest_s, waited_s), self._failure or self._told, self._sound_s)
        return Heard("silent", max(self._longest_s, _now() - self._since), sound_s=self._sound_s)

    def _ask(self, ended_at: float) -> None:
        """A question has ended: what comes from now on is for it."""
        self._since = self._asked_at = ended_at
        self._longest_s = self._sound_s = 0.0
        self._has_ended, self._told = False, ""

    def _hear(self, pcm: bytes) -> None:
        """Played just now."""
        now, lasted_s = _now(), len(pcm) / SAMPLE_BYTES / DOWNLINK_HZ
        if not pcm or max(memoryview(pcm).cast("h")) < AUDIBLE or now < self._asked_at:
            return
        self._longest_s = max(self._longest_s, now - lasted_s - self._since)
        self._since = now
        self._sound_s += lasted_s
        self._news.set()

    async def _read(self, call: Conversation) -> None:
        try:
            async for event in call.events():
                self._heed(event)
        except VoiceError as error:
            self._tell(error.code)
            self._failure = error.code
        else:
            self._failure = self._failure or self._told or "ended"
        self._news.set()

    def _heed(self, event: object) -> None:
        match event:
            case media.TurnStarted(role="agent"):
                self._is_open = True
            case media.TurnEnded(role="agent"):
                self._is_open = False
                self._has_ended = True
                if event.outcome == "interrupted" and self._barged_in:
                    self._barged_in = self._has_ended = False
                elif event.outcome not in UNTOLD:
                    self._tell(event.outcome)
            case media.Error() if event.n:
                self._tell(event.code)
        self._news.set()

    def _tell(self, code: str) -> None:
        if not self._told:
            self._told, self._told_at = code, _now()

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
