"""A model that thinks first answers in two parts, and often begins the first one with the same words."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from protocol import media
from relay.call.transcript import SETTLE_S
from relay.model.port import UpstreamError
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model, voice
from tests.relay.speech import hush
from tests.relay.test_broken_answers import AT_NINE, WHOLE, half_an_answer
from tests.relay.test_watchdogs import ends

pytestmark = pytest.mark.looptime

FRAME_S = 0.04
LATE_S = 0.64  #: by which the words of a part are behind its sound
FILLER = ["Let", " me", " th", "ink", " ab", "out", " that."]


async def say_part(here: Model, pieces: list[str], speed: float, *, lasts_s: float = 2.0) -> None:
    """One part of a reply, with its words."""
    places = (round((LATE_S + n * (lasts_s - 0.8) / len(pieces)) / FRAME_S) for n in range(len(pieces)))
    at = dict(zip(places, pieces, strict=True))
    for frame in range(int(lasts_s / FRAME_S)):
        here.leg.say(model.Audio(voice(1920)))
        if frame in at:
            here.leg.say(model.Said(at[frame]))
        await asyncio.sleep(FRAME_S / speed)


@pytest.mark.parametrize(("speed", "pause_s"), [(1.0, 0.5), (8.0, 0.06)])
async def test_the_words_of_each_part_are_in_their_turn_without_a_full_stop_at_its_end(
    speed: float, pause_s: float
) -> None:
    questions = [f"ask105x{number}" for number in (1, 2, 3, 6)]
    async with lone_call(Model(splits_replies=True)) as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.1)
        for question in questions:
            listener.say(media.Text(question))
            await asyncio.sleep(pause_s)
            await say_part(here, FILLER, speed)
            here.leg.say(model.GenerationEnded(), model.TurnCompleted(idle=False))
            await asyncio.sleep(pause_s)
            await say_part(here, ["You", " wr", "ote:", " ask", question[3:]], speed)
            here.leg.say(model.GenerationEnded(), model.TurnCompleted(idle=True))
            await asyncio.sleep(pause_s)
        await asyncio.sleep(2 * SETTLE_S + 1)
    kept = {turn.number: turn for turn in [*(turn for _, turn in here.book.turns), *here.book.amended]}
    said = [(kept[n].user_text, kept[n].agent_text.replace(" ", "")) for n in sorted(kept)]
    assert said == [(each, f"Letmethinkaboutthat.Youwrote:{each}") for each in questions]


async def test_a_question_is_asked_again_when_the_leg_is_lost_between_two_parts_of_its_answer() -> None:
    async with lone_call(Model(splits_replies=True)) as (call, here):
        listener = Listener(call)
        number = await half_an_answer(listener, here)
        here.leg.say(model.GenerationEnded(), model.TurnCompleted(idle=False))
        number = await hush(listener, 3, number)
        here.leg.say(UpstreamError("upstream_unavailable"))
        number = await hush(listener, 2, number)
        assert bytes(here.leg.pcm).count(WHOLE) == 1
        here.leg.say(*AT_NINE)
        await hush(listener, 2, number)
        assert [told.outcome for told in ends(listener)] == ["completed", "lost", "completed"]
