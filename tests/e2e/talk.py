"""A user of the whole system: speaks recordings, hears answers, remembers every event."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import groupby

from protocol import media
from protocol.audio import AudioFrame
from simulator.speech.samples import SHIPPED
from tests.e2e.conftest import System
from vivavoce import Conversation
from vivavoce.microphone import Microphone
from vivavoce.playback import VirtualSpeaker
from vivavoce.wavefile import read_wav

QUESTION = read_wav(SHIPPED / "question.wav")
INTERRUPTION = read_wav(SHIPPED / "interruption.wav")
Brief = tuple[object, ...]


@dataclass
class User:
    """Sits at one conversation."""

    call: Conversation
    speaker: VirtualSpeaker
    heard: bytearray
    microphone: Microphone
    events: list[object] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        async for event in self.call.events():
            self.events.append(event)
            self._news.set()

    async def until(self, kind: type, count: int = 1, within_s: float = 30.0) -> None:
        """Wait for the `count`-th event of that type."""
        async with asyncio.timeout(within_s):
            while len(self.of(kind)) < count:
                self._news.clear()
                await self._news.wait()

    def of(self, kind: type) -> list[object]:
        return [event for event in self.events if isinstance(event, kind)]

    def received(self, turn: int) -> bytes:
        """All the audio of a turn that arrived."""
        return b"".join(e.pcm for e in self.events if isinstance(e, AudioFrame) and e.turn == turn)

    def said(self, role: str) -> str:
        return "".join(e.text for e in self.events if isinstance(e, media.Transcript) and e.role == role)

    def numbers(self) -> list[tuple[int, int]]:
        """[e, n] of every event, in the order of arrival."""
        return [(e.e, e.n) for e in self.events if getattr(e, "n", 0)]  # type: ignore[attr-defined]

    def story(self) -> list[Brief]:
        """What happened, without what differs from run to run: numbers, figures, how text was split."""
        briefs = [brief for event in self.events if (brief := _brief(event)) is not None]
        told: list[Brief] = []
        for words, group in groupby(briefs, key=lambda brief: brief[:3] if brief[0] == "words" else brief):
            told.append((*words, "".join(str(b[3]) for b in group)) if words[0] == "words" else words)
        return told


def _brief(event: object) -> Brief | None:
    match event:
        case media.Transcript(heard=None, final=final, text=text):
            return (
                ("words", event.role, event.turn, text)
                if text or not final
                else ("said", event.role, event.turn)
            )
        case media.TurnStarted() | media.TurnAudioEnd() | media.TurnEnded():
            return (type(event).__name__, event.role, event.turn)
        case media.TurnInterrupted() | media.Usage() | media.Metrics():
            return (type(event).__name__, event.turn)
        case media.Transcript() | media.Error() | media.Ended() | media.GoingAway():
            return (type(event).__name__,)
    return None


@contextlib.asynccontextmanager
async def user(system: System, **named: object) -> AsyncIterator[User]:
    """A user in a live conversation, microphone on; the session ends with the block."""
    heard = bytearray()
    speaker = VirtualSpeaker(heard.extend)
    call = system.conversation(speaker=speaker, **named)
    async with asyncio.TaskGroup() as tasks, call:
        sitting = User(call, speaker, heard, Microphone(call.send_audio))
        listening = tasks.create_task(sitting.listen())
        sending = tasks.create_task(sitting.microphone.run())
        try:
            yield sitting
            await call.end()
            async with asyncio.timeout(10):
                await listening
        finally:
            sending.cancel()
            listening.cancel()
