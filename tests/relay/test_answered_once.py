"""Whether a question is answered is decided in one place: it is never asked again, and never lost."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from gemini import profiles
from gemini.messages import ModelCommand
from protocol import media
from relay.model.port import UpstreamError
from relay.model.resumption import Resumption
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model
from tests.relay.test_rotation import SECOND, one_turn
from tests.relay.test_watchdogs import ends

pytestmark = pytest.mark.looptime

LOST = UpstreamError("upstream_unavailable")
ENDED = model.TurnCompleted(idle=True)
NOW = model.SayText("and now?", respond=True)
AGED_S = 6.0  #: a leg that is lost sooner counts as one that cannot be used


async def asked(here: Model, listener: Listener, text: str = "and now?") -> None:
    """A turn that a handle holds, then a typed question."""
    await one_turn(here)
    await asyncio.sleep(AGED_S)
    listener.say(media.Text(text))
    await asyncio.sleep(0.2)


def texts(here: Model) -> list[list[ModelCommand]]:
    """What was said to each leg as text."""
    return [[said for said in leg.commands if isinstance(said, model.SayText)] for leg in here.legs]


def outcomes(listener: Listener) -> list[tuple[int, str]]:
    return [(told.turn, told.outcome) for told in ends(listener)]


async def test_an_answer_that_broke_off_and_is_stopped_before_a_leg_is_up_is_asked_for_no_more() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await asked(here, listener)
        here.refuse = ["upstream_overload"]
        here.leg.say(SECOND, SECOND, model.Said("Well, and now?"), LOST)
        await asyncio.sleep(0.2)
        listener.say(media.Interrupt(2, 200))
        await asyncio.sleep(5)
        assert texts(here) == [[NOW], []]
        assert outcomes(listener) == [(1, "completed"), (2, "interrupted")]


async def test_an_answer_that_broke_off_and_is_stopped_is_not_heard_from_the_next_leg() -> None:
    """The model was asked again already, and not every one can be told to be silent."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await asked(here, listener)
        here.leg.say(SECOND, SECOND, model.Said("Well, and now?"), LOST)
        await asyncio.sleep(0.2)
        listener.say(media.Interrupt(2, 200))
        await asyncio.sleep(0.2)
        assert texts(here) == [[NOW], [NOW]]
        here.leg.say(SECOND, model.Said("Well, and now?"), model.GenerationEnded(), ENDED)
        await asyncio.sleep(5)
        assert outcomes(listener) == [(1, "completed"), (2, "interrupted")]
        listener.say(media.Text("and then?"))
        await asyncio.sleep(0.5)
        here.leg.say(SECOND, model.Said("Then."), model.GenerationEnded(), ENDED)
        await asyncio.sleep(1)
        assert outcomes(listener)[2:] == [(3, "completed")]
        assert here.book.turns[-1][1].agent_text == "Then."


async def test_a_stop_that_meets_the_answer_which_is_given_again_stops_that() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await asked(here, listener)
        here.leg.say(SECOND, SECOND, model.Said("Well, and now?"), LOST)
        await asyncio.sleep(0.2)
        here.leg.say(SECOND, model.Said("Well,"))
        await asyncio.sleep(0.1)
        listener.say(media.Interrupt(2, 300))
        await asyncio.sleep(0.1)
        here.leg.say(SECOND, model.Said(" and now?"), model.GenerationEnded(), ENDED)
        await asyncio.sleep(3)
        assert outcomes(listener) == [(1, "completed"), (2, "lost"), (3, "interrupted")]


async def test_a_question_behind_an_answer_whose_end_never_came_is_answered_once() -> None:
    """The turn was ended by silence here; then what comes next is another answer."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await asked(here, listener)
        here.leg.say(SECOND, model.Said("Well."), model.GenerationEnded())  # and no TurnCompleted
        await asyncio.sleep(6)
        assert outcomes(listener) == [(1, "completed"), (2, "completed")]
        listener.say(media.Text("and then?"))
        await asyncio.sleep(0.5)
        here.leg.say(SECOND, model.Said("Then."), model.GenerationEnded(), ENDED)
        await asyncio.sleep(2)
        here.leg.say(LOST)
        await asyncio.sleep(2)
        assert texts(here)[1] == []
        assert outcomes(listener)[2:] == [(3, "completed")]


async def test_an_end_that_is_told_twice_does_not_end_the_next_answer() -> None:
    """What broke off is asked again, though the end of the answer before came once more within it."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await asked(here, listener)
        here.leg.say(SECOND, model.Said("Well."), model.GenerationEnded(), ENDED)
        await asyncio.sleep(0.1)
        listener.say(media.Text("and then?"))
        await asyncio.sleep(0.1)
        here.leg.say(SECOND, model.Said("Then"), ENDED)  # again
        await asyncio.sleep(0.3)
        here.leg.say(SECOND, SECOND, LOST)
        await asyncio.sleep(1)
        assert model.SayText("and then?", respond=True) in texts(here)[1]
        here.leg.say(SECOND, model.Said("Then this."), model.GenerationEnded(), ENDED)
        await asyncio.sleep(4)
        assert outcomes(listener)[2:] == [(3, "lost"), (4, "completed")]


@pytest.mark.parametrize("told", [(), (model.TurnCompleted(idle=False),)], ids=["within", "between"])
async def test_a_reply_in_parts_is_whole_at_its_last_end_only(told: tuple[model.TurnCompleted, ...]) -> None:
    async with lone_call(Model(splits_replies=True)) as (call, here):
        listener = Listener(call)
        await asked(here, listener)
        here.leg.say(SECOND, model.Said("Let me think."), model.GenerationEnded(), *told, LOST)
        await asyncio.sleep(1)
        assert NOW in texts(here)[1]
        here.leg.say(SECOND, model.Said("Well."), model.GenerationEnded(), ENDED)
        await asyncio.sleep(4)
        assert outcomes(listener)[1:] == [(2, "lost"), (3, "completed")]


WORDLESS = [SECOND, model.GenerationEnded(), ENDED]


@pytest.mark.parametrize("count", [3, 2], ids=["completed", "generated"])
async def test_a_history_has_a_place_for_an_answer_whose_words_never_came(count: int) -> None:
    """A model that is given a history which ends on a question may answer that."""
    async with lone_call(Model(takes_history_late=True, splits_replies=False)) as (call, here):
        listener = Listener(call)
        await asked(here, listener)
        here.leg.say(*WORDLESS[:count], LOST)
        await asyncio.sleep(3)
        assert here.leg.commands == [model.Recall((("user", "and now?"), ("agent", model.UNWRITTEN)))]
        assert outcomes(listener) == [(1, "completed"), (2, "completed")]


async def test_a_history_has_a_place_for_an_answer_of_which_nothing_was_heard() -> None:
    async with lone_call(Model(takes_history_late=True)) as (call, here):
        listener = Listener(call)
        await asked(here, listener)
        here.leg.say(SECOND, model.Said("Well,"))
        await asyncio.sleep(0.1)
        listener.say(media.Interrupt(2, 0))
        await asyncio.sleep(2)
        here.leg.say(model.Interrupted(), ENDED, LOST)
        await asyncio.sleep(1)
        assert here.leg.commands == [model.Recall((("user", "and now?"), ("agent", model.UNHEARD)))]


async def test_a_history_has_a_place_for_an_answer_that_was_given_up() -> None:
    async with lone_call(Model(takes_history_late=True)) as (call, here):
        listener = Listener(call)
        await asked(here, listener)
        for _ in range(2):
            here.leg.say(ENDED)
            await asyncio.sleep(AGED_S)
        assert outcomes(listener) == [(1, "completed"), (2, "empty")]
        here.leg.say(LOST)
        await asyncio.sleep(1)
        assert here.leg.commands == [model.Recall((("user", "and now?"), ("agent", model.UNANSWERED)))]


@pytest.mark.parametrize(
    ("past", "told"),
    [
        (media.PastTurn(1, "why", outcome="completed"), model.UNWRITTEN),
        (media.PastTurn(1, "why"), model.UNWRITTEN),
        (media.PastTurn(1, "why", interrupted=True, outcome="interrupted"), model.UNHEARD),
        (media.PastTurn(1, "why", outcome="rejected"), model.UNANSWERED),
        (media.PastTurn(1, "why", "be", interrupted=True, outcome="interrupted"), "be"),
    ],
    ids=["unwritten", "of an older relay", "unheard", "rejected", "cut"],
)
def test_a_history_of_another_relay_has_a_place_for_each_answer(past: media.PastTurn, told: str) -> None:
    recall = Resumption(None, 0.0, [past]).recall(None, profiles.CAUTIOUS)
    assert recall == model.Recall((("user", "why"), ("agent", told)))
