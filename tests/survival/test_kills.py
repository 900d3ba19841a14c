"""A relay killed at random instants, with questions and answers under way: what becomes of each of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from infra.local.stack import LocalStack
from protocol import media
from tests.survival.crew import QUESTION, Mate, crew, deployment, each, kept

KILLS = int(os.environ.get("KILLS", "200"))  #: of a conversation
WITHIN_S = float(os.environ.get("KILLS_WITHIN_S", "inf"))  #: no round begins later: for a run in pieces
SEED = int(os.environ.get("KILLS_SEED", "0")) or random.randrange(1, 2**31)
CALLS = 10  #: on the relay that is killed: so many questions are met at once, each in another instant
WORDS = "Could you tell me when the next train leaves?"
QUESTION_S = len(QUESTION) / 32_000
ASKED_WITHIN_S = (
    9.0  #: from the first question of a round to its kill: of a question, its answer and the quiet
)
NAMES = [f"mate {number}" for number in range(CALLS)]
ANSWERED_S = 30.0  #: for all to be live again, and answered

pytestmark = [pytest.mark.kills, pytest.mark.timeout(3_000)]


@dataclass
class Asked:
    """One spoken question, and the kill that met it. Monotonic seconds."""

    mate: Mate
    at: float
    killed_at: float
    first_event: int  #: of the mate's events, when it was asked
    turns_before: int  #: highest turn that was told by then

    @property
    def instant(self) -> str:
        if self.answered_before:
            return "after its answer"
        if self.killed_at < self.at + QUESTION_S:
            return "in the question"
        return "in the answer" if self.has_begun else "before the answer"

    @property
    def events(self) -> list[object]:
        return self.mate.events[self.first_event :]

    @property
    def before(self) -> list[object]:
        lives = [index for index, told in enumerate(self.events) if isinstance(told, media.Live)]
        return self.events[: lives[0]] if lives else self.events

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


async def one_round(stack: LocalStack, mates: list[Mate], chance: random.Random) -> list[Asked]:
    """All ask, each at its own moment; the relay is killed; all are answered again."""
    running = [task for task in stack.tasks.all if task.exit_status is None and task.process_id]
    epochs = {mate.name: mate.epoch for mate in mates}
    begins_at = time.monotonic() + 0.1
    asked = [
        Asked(mate, begins_at + chance.uniform(0, ASKED_WITHIN_S), begins_at + ASKED_WITHIN_S, 0, 0)
        for mate in mates
    ]
    for question in sorted(asked, key=lambda each: each.at):
        await asyncio.sleep(question.at - time.monotonic())
        question.first_event, question.turns_before = len(question.mate.events), last_turn(question.mate)
        question.mate.say(QUESTION)
    await asyncio.sleep(begins_at + ASKED_WITHIN_S - time.monotonic())
    for task in running:
        assert task.process_id
        os.kill(task.process_id, signal.SIGKILL)
    for question in asked:
        question.killed_at = time.monotonic()
    await each(mates, lambda mate: mate.until(lambda: mate.epoch > epochs[mate.name], ANSWERED_S))
    async with asyncio.TaskGroup() as waiting:
        for question in asked:
            waiting.create_task(answered(question))
    await asyncio.sleep(2.0)  # for a second answer, that nobody wants
    return asked


async def answered(question: Asked) -> None:
    """Until it is, or will not be any more."""
    with contextlib.suppress(TimeoutError):
        await question.mate.until(lambda: bool(question.answers), ANSWERED_S)


async def judge(stack: LocalStack, asked: Asked) -> str:
    """What the record and the client have of it. In capitals: what must not be."""
    record = [turn for turn in await kept(stack, asked.mate) if turn.number > asked.turns_before]
    answered = [turn for turn in record if turn.agent_text]
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
        for each in asked.events
        if not isinstance(each, media.Ack | media.Pong | media.Metrics | media.Usage)
    ]
    after_s = asked.killed_at - asked.at
    return f", {after_s:.1f} s after it began: " + ", ".join(told)


def is_bad(found: tuple[str, str]) -> bool:
    """By when it was killed, and the verdict."""
    return found[1].isupper()


async def test_a_relay_killed_at_any_instant_loses_no_question_and_invents_none() -> None:
    chance, found = random.Random(SEED), Counter[tuple[str, str]]()
    print(f"\nseed {SEED}: {KILLS} kills of a conversation, {CALLS} with each relay")
    async with deployment(CALLS) as (stack, _), crew(stack, NAMES) as mates:
        await each(mates, lambda mate: mate.ask("hello"))
        ends_at = time.monotonic() + WITHIN_S
        for _ in range(KILLS // CALLS):
            if time.monotonic() > ends_at:
                break
            for question in await one_round(stack, mates, chance):
                verdict = await judge(stack, question)
                found[question.instant, verdict] += 1
                if is_bad((question.instant, verdict)):
                    told = f"  {verdict}: {question.mate.name}, killed {question.instant}{story(question)}"
                    print(told, flush=True)  # a run that is cut off has told what it found
            print(
                f"{found.total()} kills: {dict(Counter(verdict for _, verdict in found.elements()))}",
                flush=True,
            )
    print(f"{found.total()} kills")
    for (instant, verdict), count in sorted(found.items()):
        print(f"{instant:20} {verdict:32} {count:5}")
    assert not list(filter(is_bad, found))
