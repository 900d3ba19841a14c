"""Scripted conversation: speak, wait for the answer, interrupt it, type."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from cli.stack.access import Access, is_gone
from cli.talk.answers import Answers, Prompt
from cli.talk.ending import Ending
from cli.talk.heard import Heard
from cli.talk.narrator import Narrator
from cli.talk.tally import Tally
from cli.talk.voice import Voice
from protocol.control import Config
from protocol.media import Image
from vivavoce import Conversation, Options, VoiceError
from vivavoce.playback import VirtualSpeaker
from vivavoce.soundcard import SoundCard
from vivavoce.tools import Run
from vivavoce.wavefile import WavFile
from vivavoce.wire import place

WATCH_EVERY_S = 1.0  #: while there is no connection
MUTE_S = 4.0  #: of nothing but zeros from a microphone, before that is said
CLOSE_S = 3.0  #: for the server's `ended` after our `end`


@dataclass(frozen=True, slots=True)
class Recording:
    """Recorded speech to send."""

    name: str
    file: WavFile


@dataclass(frozen=True, slots=True)
class Script:
    """Input of the user: the recording first, then the texts, each after the previous answer."""

    agent: str
    recording: Recording | None
    texts: tuple[str, ...]
    interrupt_at_s: float | None  #: time after the answer's first audio at which…
    interruption: Recording | None  #: …this is said
    timeout_s: float | None  #: for the whole conversation; None: until the user ends it
    is_live: bool = False  #: the user speaks into this machine's microphone
    ending: Ending = "silence"  #: how the other side learns that the words are over
    image: Image | None = None  #: shown before the first word
    tools: Mapping[str, Any] = field(default_factory=dict)  #: tool's name -> what each call of it gives

    @property
    def speaks(self) -> bool:
        """Return whether a microphone is needed."""
        return self.recording is not None or self.is_live


@dataclass(slots=True)
class Outcome:
    """Result of a conversation."""

    tally: Tally = field(default_factory=Tally)
    answers: Answers = field(default_factory=Answers)
    heard: Heard = field(default_factory=Heard)  #: what came out of the speaker
    session: str = ""
    reconnects: int = 0
    is_complete: bool = False  #: every answer came and was heard
    failure: VoiceError | None = None
    is_spoken: bool = False  #: the first prompt was
    is_offline: bool = False  #: at the end of its time
    is_gone: bool = False  #: the local stack was stopped

    @property
    def first_audio_ms(self) -> int | None:
        prompts = self.answers.prompts
        return prompts[0].first_audio_ms if prompts else None


class Dialogue:
    """Runs one conversation by a script."""

    def __init__(
        self, script: Script, narrator: Narrator, heard: Heard, card: SoundCard | None = None
    ) -> None:
        self.outcome = Outcome(heard=heard, is_spoken=script.speaks)
        self._script = script
        self._narrator = narrator
        self._card = card
        self._speaker = card.speaker if card else VirtualSpeaker(self.outcome.heard.take)
        self._hung_up = asyncio.Event()

    async def hold(self, access: Access) -> Outcome:
        """Run the whole conversation; its failure is in the outcome. Raises NoSound."""
        with self._card or nullcontext():
            return await self._hold(access)

    def _hang_up_at_ctrl_c(self) -> None:
        """Who talks ends it so, and wants to read what came of it. A second one interrupts."""
        loop = asyncio.get_running_loop()

        def hang_up() -> None:
            loop.remove_signal_handler(signal.SIGINT)
            self._hung_up.set()

        with suppress(NotImplementedError, ValueError, RuntimeError):  # Windows; not the main thread
            loop.add_signal_handler(signal.SIGINT, hang_up)

    async def _hold(self, access: Access) -> Outcome:
        call = Conversation(
            access.url,
            access.token,
            agent=self._script.agent,
            speaker=self._speaker,
            tools={name: _giving(answer) for name, answer in self._script.tools.items()},
            options=Options(
                config=Config(turns="manual" if self._script.ending == "mark" else "auto"),
                on_starting=self._narrator.stage,
            ),
        )
        self._narrator.connect(f"connecting to {place(access.url)}")
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(self._narrator.keep_saying(), name="narrator")
            try:
                async with asyncio.timeout(self._script.timeout_s) as limit:
                    watcher = tasks.create_task(self._watch(access, limit), name="watcher")
                    async with call:
                        await self._follow(call)
            except VoiceError as failure:
                self.outcome.failure = failure
            except TimeoutError:
                self.outcome.is_offline = self._narrator.is_offline
                if not self.outcome.is_gone:
                    self._narrator.say("-- time is up")
            finally:
                self.outcome.session, self.outcome.reconnects = call.session, call.reconnects
                waiting.cancel()
                watcher.cancel()
        return self.outcome

    async def _watch(self, access: Access, limit: asyncio.Timeout) -> None:
        """End the wait for a local stack that has gone: nothing brings that conversation back."""
        while access.page:
            await asyncio.sleep(WATCH_EVERY_S)
            if self._narrator.is_offline and await asyncio.to_thread(is_gone, access.page):
                self.outcome.is_gone = True
                limit.reschedule(_now())
                return

    async def _follow(self, call: Conversation) -> None:
        """Run until the script is through, or the session is over. Raises VoiceError."""
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read(call), name="reader")
            director = tasks.create_task(self._direct(call, tasks), name="director")
            await asyncio.wait({reader, director}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({reader}, timeout=CLOSE_S)
            reader.cancel()
            director.cancel()
        if not reader.cancelled() and (failure := reader.result()):
            raise failure

    async def _read(self, call: Conversation) -> VoiceError | None:
        """All events, to the end. Returns why the conversation failed: a task of a group should not raise."""
        try:
            async for event in call.events():
                self.outcome.answers.note(event, _now())
                self.outcome.tally.note(event)
                self._narrator.tell(event)
        except VoiceError as failure:
            return failure
        return None

    async def _direct(self, call: Conversation, tasks: asyncio.TaskGroup) -> None:
        """The user's part."""
        if self._card:
            await self._converse(call, self._card, tasks)
            return
        voice = Voice(call, tasks, self._script.ending)
        try:
            if self._script.image:
                await call.send(self._script.image)
            if self._script.speaks:
                await voice.begin()
            await self._go_through(call, voice)
            self.outcome.is_complete = True
            await call.end("done")
        except VoiceError:
            return  # it is over; the reader has the reason
        finally:
            voice.end()

    async def _converse(self, call: Conversation, card: SoundCard, tasks: asyncio.TaskGroup) -> None:
        """Have the user talk, until they hang up."""
        self._narrator.say("-- speak; Ctrl-C ends it. Wear headphones: the agent hears its own voice, too.")
        self._hang_up_at_ctrl_c()
        sender = tasks.create_task(card.run(call.send_audio), name="microphone")
        try:
            async with asyncio.timeout(MUTE_S):
                await self._hung_up.wait()
        except TimeoutError:
            if card.is_mute:
                self._narrator.say("-- the microphone gives nothing: is it muted, may this terminal use it?")
            await self._hung_up.wait()
        finally:
            sender.cancel()
        self.outcome.is_complete = True
        with suppress(VoiceError):
            await call.end("done")

    async def _go_through(self, call: Conversation, voice: Voice) -> None:
        script, prompt = self._script, None
        if script.recording:
            prompt = await self._speak(voice, script.recording)
            if script.interruption:
                prompt = await self._interrupt(voice, prompt, script.interruption)
            await self._hear_out(prompt)
        for text in script.texts:
            prompt = self.outcome.answers.begin()
            prompt.ended_at = _now()
            await call.send_text(text)
            await self._hear_out(prompt)

    async def _speak(self, voice: Voice, recording: Recording) -> Prompt:
        self._narrator.wait_for(f"speaking {recording.name} ({recording.file.seconds:.1f} s)")
        prompt = self.outcome.answers.begin()
        prompt.ended_at = await voice.say(recording.file.pieces())
        self._narrator.wait_for("listening")
        return prompt

    async def _interrupt(self, voice: Voice, prompt: Prompt, recording: Recording) -> Prompt:
        """Speak again while the answer plays. Returns the new prompt."""
        await self.outcome.answers.begun(prompt)
        assert prompt.first_audio_at is not None and self._script.interrupt_at_s is not None
        await asyncio.sleep(prompt.first_audio_at + self._script.interrupt_at_s - _now())
        return await self._speak(voice, recording)

    async def _hear_out(self, prompt: Prompt) -> None:
        await self.outcome.answers.complete(prompt)
        await self._speaker.is_silent.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _giving(answer: Any) -> Run:
    """A tool that gives the same answer to every call."""

    async def run(_: dict[str, Any]) -> Any:
        return answer

    return run
