"""An answer that breaks off with its leg is told as lost, and its question asked again. In virtual time."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from protocol import media
from protocol.audio import uplink_ms
from relay.model.port import UpstreamError
from relay.model.replay_buffer import LEAD_S, TAIL_S
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model
from tests.relay.speech import hush, question, speak
from tests.relay.test_rotation import SECOND, one_turn
from tests.relay.test_watchdogs import ends

pytestmark = pytest.mark.looptime

LOST = UpstreamError("upstream_unavailable")
WHOLE = b"".join(question()[:170])
ENDED = model.TurnCompleted(idle=True)
AT_NINE = (SECOND, model.Said("At nine."), model.GenerationEnded(), ENDED)


async def half_an_answer(listener: Listener, here: Model, *, pause_s: float = 1) -> int:
    """A question by voice, and five seconds of an answer in a quiet room. Returns the next frame."""
    number = await hush(listener, 1, await speak(listener, question()))
    here.leg.say(model.Heard("Why?"), SECOND, model.Said("Because."), model.GenerationEnded(), ENDED)
    number = await hush(listener, 1, number)
    here.leg.say(model.HandleChanged("after why"))
    number = await speak(listener, question(), await hush(listener, 1, number))
    number = await hush(listener, pause_s, number)
    here.leg.say(model.Heard("When?"), *([SECOND] * 6), model.Said("At"))
    return await hush(listener, 5, number)


@pytest.mark.parametrize("pause_s", [1, 0], ids=["usual", "before we knew that he had stopped"])
async def test_an_answer_that_broke_off_is_told_as_lost_and_its_question_asked_again_as_it_was_said(
    pause_s: float,
) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await half_an_answer(listener, here, pause_s=pause_s)
        here.leg.say(LOST)
        number = await hush(listener, 2, number)
        assert here.leg.handle == "after why"
        assert bytes(here.leg.pcm).count(WHOLE) == 1
        most_ms = len(question()) * 20 + (LEAD_S + TAIL_S + 2.5) * 1000
        assert uplink_ms(len(here.leg.pcm)) < most_ms, "the room during the answer is no question"
        here.leg.say(model.Heard("When?"), *AT_NINE)
        await hush(listener, 2, number)
        assert [(told.turn, told.outcome) for told in ends(listener)] == [
            (1, "completed"), (2, "lost"), (3, "completed"),
        ]  # fmt: skip
        assert [(turn.user_text, turn.agent_text) for _, turn in here.book.turns[1:]] == [
            ("When?", "At"), ("", "At nine."),
        ]  # fmt: skip
        here.leg.say(model.HandleChanged("answered"))
        await asyncio.sleep(6)
        here.leg.say(LOST)
        await asyncio.sleep(1)
        assert here.leg.handle == "answered" and WHOLE not in bytes(here.leg.pcm)


async def test_typed_words_are_asked_again_once_and_a_second_break_is_only_told() -> None:
    async with lone_call(Model(takes_history_late=True)) as (call, here):
        listener = Listener(call)
        await one_turn(here)
        listener.say(media.Text("and now?"))
        for _ in range(2):
            await asyncio.sleep(6)
            here.leg.say(SECOND, model.Said("well"))
            await asyncio.sleep(0.2)
            here.leg.say(LOST)
        await asyncio.sleep(6)
        assert [leg.commands for leg in here.legs] == [[model.SayText("and now?", respond=True)]] * 2 + [
            [model.Recall((("user", "and now?"), ("agent", "well"), ("agent", "well")))]
        ]
        assert [told.outcome for told in ends(listener)] == ["completed", "lost", "lost"]


async def test_a_leg_that_knows_nothing_is_not_told_of_the_half_answer_and_asked_as_well() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await half_an_answer(listener, here)
        here.refuse = ["upstream_invalid"]
        here.leg.say(LOST)
        await hush(listener, 4, number)
        assert here.leg.handle is None
        assert here.leg.commands == [model.Recall((("user", "Why?"), ("agent", "Because.")))]
        assert bytes(here.leg.pcm).count(WHOLE) == 1


@pytest.mark.parametrize("by", ["voice", "button", "speaking"])
async def test_an_answer_that_the_user_has_interrupted_is_not_asked_for_again(by: str) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await half_an_answer(listener, here)
        if by == "voice":
            here.leg.say(model.Interrupted())
        elif by == "button":
            listener.say(media.Interrupt(2, 4_000))
        else:
            number = await speak(listener, question()[:100], number)
        await asyncio.sleep(0.1)
        here.leg.say(LOST)
        await hush(listener, 2, number)
        assert len(here.legs) == 2 and WHOLE not in bytes(here.leg.pcm)


async def test_an_answer_of_which_all_sound_had_come_is_not_asked_for_again() -> None:
    """Of a model that splits its replies, more may come: `turnComplete` says, see test_split_replies.py."""
    async with lone_call(Model(splits_replies=False)) as (call, here):
        listener = Listener(call)
        number = await half_an_answer(listener, here)
        here.leg.say(model.GenerationEnded(), LOST)
        await hush(listener, 3, number)
        assert WHOLE not in bytes(here.leg.pcm)
        assert [told.outcome for told in ends(listener)] == ["completed", "completed"]


async def test_an_answer_for_which_a_tool_was_called_is_not_begun_anew() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await half_an_answer(listener, here)
        here.leg.say(model.ToolRequested("t1", "weather", {}))
        await asyncio.sleep(0.1)
        here.leg.say(LOST)
        await hush(listener, 2, number)
        assert WHOLE not in bytes(here.leg.pcm)


async def test_what_was_typed_into_an_answer_that_broke_off_is_asked_with_it() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await half_an_answer(listener, here)
        listener.say(media.Text("no, today"))
        await asyncio.sleep(0.1)
        here.leg.say(LOST)
        await hush(listener, 2, number)
        assert bytes(here.leg.pcm).count(WHOLE) == 1
        assert here.leg.commands[-1] == model.SayText("no, today", respond=True)
