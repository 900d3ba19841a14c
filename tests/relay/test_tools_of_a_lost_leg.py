"""A tool's call outlives the leg that asked for it: the next one is told in words. In virtual time."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from protocol import media
from protocol.control import ClientTool
from relay.model.port import UpstreamError
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model
from tests.relay.test_rotation import SECOND, one_turn
from tests.relay.test_watchdogs import ends

pytestmark = pytest.mark.looptime

LOST = UpstreamError("upstream_unavailable")
ASKED = model.ToolRequested("fc-1", "weather", {"city": "Bern"})
SUNNY = 'Is it warm? (Before the connection was changed, you called weather with {"city":"Bern"} for this.'
SUNNY = f'{SUNNY} It returned {{"output":"sunny"}}.)'
WARM = (SECOND, model.Said("It is."), model.GenerationEnded(), model.TurnCompleted(idle=True))


async def ask(listener: Listener, here: Model) -> None:
    """A typed question for which the model calls a tool."""
    await one_turn(here, answer="Because.")
    listener.say(media.Text("Is it warm?"))
    await asyncio.sleep(0.1)
    here.leg.say(ASKED)
    await asyncio.sleep(0.1)


async def test_a_result_for_a_leg_that_is_gone_is_told_with_the_question_and_the_tool_is_called_once() -> (
    None
):
    async with lone_call() as (call, here):
        listener = Listener(call)
        await ask(listener, here)
        here.leg.say(LOST)
        await asyncio.sleep(1)
        assert len(here.legs) == 2 and here.leg.commands == [], "asked now, the model would call it again"
        listener.say(media.ToolResult("call-1-1", ok=True, data="sunny"))
        await asyncio.sleep(0.1)
        assert here.leg.commands == [model.SayText(SUNNY, respond=True)]
        here.leg.say(*WARM)
        await asyncio.sleep(1)
        assert [(turn.user_text, turn.agent_text) for _, turn in here.book.turns[1:]] == [
            ("Is it warm?", "It is.")
        ]
        assert len(listener.of(media.ToolCall)) == 1 and listener.of(media.ToolCancel) == []


@pytest.mark.parametrize("spoke", [False, True], ids=["before its answer", "within its answer"])
async def test_a_result_that_the_agent_has_not_spoken_of_is_told_to_the_next_leg(spoke: bool) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await ask(listener, here)
        listener.say(media.ToolResult("call-1-1", ok=True, data="sunny"))
        await asyncio.sleep(0.1)
        if spoke:
            here.leg.say(SECOND, model.Said("It"))
            await asyncio.sleep(0.1)
        here.leg.say(LOST)
        await asyncio.sleep(1)
        assert here.leg.commands[-1] == model.SayText(SUNNY, respond=True)
        here.leg.say(*WARM)
        await asyncio.sleep(6)
        outcomes = [told.outcome for told in ends(listener)]
        assert outcomes == (["completed", "lost", "completed"] if spoke else ["completed"] * 2)
        here.leg.say(LOST)
        await asyncio.sleep(1)
        assert not any(isinstance(said, model.SayText) for said in here.leg.commands), "it was spoken of"


async def test_of_a_tool_that_nobody_answers_the_next_leg_is_told_too() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await ask(listener, here)
        here.leg.say(LOST)
        await asyncio.sleep(30)
        (said,) = here.leg.commands
        assert isinstance(said, model.SayText) and '{"error":"timed_out"}' in said.text
        assert len(listener.of(media.ToolCancel)) == 1 and call.troubles["tool_unanswered"] == 1


async def test_a_silent_tools_result_is_only_noted_by_the_next_leg() -> None:
    tools = [ClientTool("weather", scheduling="silent")]
    async with lone_call(Model(takes_notes=True), tools=tools) as (call, here):
        listener = Listener(call)
        await ask(listener, here)
        here.leg.say(SECOND, model.Said("Soon."), model.GenerationEnded(), model.TurnCompleted(idle=True))
        await asyncio.sleep(2)
        here.leg.say(LOST)
        await asyncio.sleep(1)
        listener.say(media.ToolResult("call-1-1", ok=True, data="sunny"))
        await asyncio.sleep(5)
        assert [type(said) for said in here.leg.commands if not isinstance(said, model.Recall)] == [
            model.Note
        ]


async def test_the_same_name_of_a_new_legs_call_is_another_call() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await ask(listener, here)
        here.leg.say(LOST)
        await asyncio.sleep(1)
        here.leg.say(ASKED)
        await asyncio.sleep(0.1)
        assert [asked.call_id for asked in listener.of(media.ToolCall)] == ["call-1-1", "call-1-2"]  # type: ignore[attr-defined]
