"""The last two steps of `doctor`, in a conversation as any client holds it: a spoken turn, and a rotation."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from cli.doctor.steps import Checkup, Result, Trouble
from cli.talk.answers import Answers, Prompt
from protocol.audio import AudioFrame, uplink_ms
from protocol.media import Metrics, Transcript, TurnStarted
from vivavoce import Conversation, VoiceError
from vivavoce.control import Token
from vivavoce.microphone import Microphone
from vivavoce.playback import VirtualSpeaker

ANSWER_S = 40.0  #: from the end of speech to the end of the answer
SETTLE_S = 2.0  #: without a sound: a pause in what was said may have had an answer of its own
ROTATION_S = 40.0  #: an order is read within 5 s; a turn gap waits for the model's next handle
WORDS = ("lighthouse", "pepper", "violin", "saddle", "glacier", "button", "harvest", "lantern")

Rotate = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ConversationCheck:
    """Steps `turn` and `rotation`, with what they need of the deployment and the machine."""

    url: str
    token: Token = field(repr=False)
    agent: str
    recording: bytes = field(repr=False)  #: 16 kHz mono s16le
    rotate: Rotate | None  #: orders a rotation of a session; None: it cannot be ordered here

    async def run(self, checkup: Checkup) -> None:
        """Run the steps. Raises Stopped at the first that fails."""
        async with AsyncExitStack() as parts:
            with checkup.step("turn") as step:
                partner = await Partner.open(parts, self)
                checkup.wait(f"speaking ({uplink_ms(len(self.recording)) / 1000:.1f} s), then listening")
                await self._turn(partner, step)
            if self.rotate is None:
                checkup.leave_out("rotation", "needs --stack: only who may write the table can order one")
                return
            with checkup.step("rotation") as step:
                checkup.wait("the model's connection is changed")
                await self._rotation(partner, self.rotate, step)

    async def _turn(self, partner: Partner, step: Result) -> None:
        prompt = await partner.say(self.recording)
        if not partner.sounds:
            raise Trouble("no_audio", "the answer had words and no sound")
        heard = "" if partner.heard else "; no transcript of what was said"
        step.ms = prompt.first_audio_ms
        step.detail = f"from the end of speech to the answer's first audio{heard}"

    async def _rotation(self, partner: Partner, rotate: Rotate, step: Result) -> None:
        word = secrets.choice(WORDS)
        await partner.write(f"Please remember this word: {word}. Say only OK.")
        partner.gap_ms = None
        await rotate(partner.session)
        await partner.until(partner.rotated(), ROTATION_S, Trouble("not_rotated", "nothing was changed"))
        await partner.write("Which word did I ask you to remember? Say only that word.")
        if word not in partner.said.lower():
            raise Trouble("forgotten", "the word that was said before is not known after it")
        step.ms = partner.gap_ms
        step.detail = f"the model was away so long, and knows the word ({word})"


class Partner:
    """Conversation with the agent, and what it has said since the latest prompt."""

    def __init__(self, call: Conversation, speaker: VirtualSpeaker) -> None:
        self.said, self.heard, self.sounds = "", "", 0
        self.gap_ms: int | None = None  #: of the last change of the model's connection
        self._call, self._speaker = call, speaker
        self._answers = Answers()
        self._stirred_at = 0.0  #: loop time at which either of us last said something
        self._changed = asyncio.Event()
        self._microphone = Microphone(call.send_audio)
        self._reader = asyncio.create_task(self._read(), name="reader")
        self._sender = asyncio.create_task(self._microphone.run(), name="microphone")

    @classmethod
    async def open(cls, parts: AsyncExitStack, check: ConversationCheck) -> Partner:
        """Open a conversation that ends with `parts`. Raises Trouble."""
        speaker = VirtualSpeaker()
        call = Conversation(check.url, check.token, agent=check.agent, speaker=speaker)
        try:
            await parts.enter_async_context(call)
        except VoiceError as error:
            raise _trouble(error) from None
        partner = cls(call, speaker)
        parts.push_async_callback(partner._leave)
        return partner

    @property
    def session(self) -> str:
        return self._call.session

    async def say(self, pcm: bytes) -> Prompt:
        """Speak, and hear the whole answer. Raises Trouble: `mute`, or why the conversation failed."""
        prompt = self._begin()
        prompt.ended_at = await self._microphone.say(pcm)
        await self._hear_out(prompt)
        return prompt

    async def write(self, text: str) -> None:
        """Write, and hear the whole answer. Raises Trouble, as `say`."""
        prompt = self._begin()
        prompt.ended_at = asyncio.get_running_loop().time()
        await self._call.send_text(text)
        await self._hear_out(prompt)

    async def rotated(self) -> None:
        """Wait until the model's connection was changed."""
        while self.gap_ms is None:
            self._changed.clear()
            await self._changed.wait()

    async def until(self, work: Coroutine[Any, Any, None], within_s: float, late: Trouble) -> None:
        """Wait for `work`. Raises `late`, or the Trouble that the conversation came to meanwhile."""
        waiting = asyncio.create_task(work)
        try:
            await asyncio.wait({waiting, self._reader}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return
            raise (self._reader.result() if self._reader.done() else None) or late
        finally:
            waiting.cancel()

    def _begin(self) -> Prompt:
        self.said, self.heard, self.sounds = "", "", 0
        return self._answers.begin()

    async def _hear_out(self, prompt: Prompt) -> None:
        await self.until(self._answers.complete(prompt), ANSWER_S, Trouble("mute", "no answer came"))
        await self._speaker.is_silent.wait()
        while (quiet_s := asyncio.get_running_loop().time() - self._stirred_at) < SETTLE_S:
            await asyncio.sleep(SETTLE_S - quiet_s)
            await self._speaker.is_silent.wait()

    async def _read(self) -> Trouble | None:
        """All events, to the end. Returns why the conversation failed."""
        try:
            async for event in self._call.events():
                self._answers.note(event, asyncio.get_running_loop().time())
                self._note(event)
        except VoiceError as failure:
            return _trouble(failure)
        return None

    def _note(self, event: object) -> None:
        if isinstance(event, Transcript | AudioFrame | TurnStarted):
            self._stirred_at = asyncio.get_running_loop().time()
        match event:
            case Transcript(role="agent"):
                self.said += event.text
            case Transcript():
                self.heard += event.text
            case AudioFrame():
                self.sounds += 1
            case Metrics() if event.leg_gap_ms is not None:
                self.gap_ms = event.leg_gap_ms
                self._changed.set()

    async def _leave(self) -> None:
        tasks = {self._reader, self._sender}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _trouble(error: VoiceError) -> Trouble:
    return Trouble(error.code, f"{error.code}: {error.message}")
