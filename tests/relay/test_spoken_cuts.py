"""Spoken questions through killed relays and cut connections: each is answered, once. KILLS_SEED, KILLS."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from tests.relay.spoken_cuts import SpokenScene, answers, answers_to, asked

pytestmark = [pytest.mark.looptime, pytest.mark.timeout(300)]
SEED = int(os.environ.get("KILLS_SEED") or random.randrange(2**32))
KILLS = int(os.environ.get("KILLS") or 30)
ROUNDS = 3


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_each_spoken_question_is_answered_once_whenever_its_relay_is_killed(number: int) -> None:
    print(f"KILLS_SEED={SEED} KILLS={KILLS}")
    async with asyncio.TaskGroup() as tasks:
        scene = SpokenScene(random.Random(SEED + number), tasks)
        await scene.play(KILLS // ROUNDS)
    found, all_asked = answers(scene.book), [asked(each) for each in range(1, KILLS // ROUNDS + 1)]
    assert len(found) == len(all_asked), found
    assert all(answers_to(at, answer) for at, (_, answer) in enumerate(found, 1)), found
    told = zip(all_asked, (words for words, _ in found), strict=True)
    assert all(words in (each, "") for each, words in told), (
        "none: the model had not told them when it was cut"
    )
