"""Our leg by Vertex's road, with the simulator: speech, a tool and a resumption, without a token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gemini import vertex
from gemini.messages import (
    AnswerTool,
    Audio,
    Credential,
    HandleChanged,
    Heard,
    ModelEvent,
    Said,
    SayText,
    ToolRequested,
    TurnCompleted,
)
from relay.call.client_tools import ClientTools
from relay.model.gemini import GeminiLeg, open_leg
from relay.model.port import UpstreamError
from simulator import Config, Running, parse, serve
from simulator.speech.samples import load_all

PLACE = vertex.Place("a-project", "us-central1")
CONFIG = {
    "response_modalities": ["AUDIO"],
    "system_instruction": {"parts": [{"text": "Be brief."}]},
    "tools": [{"function_declarations": [{"name": "get_weather", "behavior": "NON_BLOCKING"}]}],
    "input_audio_transcription": {},
    "output_audio_transcription": {},
}
SCENARIO = "settings: {dialect: profile}"
QUESTION = next(sample for sample in load_all() if sample.name == "question")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with serve(Config(time_scale=20, scenario=parse(SCENARIO))) as up:
        yield up


def credential(
    running: Running, handle: str | None = None, bearer: str = "ya29.x", name: str = ""
) -> Credential:
    setup = vertex.setup(PLACE, "gemini-3.8-live", CONFIG, handle)
    setup |= {"model": name} if name else {}
    return Credential(bearer, "gemini-3.8-live", 0, "full", url=vertex.address(running.url), setup=setup)


@asynccontextmanager
async def leg(running: Running, handle: str | None = None) -> AsyncIterator[GeminiLeg]:
    opened = await open_leg("http://127.0.0.1:1", credential(running, handle), handle)
    try:
        yield opened
    finally:
        await opened.close()


async def turn(leg: GeminiLeg) -> list[ModelEvent]:
    """Events up to the end of a turn that was answered, and the handle after it."""
    came: list[ModelEvent] = []
    async with asyncio.timeout(10):
        async for event in leg.events():
            came.append(event)
            ends = [at for at, one in enumerate(came) if isinstance(one, TurnCompleted)]
            if ends and any(isinstance(one, HandleChanged) for one in came[ends[-1] :]):
                return came
    raise AssertionError("the turn did not end")


def said(came: list[ModelEvent]) -> str:
    return "".join(event.text for event in came if isinstance(event, Said))


async def test_speech_is_answered(running: Running) -> None:
    async with leg(running) as model:
        await model.send_audio(QUESTION.pcm + bytes(32_000))
        came = await turn(model)
    assert QUESTION.text in [event.text for event in came if isinstance(event, Heard)]
    assert sum(len(event.pcm) for event in came if isinstance(event, Audio)) > 48_000


async def test_a_call_without_an_id_is_answered_by_its_name(running: Running) -> None:
    async with leg(running) as model:
        await model.send(SayText('call get_weather {"city": "Oslo"}', respond=True))
        came = await turn(model)
        assert [event for event in came if isinstance(event, ToolRequested)] == [
            ToolRequested("", "get_weather", {"city": "Oslo"})
        ]
        await model.send(AnswerTool("", "get_weather", {"output": "sunny"}))
        assert "sunny" in said(await turn(model))
    assert not running.ledger.where("tool.stray")


async def test_a_handle_continues_the_conversation(running: Running) -> None:
    async with leg(running) as model:
        await model.send(SayText("Remember this word: plum.", respond=True))
        came = await turn(model)
    handle = [event.handle for event in came if isinstance(event, HandleChanged)][-1]
    async with leg(running, handle) as model:
        await model.send(SayText("Which word did I ask you to remember?", respond=True))
        assert "plum" in said(await turn(model))
    assert [line["resumed"] for line in running.ledger.where("session.opened")] == [False, True]


async def test_what_vertex_refuses_is_told_apart(running: Running) -> None:
    for wrong, code in (
        (credential(running, bearer=""), "upstream_auth"),
        (credential(running, name="models/gemini-3.8-live"), "upstream_model"),
        (credential(running, name=PLACE.resource("no-such-model")), "upstream_model"),
    ):
        with pytest.raises(UpstreamError) as refused:
            await open_leg("", wrong, None)
        assert refused.value.code == code


def test_two_calls_without_an_id_are_two() -> None:
    tools = ClientTools([], epoch=1)
    answers = [tools.request(ToolRequested("", "get_weather", {}), 0.0) for _ in range(2)]
    assert answers == [AnswerTool("", "get_weather", {"error": "unknown_tool"})] * 2


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("us-central1", "wss://us-central1-aiplatform.googleapis.com"),
        ("global", "wss://aiplatform.googleapis.com"),
    ],
)
def test_a_location_has_a_host_of_its_own_and_global_the_common_one(location: str, url: str) -> None:
    place = vertex.Place("p", location)
    assert vertex.address(place.base_url) == f"{url}/ws/{vertex.METHOD}"
    name = f"projects/p/locations/{location}/publishers/google/models/m"
    assert place.resource("models/m") == place.resource(name) == name
