"""A relay killed at random instants, with questions and answers under way: what becomes of each of them."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter

import pytest

from infra.local.stack import LocalStack
from tests.survival.crew import Mate, crew, deployment, each
from tests.survival.questions import ANSWERED_S, Asked, answered, is_bad, judge, story

KILLS = int(os.environ.get("KILLS", "200"))  #: of a conversation
WITHIN_S = float(os.environ.get("KILLS_WITHIN_S", "inf"))  #: no round begins later: for a run in pieces
SEED = int(os.environ.get("KILLS_SEED", "0")) or random.randrange(1, 2**31)
CALLS = 10  #: on the relay that is killed: so many questions are met at once, each in another instant
ASKED_WITHIN_S = (
    9.0  #: from the first question of a round to its kill: of a question, its answer and the quiet
)
NAMES = [f"mate {number}" for number in range(CALLS)]

pytestmark = [pytest.mark.kills, pytest.mark.timeout(3_000)]


async def one_round(stack: LocalStack, mates: list[Mate], chance: random.Random) -> list[Asked]:
    """All ask, each at its own moment; the relay is killed; all are answered again."""
    running = [task for task in stack.tasks.all if task.exit_status is None and task.process_id]
    epochs = {mate.name: mate.epoch for mate in mates}
    begins_at = time.monotonic() + 0.1
    asked = [
        Asked(mate, begins_at + chance.uniform(0, ASKED_WITHIN_S), begins_at + ASKED_WITHIN_S)
        for mate in mates
    ]
    for question in sorted(asked, key=lambda each: each.at):
        await asyncio.sleep(question.at - time.monotonic())
        question.ask()
    await asyncio.sleep(begins_at + ASKED_WITHIN_S - time.monotonic())
    for task in running:
        assert task.process_id
        os.kill(task.process_id, signal.SIGKILL)
    for question in asked:
        question.meet()
    await each(mates, lambda mate: mate.until(lambda: mate.epoch > epochs[mate.name], ANSWERED_S))
    async with asyncio.TaskGroup() as waiting:
        for question in asked:
            waiting.create_task(answered(question))
    await asyncio.sleep(2.0)  # for a second answer, that nobody wants
    return asked


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
