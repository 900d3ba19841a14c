"""A user who types one question after the other, each answer's leg being cut at some event around its end.

In virtual time and without sockets. The model stands in for what a real one might do: in each dialect, with
its words at once, late or never, its ends told or not, with handles that remember, and with or without the
habit of answering a history that ends on a question.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gemini import messages as model
from gemini import profiles
from gemini.messages import Credential, ModelCommand, ModelEvent
from protocol import media
from relay.call.call import Call
from relay.model.port import ModelLeg, UpstreamError
from tests.relay.calls import Listener
from tests.relay.fakes import Model, ScriptedLeg, voice

PIECE_S = 0.2  #: of the agent's voice
APART_S = 0.03  #: pieces come faster than they play
SETTLED_S = 14.0  #: after a question: its answer, given twice perhaps, has played and is over
CODES = [
    *("upstream_unavailable", "upstream_overload", "upstream_quota"),
    *("upstream_policy", "upstream_context_full"),
]
LONG_LEFT_S = 3600.0

Line = tuple[str, str]  #: role and text


@dataclass(frozen=True)
class Habits:
    """Of one model, for one conversation."""

    answers_history: bool  #: it answers a history, or a memory, that ends on a question
    words: str  #: of an answer: with its sound, at its end, late, never, or without a full stop
    tells_generated: bool
    is_prompt: bool  #: the turn is complete as soon as all has come, else when it has played


@dataclass
class Cut:
    """What happens to the leg, and whether the user stops the answer."""

    after: int | None  #: so many of the answer's events; None: it lives
    at_once: bool  #: in the instant of that event
    code: str
    goes_away_s: float | None  #: said at the answer's beginning
    stop_s: float | None  #: the user stops the answer so long after it began


@dataclass
class Begun:
    """An answer as the model began it."""

    words: str
    has_sounded: bool = False
    is_whole: bool = False  #: it was sent to its last end


class EndingLeg(ScriptedLeg):
    """Answers what it is told, by a script that may end with the leg."""

    def __init__(self, handle: str | None, here: EndingModel) -> None:
        super().__init__(handle)
        self._here = here
        self._lines = list(here.memory.get(handle or "", ()))
        self._answering: asyncio.Task[None] | None = None

    async def send(self, command: ModelCommand) -> None:
        await super().send(command)
        match command:
            case model.Recall(said):
                self._here.histories.append(said)
                self._lines += said
            case model.SayText(text):
                self._lines.append(("user", text))
                self._begin()
            case model.StopAnswer() if self._here.profile.interrupt.value == "client_content":
                if self._answering is not None and not self._answering.done():
                    self._answering.cancel()
                    self.say(model.Interrupted(), model.TurnCompleted(idle=True))
                    self._lines.append(("agent", "(stopped)"))

    def look_back(self) -> None:
        """It is open and knows all that it will."""
        if self._here.habits.answers_history and self._lines and self._lines[-1][0] == "user":
            self._begin()

    async def close(self) -> None:
        await super().close()
        if self._answering is not None:
            self._answering.cancel()

    def _begin(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
        self._answering = asyncio.create_task(self._answer(self._lines[-1][1]))

    async def _answer(self, asked: str) -> None:
        await asyncio.sleep(self._here.chance.uniform(0.05, 0.5))
        begun = Begun(f"You said {asked}.")
        self._here.begun.append(begun)
        cut, self._here.cut = self._here.cut, Cut(None, False, "", None, None)
        if cut.goes_away_s is not None:
            self.say(model.LegEnding(cut.goes_away_s))
        script = [*self._here.script(begun)]
        for count, (event, wait_s) in enumerate(script):
            if cut.after == count:
                return self._break(cut)
            self.say(event)
            begun.has_sounded |= isinstance(event, model.Audio)
            if isinstance(event, model.TurnCompleted) and event.idle:
                begun.is_whole = True
                self._lines.append(("agent", begun.words))
            if not (cut.after == count + 1 and cut.at_once):
                await asyncio.sleep(wait_s)
        if cut.after is not None:
            return self._break(cut)
        self._offer()
        return None

    def _break(self, cut: Cut) -> None:
        self.say(UpstreamError(cut.code))

    def _offer(self) -> None:
        handle = f"handle {len(self._here.memory)}"
        self._here.memory[handle] = list(self._lines)
        self.say(model.HandleChanged(handle))


class EndingModel(Model):
    def __init__(self, name: str, habits: Habits, chance: random.Random) -> None:
        super().__init__()
        self.names, self.habits, self.chance = [name], habits, chance
        self.profile = profiles.of(name)
        self.memory: dict[str, Sequence[Line]] = {}
        self.histories: list[Sequence[Line]] = []
        self.begun: list[Begun] = []
        self.cut = Cut(None, False, "", None, None)  #: of the next answer

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        self.tries += 1
        leg = EndingLeg(handle, self)
        self.legs.append(leg)
        self.opened.set()
        asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(leg.look_back))
        return leg

    def script(self, begun: Begun) -> Iterator[tuple[ModelEvent, float]]:
        """Events of an answer, with the time behind each."""
        if self.profile.splits_replies.value:
            yield from self._part("Let me think.", 2, is_last=False)
        yield from self._part(begun.words, self.chance.randint(1, 5), is_last=True)

    def _part(self, words: str, pieces: int, *, is_last: bool) -> Iterator[tuple[ModelEvent, float]]:
        how = self.habits.words
        said = words.rstrip(".") if how == "unended" else words
        for number in range(pieces):
            yield model.Audio(voice(round(PIECE_S * 48_000))), 0.0 if how == "with" else APART_S
            if number == 0 and how in ("with", "unended"):
                yield model.Said(said), APART_S
        if how == "end":
            yield model.Said(said), 0.0
        if self.habits.tells_generated:
            yield model.GenerationEnded(), 0.0 if self.habits.is_prompt else pieces * PIECE_S
        if how == "late":
            yield model.Said(said), 0.1
        yield model.TurnCompleted(idle=is_last), 0.05


@dataclass
class Asked:
    """One question, and what came of it."""

    text: str
    cut: Cut
    was_stopped: bool = False
    outcomes: list[str] = field(default_factory=list)
    begun: list[Begun] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Answered once, whatever broke off before, and what was sent to its end is not told as lost."""
        *before, last = self.outcomes or [""]
        if last != "completed" and not (self.was_stopped and last == "interrupted"):
            return False
        return all(outcome == "lost" for outcome in before) and (self.was_stopped or self._is_as_sent)

    @property
    def _is_as_sent(self) -> bool:
        """Each answer that the model began is a turn; and none that it sent whole is lost."""
        if len(self.begun) != len(self.outcomes):
            return False
        ends = zip(self.begun, self.outcomes, strict=True)
        return not any(begun.is_whole and outcome == "lost" for begun, outcome in ends)


class Scene:
    """One conversation with one model."""

    def __init__(self, call: Call, here: EndingModel, chance: random.Random) -> None:
        self._listener, self._here, self._chance = Listener(call), here, chance
        self._told = 0
        self._number = 0

    async def ask(self, text: str, *, spares: bool = False) -> Asked:
        cut = Cut(None, False, "", None, None) if spares else self._draw()
        asked = Asked(text, cut)
        self._here.cut, before = cut, len(self._here.begun)
        self._listener.say(media.Text(text))
        until = _now() + SETTLED_S
        await self._stop(asked, until)
        await asyncio.sleep(until - _now())
        ends = [
            told for told in self._told_anew() if isinstance(told, media.TurnEnded) and told.role == "agent"
        ]
        asked.outcomes = [told.outcome for told in ends]
        asked.begun = [begun for begun in self._here.begun[before:] if begun.has_sounded]
        return asked

    def _draw(self) -> Cut:
        chance = self._chance
        events = sum(1 for _ in self._here.script(Begun("")))
        return Cut(
            chance.randint(0, events) if chance.random() < 0.85 else None,
            chance.random() < 0.6,
            chance.choice(CODES),
            chance.choice([None, None, 0.0, 2.3, 20.0, LONG_LEFT_S]),
            chance.uniform(0.0, 1.2) if chance.random() < 0.3 else None,
        )

    async def _stop(self, asked: Asked, until: float) -> None:
        """The user stops what he hears, if it is still the answer that runs for him."""
        if asked.cut.stop_s is None:
            return
        while not (begun := self._running()) and _now() < until - 5:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # virtual
        await asyncio.sleep(asked.cut.stop_s)
        if begun and (number := self._running()):
            asked.was_stopped = True
            self._listener.say(media.Interrupt(number, 100))

    def _running(self) -> int:
        """Number of the agent's turn that runs; 0: none."""
        number = 0
        for told in self._listener.read():
            if isinstance(told, media.TurnStarted) and told.role == "agent":
                number = told.turn
            elif isinstance(told, media.TurnEnded) and told.turn == number:
                number = 0
        return number

    def _told_anew(self) -> list[object]:
        got = self._listener.read()
        told, self._told = got[self._told :], len(got)
        return told


def is_sound(history: Sequence[Line]) -> bool:
    """It does not end on a question, nor has two of them in a row."""
    roles = [role for role, _ in history]
    return roles[-1:] != ["user"] and ("user", "user") not in pairwise(roles)


def _now() -> float:
    return asyncio.get_running_loop().time()
