"""A user who asks by voice while connections are cut and relays are killed, in virtual time, without sockets.

Each 20 ms of a question carries the question's number and its own in its first two samples, so that the model
can tell whether it heard all of it, in order and once.
"""

from __future__ import annotations

import asyncio
import random
import re
import struct
from collections import deque
from collections.abc import Iterator
from itertools import cycle

from gemini import messages as model
from gemini.messages import Credential, ModelCommand
from records.sessions import Session
from relay.model.port import ModelLeg
from relay.turn import Turn
from tests.relay.cuts import AnsweringModel, Scene, SlowBook, Typist
from tests.relay.fakes import ScriptedLeg, voice
from tests.relay.speech import question

FRAME_S = 0.02
QUIET = bytes(640)
PLANT = struct.Struct("<hh")  #: a question's number, from 1, and the frame's in it
LENGTH = len(question())
PAUSE = 25  #: frames of quiet after which the model answers
THINK_S = 1.5  #: longest, until its answer begins
WORDS_S = 3.0  #: how late the words of a question may come, from its end on
ANSWER = 10, 24  #: least and most pieces of an answer
PIECE_S = 0.2  #: of the agent's voice


def planted(number: int) -> list[bytes]:
    """Question number so-and-so."""
    return [PLANT.pack(number, at) + pcm[PLANT.size :] for at, pcm in enumerate(question())]


class ListeningLeg(ScriptedLeg):
    """Answers each question that it heard, by voice or as text, after a while."""

    def __init__(self, handle: str | None, chance: random.Random) -> None:
        super().__init__(handle)
        self._chance = chance
        self._heard: list[tuple[int, int]] = []  #: what was said lately and is not answered
        self._quiet = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def send_audio(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), len(QUIET)):
            number, place = PLANT.unpack_from(pcm, at)
            if number:
                self._heard.append((number, place))
            self._quiet = 0 if number else self._quiet + 1
            if self._quiet == PAUSE and self._heard:
                self._begin(understood(self._heard))
                self._heard = []

    async def send(self, command: ModelCommand) -> None:
        await super().send(command)
        if isinstance(command, model.SayText):
            self._begin(command.text, is_heard=False)

    async def close(self) -> None:
        await super().close()
        for task in self._tasks:
            task.cancel()

    def _begin(self, words: str, *, is_heard: bool = True) -> None:
        for work in (self._answer(words), *([self._write_down(words)] if is_heard else [])):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _write_down(self, words: str) -> None:
        await asyncio.sleep(self._chance.choice([0.05, self._chance.uniform(0, WORDS_S)]))
        self.say(model.Heard(words))

    async def _answer(self, words: str) -> None:
        await asyncio.sleep(self._chance.uniform(0.1, THINK_S))
        said = answer(words)
        for number in range(self._chance.randint(*ANSWER)):
            self.say(model.Audio(voice(round(PIECE_S * 48_000))))
            if number % 2 == 0:  # words are as long as they are spoken
                self.say(model.Said(next(said)))
            await asyncio.sleep(PIECE_S * self._chance.uniform(0.3, 1.0))
        self.say(model.Said("."), model.GenerationEnded(), model.TurnCompleted(idle=True))
        self.say(model.HandleChanged(f"after {words}"))


def understood(heard: list[tuple[int, int]]) -> str:
    """The words of a question that was heard whole and once; else what was wrong with it."""
    number, _ = heard[0]
    whole = [(number, place) for place in range(LENGTH)]
    return asked(number) if heard == whole else f"There were {len(heard)} frames, {heard[0]} to {heard[-1]}."


def asked(number: int) -> str:
    return f"When does train number {number} leave for the coast today?"


def answer(words: str) -> Iterator[str]:
    """In pieces of a word."""
    number = re.search(r"number (\d+)", words)
    yield from ("Number", f" {number[1] if number else 'unknown'}", " leaves", " at", " nine")
    yield from cycle((" and", " goes", " on"))


class ListeningModel(AnsweringModel):
    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        self.legs.append(ListeningLeg(handle, self._chance))
        return self.legs[-1]


class SlowQuestions(SlowBook):
    """What is not answered is kept too, and words that come late."""

    async def amend_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        await self.save_turn(session, epoch, turn)


class Talker(Typist):
    """Has a microphone, which is open all the time."""

    def __init__(self) -> None:
        super().__init__()
        self._words: deque[bytes] = deque()

    def ask(self, number: int) -> None:
        self._words.extend(planted(number))

    async def run(self) -> None:
        """The microphone, until cancelled."""
        while True:
            await asyncio.sleep(FRAME_S)
            pcm = self._words.popleft() if self._words else QUIET
            self._outbox.audio(self.session.audio(pcm))


class SpokenScene(Scene):
    """One question after the other, each with a kill or a cut at some instant after its beginning."""

    book: SlowQuestions
    typist: Talker

    def _cast(self, record: Session) -> None:
        self.book, self.typist = SlowQuestions(record, self.chance), Talker()
        self.model = ListeningModel(self.chance)

    async def play(self, kills: int) -> None:
        self.typist.join(self.tasks, self.call, 0)
        microphone = self.tasks.create_task(self.typist.run())
        await asyncio.sleep(2)
        for number in range(1, kills + 1):
            self.typist.ask(number)
            await asyncio.sleep(self.chance.uniform(0, 10))
            await self.cut()
            await self._until_answered(number)
        microphone.cancel()
        await self.typist.leave()
        self.call.end("client")

    async def _until_answered(self, number: int) -> None:
        for _ in range(60):
            await asyncio.sleep(0.5)
            if any(answers_to(number, kept.agent_text) for kept in self.book.kept.values()):
                break
        await asyncio.sleep(WORDS_S + 2)  # for late words, and for a second answer, which nobody wants


def answers_to(number: int, words: str) -> bool:
    """That these are a whole answer to that question."""
    return words.startswith(f"Number {number} leaves at nine") and words.endswith(".")


def answers(book: SlowBook) -> list[tuple[str, str]]:
    """What was asked, and to what that was an answer, by the record."""
    kept = [kept for _, kept in sorted(book.kept.items())]
    return [(turn.user_text, turn.agent_text) for turn in kept if turn.agent_text or turn.audio_ms]
