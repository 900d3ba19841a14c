"""Each question is answered once, at whatever event of its answer's end the leg is lost. ENDS_SEED, ENDS."""

from __future__ import annotations

import os
import random

import pytest

from gemini.profiles import MODELS
from tests.relay.answer_ends import EndingModel, Habits, Scene, is_sound
from tests.relay.calls import lone_call

pytestmark = [pytest.mark.looptime, pytest.mark.timeout(300)]
SEED = int(os.environ.get("ENDS_SEED") or random.randrange(2**32))
ENDS = int(os.environ.get("ENDS") or 240)  #: questions in all
EACH = 10  #: of one conversation


def habits(chance: random.Random) -> Habits:
    words = chance.choice(["with", "end", "late", "never", "unended"])
    return Habits(chance.random() < 0.5, words, chance.random() < 0.85, chance.random() < 0.5)


@pytest.mark.parametrize("name", MODELS)
async def test_each_question_is_answered_once_wherever_in_its_answers_end_the_leg_is_cut(name: str) -> None:
    print(f"ENDS_SEED={SEED} ENDS={ENDS}")
    for number in range(max(1, ENDS // len(MODELS) // EACH)):
        chance = random.Random(f"{SEED} {name} {number}")
        here = EndingModel(name, habits(chance), chance)
        async with lone_call(here) as (call, _):
            scene = Scene(call, here, chance)
            await scene.ask("q0", spares=True)
            for at in range(1, EACH + 1):
                asked = await scene.ask(f"q{at}")
                assert asked.is_right, f"conversation {number}: {here.habits} {asked}"
        assert all(map(is_sound, here.histories)), here.histories
