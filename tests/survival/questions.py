"""Spoken questions that something meets: what becomes of each, by the record and its client's events."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from infra.local.stack import LocalStack
from protocol import media
from tests.survival.crew import QUESTION, Mate, kept

WORDS = "Could you tell me when the next train leaves?"
QUESTION_S = len(QUESTION) / 32_000
ANSWERED_S = 30.0  #: for all to be live again, and answered


@dataclass
class Asked:
    """One spoken question, and what met it. Monotonic seconds."""

    mate: Mate
    at: float
    met_at: float
    first_event: int = 0  #: of the mate's events, when it was asked
    met_event: int = 0  #: likewise, when it was met
    turns_before: int = 0  #: highest turn that was told by then

    def ask(self, words: bytes = QUESTION) -> None:
        """Begin to speak."""
        self.first_event = self.met_event = len(self.mate.events)
        self.turns_before = last_turn(self.mate)
        self.mate.say(words)

    def meet(self) -> None:
        """It happens now."""
        self.met_at, self.met_event = time.monotonic(), len(self.mate.events)

    @property
    def instant(self) -> str:
        if self.answered_before:
            return "after its answer"
        if self.met_at < self.at + QUESTION_S:
            return "in the question"
        return "in the answer" if self.has_begun else "before the answer"

    @property
    def events(self) -> list[object]:
        return self.mate.events[self.first_event :]

    @property
    def before(self) -> list[object]:
        return self.mate.events[self.first_event : self.met_event]

    @property
    def answered_before(self) -> bool:
        return bool(ended(self.before))

    @property
    def has_begun(self) -> bool:
        return any(isinstance(e, media.TurnStarted) and e.role == "agent" for e in self.before)

    @property
    def answers(self) -> list[int]:
        """Turns in which it was told to be answered, by the next relay from the record if need be."""
        told = {each.turn for each in ended(self.events) if each.outcome in ("", "completed")}
        kept = [past for each in self.events if isinstance(each, media.History) for past in each.turns]
        told |= {past.turn for past in kept if past.agent and past.turn > self.turns_before}
        return sorted(told)


def ended(events: list[object]) -> list[media.TurnEnded]:
    return [each for each in events if isinstance(each, media.TurnEnded) and each.role == "agent"]


def last_turn(mate: Mate) -> int:
    return max((each.turn for each in mate.events if isinstance(each, media.TurnStarted)), default=0)


async def answered(question: Asked) -> None:
    """Until it is, or will not be any more."""
    with contextlib.suppress(TimeoutError):
        await question.mate.until(lambda: bool(question.answers), ANSWERED_S)


async def judge(stack: LocalStack, asked: Asked) -> str:
    """What the record and the client have of it. In capitals: what must not be."""
    record = [turn for turn in await kept(stack, asked.mate) if turn.number > asked.turns_before]
    answered = [
        turn for turn in record if turn.agent_text and turn.outcome != "lost"
    ]  # those are given again
    if len(asked.answers) > 1 or len(answered) > 1:
        return "TWICE"
    if [turn for turn in answered if not turn.user_text or turn.user_text not in WORDS]:
        return "PHANTOM"
    if not asked.answers or not answered:
        lost = [lost for told in asked.events if isinstance(told, media.Live) for lost in told.lost_turns]
        return "LOST, AND TOLD SO" if lost else "LOST"
    return "answered" if answered[0].user_text == WORDS else "HALF OF IT ANSWERED"


def story(asked: Asked) -> str:
    """What its client was told, for a reader who must find out why."""
    told = [
        f"{type(each).__name__} {getattr(each, 'turn', '')} {getattr(each, 'role', '')}"
        f" {getattr(each, 'outcome', '') or getattr(each, 'text', '')}"
        for each in asked.events
        if not isinstance(each, media.Ack | media.Pong | media.Metrics | media.Usage)
    ]
    after_s = asked.met_at - asked.at
    return f", {after_s:.1f} s after it began: " + ", ".join(told)


def is_bad(found: tuple[str, str]) -> bool:
    """By when it was met, and the verdict."""
    return found[1].isupper()
