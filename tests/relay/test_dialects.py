"""What mint asks for and the relay says is taken by every model in its own dialect, and has its effect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import simulator
from agents.catalogue import Agent, ServerTool
from functions.core.minting.gemini_tokens import GoogleTokens
from gemini import messages as model
from gemini import setup
from gemini.messages import Credential, ModelEvent
from gemini.profiles import MODELS, V3_1, of
from gemini.tokens import TokenRequest
from protocol.control import ClientTool
from relay.model import gemini
from tests.relay.fakes import session

ARGUMENTS = {
    "type": "object",
    "properties": {"city": {"type": ["string", "null"], "minLength": 1}, "day": {"const": "today"}},
    "additionalProperties": False,
    "required": ["city"],
}
TOLD = model.Recall((("user", "Remember this word: plum."), ("agent", "Plum it is.")))
ASKED = model.SayText("Which word did I ask you to remember?", respond=True)


@asynccontextmanager
async def leg_of(
    name: str, pace: str = "3", scale: float = 20
) -> AsyncIterator[tuple[gemini.GeminiLeg, simulator.Running]]:
    """A leg of that model, with all that an agent may have."""
    agent = Agent("Speak.", name, search=True, tools=[ServerTool("book", "Books.", ARGUMENTS)])
    record = session(tools=[ClientTool("look", parameters=ARGUMENTS), ClientTool("ring")])
    scenario = simulator.parse(f"settings: {{voice: synthetic, pace: {pace}}}")
    async with simulator.serve(simulator.Config(time_scale=scale, scenario=scenario)) as running:
        now = int(time.time())
        built = setup.build(agent, name, record, "2026-11-22", is_fresh=True)
        request = TokenRequest(name, built, None, "full", now, now + 1800)
        token = await asyncio.to_thread(GoogleTokens(running.url).mint, "a-key", request)
        leg = await gemini.open_leg(running.url, Credential(token, name, 0, "full"), None)
        try:
            yield leg, running
        finally:
            await leg.close()


async def until(leg: gemini.GeminiLeg, kind: type[ModelEvent]) -> list[ModelEvent]:
    """All it says up to the first of that kind; of a turn's end, the one after which it is idle."""
    said: list[ModelEvent] = []
    async with asyncio.timeout(20):
        async for event in leg.events():
            said.append(event)
            if isinstance(event, kind) and (not isinstance(event, model.TurnCompleted) or event.idle):
                return said
    raise AssertionError("unreachable: a leg ends with an error")


def words(said: list[ModelEvent]) -> str:
    return "".join(event.text for event in said if isinstance(event, model.Said))


async def greet(leg: gemini.GeminiLeg, name: str) -> None:
    """A model that waits for its history is told that there is none."""
    if of(name).waits_for_history:
        await leg.send(model.Recall(()))


@pytest.mark.parametrize("name", MODELS)
async def test_every_model_learns_what_was_said_before(name: str) -> None:
    async with leg_of(name) as (leg, _):
        await leg.send(TOLD)
        await leg.send(ASKED)
        assert words(await until(leg, model.TurnCompleted)).endswith("The word was plum.")


@pytest.mark.parametrize("name", MODELS)
async def test_every_model_answers_typed_text_more_than_once(name: str) -> None:
    async with leg_of(name) as (leg, _):
        await greet(leg, name)
        for text in ("one", "two", "three"):
            await leg.send(model.SayText(text, respond=True))
            assert words(await until(leg, model.TurnCompleted)).endswith(f"You wrote: {text}")


@pytest.mark.parametrize("name", MODELS)
async def test_every_model_calls_a_tool_with_its_arguments_and_takes_the_result(name: str) -> None:
    async with leg_of(name) as (leg, _):
        await greet(leg, name)
        await leg.send(model.SayText('call look {"city": "Oslo"}', respond=True))
        *_, asked = await until(leg, model.ToolRequested)
        assert isinstance(asked, model.ToolRequested) and asked.args == {"city": "Oslo"}
        await leg.send(model.AnswerTool(asked.id, asked.name, {"output": "rain"}, "interrupt"))
        said = ""
        while "look says rain" not in said:
            said += words(await until(leg, model.TurnCompleted))


@pytest.mark.parametrize("name", MODELS)
async def test_every_model_searches_and_says_what_it_found(name: str) -> None:
    async with leg_of(name) as (leg, _):
        await greet(leg, name)
        await leg.send(model.SayText("Search for tower clocks", respond=True))
        *_, cited = await until(leg, model.Cited)
        assert isinstance(cited, model.Cited)
        assert cited.sources == (("https://example.com/found", "tower clocks"),)


@pytest.mark.parametrize("name", MODELS)
async def test_an_answer_is_stopped_where_there_is_a_means_and_the_next_question_is_answered(
    name: str,
) -> None:
    async with leg_of(name, pace="1", scale=5) as (leg, running):
        await greet(leg, name)
        await leg.send(model.SayText("a long story please, as long as you can make it", respond=True))
        await until(leg, model.Audio)
        await leg.send(model.StopAnswer())
        is_stopped = of(name).family != V3_1.family
        if is_stopped:
            await until(leg, model.Interrupted)
        await until(leg, model.TurnCompleted)
        assert [line["cause"] for line in running.ledger.where("turn.interrupted")] == [
            "content"
        ] * is_stopped
        await leg.send(model.SayText("so", respond=True))
        assert words(await until(leg, model.TurnCompleted)).endswith("You wrote: so")
