"""Tracks whether the user's prompts have been answered, and with what latency."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.audio import AudioFrame
from protocol.media import TurnEnded, TurnInterrupted, TurnStarted

if TYPE_CHECKING:
    from vivavoce import ConversationEvent

ANOTHER_S = 3.0  #: for a further answer to begin


@dataclass(slots=True)
class Prompt:
    """Utterance or text of the user. Loop times."""

    after_turn: int  #: the agent's turns up to this one had been heard when it began
    ended_at: float | None = None  #: end of speech, or of the typed text
    first_audio_at: float | None = None

    @property
    def first_audio_ms(self) -> int | None:
        """Latency from the end of speech to the answer's first audio frame; None while there is none."""
        if self.ended_at is None or self.first_audio_at is None:
            return None
        return round((self.first_audio_at - self.ended_at) * 1000)


class Answers:
    """Answers to prompts, derived from every event of a conversation; wakes those who wait for one."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []
        self._heard_turn = 0  #: newest turn with audio
        self._user_turn = 0
        self._interrupted_turn = 0
        self._open: set[int] = set()  #: agent turns that began and did not end
        self._completed: dict[int, float] = {}  #: agent turn -> when it ended by itself
        self._changed = asyncio.Event()

    def begin(self) -> Prompt:
        """Record that the user begins a prompt."""
        self.prompts.append(Prompt(self._heard_turn))
        return self.prompts[-1]

    def note(self, event: ConversationEvent, now: float) -> None:
        match event:
            case AudioFrame():
                self._note_audio(event.turn, now)
            case TurnStarted(role="user"):
                self._user_turn = max(self._user_turn, event.turn)
            case TurnStarted():
                self._open.add(event.turn)
            case TurnInterrupted():
                self._interrupted_turn = max(self._interrupted_turn, event.turn)
                self._open.discard(event.turn)
            case TurnEnded(role="agent"):
                self._open.discard(event.turn)
                if event.turn > self._interrupted_turn:
                    self._completed[event.turn] = now
        self._changed.set()

    async def begun(self, prompt: Prompt) -> None:
        """Wait for the first audio of the answer."""
        await self._until(lambda: prompt.first_audio_at is not None)

    async def complete(self, prompt: Prompt) -> None:
        """Wait until the agent has answered all of it, and no turn of the agent is open.

        A recording may hold several utterances, so after an answer that was complete before the end of
        speech there is ANOTHER_S for another one.
        """
        assert prompt.ended_at is not None
        while (answered_at := await self._answer(prompt, other_than=0.0)) < prompt.ended_at:
            try:
                async with asyncio.timeout(ANOTHER_S):
                    await self._answer(prompt, other_than=answered_at)
            except TimeoutError:
                return

    async def _answer(self, prompt: Prompt, other_than: float) -> float:
        await self._until(lambda: self._answered_at(prompt) != other_than)
        return self._answered_at(prompt)

    def _answered_at(self, prompt: Prompt) -> float:
        """Loop time at which the newest answer was complete; 0 while one is due, or the agent speaks."""
        ended = [
            at for turn, at in self._completed.items() if turn > prompt.after_turn and turn >= self._user_turn
        ]
        return max(ended) if ended and not self._open else 0.0

    def _note_audio(self, turn: int, now: float) -> None:
        self._heard_turn = max(self._heard_turn, turn)
        for prompt in self.prompts:
            if prompt.first_audio_at is None and turn > prompt.after_turn:
                prompt.first_audio_at = now

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()
