"""A leg whose socket lives, and behind which nobody is: found by the signs that only a model gives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gemini import messages as model
from protocol import media
from relay.call.pulse import LEAST_S, SIGN_S, STOPPED, USUAL_S
from relay.timeouts import Timeouts
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model
from tests.relay.speech import hush, question, speak
from tests.relay.test_rotation import SECOND, one_turn
from tests.relay.test_watchdogs import ends

pytestmark = pytest.mark.looptime

WHOLE = b"".join(question()[:170])
STOPS_S = max(LEAST_S, STOPPED * USUAL_S)
AT_NINE = (SECOND, model.Said("At nine."), model.GenerationEnded(), model.TurnCompleted(idle=True))


@contextlib.asynccontextmanager
async def beating(here: Model, *, at_work: bool) -> AsyncIterator[None]:
    """Handles, or word that the model is at work, from the newest leg as long as this lasts."""

    async def beat() -> None:
        for number in range(10_000):
            here.leg.say(model.AtWork() if at_work else model.HandleChanged(f"beat {number}"))
            await asyncio.sleep(USUAL_S)

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()


async def until_left(here: Model, legs: int, within_s: float) -> float:
    """Returns how long it took until there was another leg."""
    began_at = asyncio.get_running_loop().time()
    here.opened.clear()
    async with asyncio.timeout(within_s):
        await here.opened.wait()
    await asyncio.sleep(0.1)
    assert len(here.legs) == legs + 1
    return asyncio.get_running_loop().time() - began_at


async def test_a_leg_that_gives_its_first_handle_and_nothing_more_is_left_at_the_end_of_the_question() -> (
    None
):
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(model.HandleChanged("first"))
        number = await speak(listener, question())
        await hush(listener, 1, number)
        assert len(here.legs) == 2
        assert bytes(here.leg.pcm).count(WHOLE) == 1 and call.troubles == {"silent_model": 1}


async def test_a_leg_that_never_says_anything_is_left_soon_after_the_question() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await speak(listener, question())
        assert await until_left(here, 1, within_s=SIGN_S + 0.5) > SIGN_S - 0.5
        assert bytes(here.leg.pcm).count(WHOLE) == 1


async def test_a_model_that_gives_no_handles_is_given_its_time() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(model.Heard("Why?"), SECOND, model.Said("So."), model.TurnCompleted(idle=True))
        await asyncio.sleep(5)
        listener.say(media.Text("And now?"))
        await asyncio.sleep(30)
        here.leg.say(*AT_NINE)
        await asyncio.sleep(1)
        assert len(here.legs) == 1 and not call.troubles


@pytest.mark.parametrize("is_deaf", [True, False], ids=["without pongs", "with pongs"])
async def test_a_leg_that_freezes_in_mid_answer_is_left_and_the_question_asked_again(is_deaf: bool) -> None:
    """At once when its socket is dead too; one that answers pings may be a stall, and is given its time."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.is_deaf = is_deaf
        waits_s = STOPS_S if is_deaf else Timeouts().answer_s
        await one_turn(here, answer="Because.")
        number = await hush(listener, 1, await speak(listener, question()))
        async with beating(here, at_work=True):
            here.leg.say(model.Heard("When?"))
            number = await hush(listener, 5, number)
        here.leg.say(SECOND, model.Said("At"))
        assert await until_left(here, 1, within_s=waits_s + 0.5) > waits_s - 0.5
        await hush(listener, 1, number)
        assert bytes(here.leg.pcm).count(WHOLE) == 1
        here.leg.say(*AT_NINE)
        await asyncio.sleep(2)
        assert [told.outcome for told in ends(listener)] == ["completed", "lost", "completed"]


@pytest.mark.parametrize("stalls_s", [4.0, 8.0])
async def test_an_answer_that_stalls_on_a_socket_that_answers_pings_goes_on(stalls_s: float) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here, answer="Because.")
        number = await hush(listener, 1, await speak(listener, question()))
        async with beating(here, at_work=True):
            here.leg.say(model.Heard("When?"))
            number = await hush(listener, 5, number)
        here.leg.say(SECOND, model.Said("At"))
        await hush(listener, 1 + stalls_s, number)
        here.leg.say(SECOND, model.Said(" nine."), model.GenerationEnded(), model.TurnCompleted(idle=True))
        await asyncio.sleep(2)
        assert len(here.legs) == 1 and not call.troubles
        assert [turn.agent_text for _, turn in here.book.turns] == ["Because.", "At nine."]
        assert [told.outcome for told in ends(listener)] == ["completed", "completed"]


async def test_who_speaks_over_an_answer_to_a_leg_that_freezes_is_heard_by_the_next() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        async with beating(here, at_work=True):
            number = await hush(listener, 5, 0)
            here.leg.say(model.Heard("Why?"), *([SECOND] * 20), model.Said("Because"))
        number = await hush(listener, 1, number)
        number = await speak(listener, question(), number)
        await until_left(here, 1, within_s=STOPS_S)
        assert bytes(here.leg.pcm).count(WHOLE) == 1
        (recall,) = here.leg.commands
        assert isinstance(recall, model.Recall) and recall.said[0] == ("user", "Why?")
        here.leg.say(model.Heard("When?"), *AT_NINE)
        await hush(listener, 2, number)
        assert [(turn.user_text, turn.outcome) for _, turn in here.book.turns] == [
            ("Why?", "lost"),
            ("When?", "completed"),
        ]


@pytest.mark.parametrize("at_work", [True, False], ids=["says so", "only gives handles when it is idle"])
async def test_a_model_that_thinks_for_half_a_minute_is_waited_for(at_work: bool) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(model.Heard("Why?"), *([SECOND] * 5), model.Said("Because."))
        await asyncio.sleep(4)
        here.leg.say(model.GenerationEnded(), model.TurnCompleted(idle=True))
        async with beating(here, at_work=False):
            await asyncio.sleep(6)
        listener.say(media.Text("Think."))
        async with beating(here, at_work=True) if at_work else contextlib.nullcontext():
            await asyncio.sleep(30)
        here.leg.say(*AT_NINE)
        await asyncio.sleep(1)
        assert len(here.legs) == 1 and not call.troubles
        assert [turn.agent_text for _, turn in here.book.turns] == ["Because.", "At nine."]


async def test_a_leg_that_freezes_when_it_was_interrupted_is_left_and_what_interrupted_it_is_asked() -> None:
    """Its answer was too short for it to say that it was at work."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        async with beating(here, at_work=False):
            number = await hush(listener, 1, await speak(listener, question()))
        here.leg.say(model.Heard("Why?"), SECOND)
        number = await speak(listener, question()[:40], number)
        here.leg.say(model.Interrupted(), model.TurnCompleted(idle=True))
        number = await speak(listener, question()[40:170], number)
        number = await hush(listener, 4, number)
        assert len(here.legs) == 2 and call.troubles == {"silent_model": 1}
        assert bytes(here.leg.pcm).count(WHOLE) == 1


async def test_a_question_whose_second_leg_freezes_too_is_told_as_lost() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        async with beating(here, at_work=True):
            await asyncio.sleep(6)
        listener.say(media.Text("And now?"))
        await until_left(here, 1, within_s=4)
        here.leg.say(model.HandleChanged("alive"))
        await asyncio.sleep(6)
        assert [told.outcome for told in ends(listener)] == ["lost"]
        assert Timeouts().patience_s > 30 and len(here.legs) == 2


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_question_in_which_the_machine_is_suspended_is_heard_whole(is_told: bool) -> None:
    """The leg gave no sign of life and none of death, and the question was given up as lost."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        last = await speak(listener, question()[:60])
        if is_told:
            call.sleep()
            await asyncio.sleep(60)  # its clock may go on, or not
        call.wake()
        await hush(listener, 2, await speak(listener, question()[60:], last))
        assert len(here.legs) == 2 and WHOLE in bytes(here.leg.pcm)
        here.leg.say(model.Heard("When?"), *AT_NINE)
        await asyncio.sleep(10)
        assert [(end.turn, end.outcome) for end in ends(listener)] == [(1, "completed"), (2, "completed")]
        assert listener.of(media.Error) == []


async def test_an_answer_that_is_awaited_over_a_suspension_is_not_given_up() -> None:
    """When the relay woke, its watchdogs took the time for the model's silence."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        await hush(listener, 1, await speak(listener, question()))
        call.sleep()
        await asyncio.sleep(60)
        assert [end.turn for end in ends(listener)] == [1]
        call.wake()
        await asyncio.sleep(1)
        assert len(here.legs) == 2 and WHOLE in bytes(here.leg.pcm)
        here.leg.say(model.Heard("When?"), *AT_NINE)
        await asyncio.sleep(10)
        assert [(end.turn, end.outcome) for end in ends(listener)] == [(1, "completed"), (2, "completed")]
