"""How a call ends by its budget, or because nobody speaks: told, said, done. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gemini import messages as model
from gemini import prices
from gemini.messages import GOODBYE, HELLO_THERE, SayText, TokensUsed
from protocol import media
from protocol.media import Tokens
from records.budgets import Allowance, Spent
from relay.call.hang_up import PAUSE_S, SPEAK_S
from relay.call.idle import WAIT_S
from relay.model.meter import TURN_S
from relay.model.port import UpstreamError
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model, voice

pytestmark = pytest.mark.looptime

CENT = 10_000
SECOND = model.Audio(voice(48_000))


def purse(limit: int, scope: str = "session") -> Callable[[Spent, int], Allowance]:
    """A budget that nobody else draws on."""

    def allow(spent: Spent, wants: int) -> Allowance:
        left = max(0, limit - spent.total)
        used = {scope: spent.total * 100 // limit}
        return Allowance(min(wants, left), left < wants, scope, used, 3_600)  # type: ignore[arg-type]

    return allow


def report(context: int, said_s: float) -> TokensUsed:
    said = round(25 * said_s)
    tokens = Tokens(input_text=100, input_audio=context, output_audio=said, total=100 + context + said)
    return TokensUsed(tokens, 100 + context, said)


async def answer(here: Model, seconds: int, context: int = 500) -> None:
    """An answer of so long, which comes as fast as it plays."""
    await asyncio.sleep(0.3)
    for _ in range(seconds):
        here.leg.say(SECOND)
        await asyncio.sleep(1.0)
    here.leg.say(model.GenerationEnded(), report(context, seconds), model.TurnCompleted(idle=True))
    await asyncio.sleep(0.5)


def said(here: Model) -> list[model.ModelCommand]:
    """To the model, on all legs."""
    return [command for leg in here.legs for command in leg.commands]


def goodbyes(here: Model) -> list[model.ModelCommand]:
    return [command for command in said(here) if command == SayText(GOODBYE, respond=True)]


async def test_what_was_spent_is_written_with_the_time_connected() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        listener.say(media.Text("why?"))
        await answer(here, 2)
        cost = prices.micro_usd(report(500, 2).tokens, prices.of(here.leg_model))
        await asyncio.sleep(10)
    spent = here.book.spent["s1"]
    assert (spent.reported, spent.estimated) == (cost, 0)
    assert 12_000 <= spent.connected_ms <= 14_000


async def test_a_talkative_call_is_warned_says_goodbye_and_ends_within_its_two_cents() -> None:
    async with lone_call(allowance=purse(2 * CENT)) as (call, here):
        listener = Listener(call)
        await asyncio.sleep(6)
        turns = 0
        while not goodbyes(here) and turns < 20:
            listener.say(media.Text("tell me more"))
            await answer(here, 5)
            turns += 1
            await asyncio.sleep(6)
        assert turns > 1, "the budget is used"
        warnings = listener.of(media.Budget)
        assert [(w.scope, w.resets_in_ms) for w in warnings] == [("session", 0)]  # type: ignore[attr-defined]
        assert listener.of(media.Ended) == [], "the agent is yet to say it"
        listener.say(media.Text("but wait"))
        await answer(here, 2)
        await asyncio.sleep(3)
        assert call.reason == "quota_exceeded"
        (error,) = listener.of(media.Error)
        assert (error.code, error.fatal, error.retry_after_ms) == ("quota_exceeded", True, 0)  # type: ignore[attr-defined]
        assert listener.of(media.Ended)
        assert SayText("but wait", respond=True) not in said(here), "nothing puts it off"
    assert 0.4 * CENT < here.book.spent["s1"].total <= 2 * CENT


async def test_an_answer_that_would_pass_the_budget_is_cut_for_the_goodbye() -> None:
    async with lone_call(allowance=purse(2 * CENT, "user")) as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.5)
        listener.say(media.Text("tell me all"))
        for _ in range(90):
            if goodbyes(here):
                break
            here.leg.say(SECOND)
            await asyncio.sleep(1.0)
        assert goodbyes(here) and listener.of(media.TurnInterrupted)
        here.leg.say(
            model.Interrupted(), model.TurnCompleted(idle=True), SECOND, model.TurnCompleted(idle=True)
        )
        await asyncio.sleep(4)
        assert call.reason == "quota_exceeded"
        (error,) = listener.of(media.Error)
        assert error.retry_after_ms == 3_600_000  # type: ignore[attr-defined]
    assert here.book.spent["s1"].total <= 2 * CENT


async def test_a_model_that_says_no_goodbye_is_not_waited_for_long() -> None:
    async with lone_call(allowance=purse(CENT)) as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.5)
        listener.say(media.Text("why?"))
        await answer(here, 20)
        await asyncio.sleep(PAUSE_S + SPEAK_S + 1)
        assert call.reason == "quota_exceeded" and listener.of(media.Ended)


async def test_a_budget_that_is_used_up_while_nobody_is_here_ends_the_call_without_a_word() -> None:
    async with lone_call(allowance=purse(CENT)) as (call, here):
        here.leg.say(*[SECOND] * 30)
        await asyncio.sleep(12)
        assert call.reason == "quota_exceeded" and not goodbyes(here)


async def test_a_table_that_is_away_does_not_end_a_call_until_two_more_turns_are_spent() -> None:
    async with lone_call(allowance=purse(1_000 * CENT)) as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.5)
        here.book.down = True
        for _ in range(2):
            listener.say(media.Text("why?"))
            await answer(here, round(TURN_S))
        assert not goodbyes(here)
        for _ in range(3):
            listener.say(media.Text("why?"))
            await answer(here, round(TURN_S))
        assert goodbyes(here)
        here.book.down = False


async def test_an_agent_that_hears_nothing_for_long_asks_and_then_hangs_up() -> None:
    here = Model()
    here.idle_s = 60.0
    async with lone_call(here) as (call, _):
        listener = Listener(call)
        asked = SayText(HELLO_THERE, respond=True)
        await asyncio.sleep(59)
        assert here.leg.commands == []
        await asyncio.sleep(2)
        assert here.leg.commands == [asked]
        await answer(here, 2)
        listener.say(media.Text("yes"))
        await answer(here, 2)
        await asyncio.sleep(50)
        assert not call.is_over, "somebody was there"
        await asyncio.sleep(12)
        assert said(here).count(asked) == 2, (call.troubles, said(here))
        await answer(here, 2)
        await asyncio.sleep(WAIT_S + 1)
        assert call.reason == "idle"
        assert [error.code for error in listener.of(media.Error)] == ["idle"]  # type: ignore[attr-defined]


async def test_the_client_is_told_the_cost_where_the_agent_allows_it() -> None:
    for tells in (False, True):
        here = Model()
        here.tells_cost = tells
        async with lone_call(here) as (call, _):
            listener = Listener(call)
            await asyncio.sleep(0.5)
            listener.say(media.Text("why?"))
            await answer(here, 2)
            cost = prices.micro_usd(report(500, 2).tokens, prices.of(here.leg_model))
            assert [used.cost_micro_usd for used in listener.of(media.Usage)] == [cost if tells else 0]  # type: ignore[attr-defined]


async def test_a_mint_that_has_no_money_left_ends_the_call_at_once_and_says_when_to_come_back() -> None:
    async with lone_call(allowance=purse(1_000 * CENT, "user")) as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.5)
        here.refuse_mint = "quota_exceeded"
        minted = len(here.minted)
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(5)
        assert call.reason == "quota_exceeded" and len(here.minted) == minted + 1
        (error,) = listener.of(media.Error)
        assert error.retry_after_ms == 3_600_000  # type: ignore[attr-defined]
