"""Virtual user: sends the prompts of a plan, waits for the answers, and records every event."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from infra.faults.judge import STUCK, WENT_ON, ClientEvent, ClientRecord, client_event
from infra.faults.plan import Prompt
from protocol import media
from simulator.speech.samples import SHIPPED
from vivavoce import Conversation, VoiceError
from vivavoce.microphone import Microphone
from vivavoce.wavefile import read_wav

ANSWER_S = 20.0  #: how long an answer is waited for before the next question
LAST_S = 30.0  #: and the answer to the last one, which is asked again: the lines are good by then
LAST_TRIES = 3
OPEN_S = 180.0  #: for a session to begin or be refused: a client's own patience is 150 s
QUESTION = read_wav(SHIPPED / "question.wav")


@dataclass
class VirtualUser:
    """One conversation, held by `talk`."""

    call: Conversation
    events: list[ClientEvent] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    outcome: str = ""
    lost_turns: set[int] = field(default_factory=set)
    _begun: int = 0  #: answers of the agent that have begun
    _sounded: int = 0  #: whose voice has come to its end
    _ended: int = 0  #: and that are over
    _is_over: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, prompts: tuple[Prompt, ...], number: int, over: asyncio.Event) -> ClientRecord:
        """Say everything; set `over`, which ends the faults, and ask once more: this must be answered."""
        try:
            await self._talk(prompts, number, over)
        except VoiceError as error:
            self.outcome = error.code
        except TimeoutError:
            self.outcome = STUCK
        return self.seen()

    async def until_finished(self, count: int) -> None:
        """Wait for the end of `count` turns of the agent."""
        await self._until(lambda: self._ended >= count)

    async def until_sounded(self, count: int) -> None:
        """Wait for the end of audio of `count` turns; they may not be stored yet."""
        await self._until(lambda: self._sounded >= count)

    def seen(self) -> ClientRecord:
        lost = self.call.counters.missing_frames
        return ClientRecord(self.asked, self.events, self.outcome, frozenset(self.lost_turns), lost)

    async def _talk(self, prompts: tuple[Prompt, ...], number: int, over: asyncio.Event) -> None:
        async with contextlib.AsyncExitStack() as parts:
            async with asyncio.timeout(OPEN_S):
                call = await parts.enter_async_context(self.call)
            listening = asyncio.create_task(self._listen(call), name="user listens")
            try:
                for prompt in prompts:
                    await self._say(prompt)
                over.set()
                await self._ask_last(f"ask{number}x")
                self.outcome = WENT_ON
                await call.end()
                async with asyncio.timeout(LAST_S):
                    await self._until(lambda: self._is_over)
            finally:
                listening.cancel()
                await asyncio.wait([listening])
                if not listening.cancelled() and (failure := listening.exception()):
                    raise failure

    async def _listen(self, call: Conversation) -> None:
        try:
            async for event in call.events():
                if (brief := client_event(event, time.time())) is not None:
                    self.events.append(brief)
                self._heed(event)
        finally:
            self._is_over = True
            self._news.set()

    def _heed(self, event: object) -> None:
        match event:
            case media.Live():
                self.lost_turns.update(event.lost_turns)
            case media.TurnStarted(role="agent"):
                self._begun += 1
            case media.TurnAudioEnd():
                self._sounded += 1
            case media.TurnEnded(role="agent"):
                self._ended += 1
        self._news.set()

    async def _say(self, prompt: Prompt) -> None:
        """Ask, stop the answer if that is planned, and wait for its end, not for ever."""
        begun, ended = self._begun, self._ended
        if prompt.text:
            self.asked.append(prompt.text)
            await self.call.send_text(prompt.text)
        else:
            await self._speak()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await self._until(lambda: self._begun > begun or self._is_over)
                if prompt.cut_after_s is not None and not self._is_over:
                    await asyncio.sleep(prompt.cut_after_s)
                    await self.call.interrupt()
                await self._until(partial(self._is_answered, ended))

    async def _speak(self) -> None:
        """The sample question, and the silence after it that ends a turn."""
        microphone = Microphone(self.call.send_audio)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(microphone.run())
            await microphone.say(QUESTION)
            await asyncio.sleep(1.5)
            running.cancel()

    async def _ask_last(self, marker: str) -> None:
        """One that must be answered. Raises TimeoutError."""
        for number in range(9 - LAST_TRIES, 9):
            self.asked.append(f"{marker}{number}")
            await self.call.send_text(self.asked[-1])
            ended = self._ended
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_S):
                    await self._until(partial(self._is_answered, ended))
                    return
        raise TimeoutError

    def _is_answered(self, ended: int) -> bool:
        return self._ended > ended or self._is_over

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()
