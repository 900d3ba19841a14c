"""Each family of models has habits of its own, and the simulator has them too."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from live_client import LiveClient, Message, live, speech_in, transcript

from simulator import Config, Running, parse, serve
from simulator.audio import tones
from simulator.session import setup
from simulator.session.models import table
from simulator.session.setup import Setup
from simulator.speech.samples import Sample
from simulator.wire import messages
from simulator.wire.refusal import Refusal

V3_8 = "models/gemini-3.8-live"
EXTENDED = "models/gemini-3.8-live-extended-thinking"
V3_1 = "models/gemini-3.1-flash-live-preview"
V2_5 = "models/gemini-2.5-flash-native-audio-preview-12-2025"
AUDIO = {"responseModalities": ["AUDIO"]}
THOUGHT = {"generationConfig": {**AUDIO, "thinkingConfig": {"thinkingLevel": "LOW"}}}
EXTRAS: dict[str, Message] = {EXTENDED: THOUGHT}
HISTORY = [
    {"role": "user", "parts": [{"text": "Remember this word: plum."}]},
    {"role": "model", "parts": [{"text": "Plum it is."}]},
]
ASKED = "Which word did I ask you to remember?"
WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def config(settings: str = "", scale: float = 40.0, more: str = "") -> Config:
    return Config(time_scale=scale, scenario=parse(f"settings: {{dialect: profile{settings}}}\n{more}"))


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with serve(config()) as up:
        yield up


@asynccontextmanager
async def session(running: Running, model: str, **given: Any) -> AsyncIterator[LiveClient]:
    async with live(running, model=model, **{**EXTRAS.get(model, {}), **given}) as client:
        yield client


def text(words: str, **more: Any) -> Message:
    return {"turns": [{"role": "user", "parts": [{"text": words}]}], **more}


def read(model: str, **given: Any) -> Setup:
    raw = {"model": model, "generationConfig": AUDIO, **EXTRAS.get(model, {}), **given}
    decoded = messages.decode(messages.encode({"setup": raw}))
    assert isinstance(decoded, messages.SetupSent)
    return setup.read(decoded.setup, "v1beta", table("profile"))


def statuses(received: list[Message]) -> list[str | None]:
    contents = [one["serverContent"] for one in received if "turnComplete" in one.get("serverContent", {})]
    return [content.get("interactionStatus") for content in contents]


@pytest.mark.parametrize(("model", "tells"), [(V3_8, False), (EXTENDED, False), (V3_1, False), (V2_5, True)])
async def test_only_some_say_when_the_user_speaks(
    running: Running, known: dict[str, Sample], model: str, tells: bool
) -> None:
    async with session(running, model) as client:
        await client.say(known["question"].pcm)
        received = await client.turn()
    assert any("voiceActivity" in one for one in received) is tells


@pytest.mark.parametrize(("model", "heeds"), [(V3_8, False), (EXTENDED, False), (V3_1, True), (V2_5, True)])
async def test_only_some_heed_the_end_of_the_stream(
    running: Running, known: dict[str, Sample], model: str, heeds: bool
) -> None:
    async with session(running, model) as client:
        await client.stream(known["question"].pcm)
        await client.send(realtimeInput={"audioStreamEnd": True})
        if not heeds:
            await client.send(realtimeInput={"video": {"mimeType": "image/jpeg", "data": "aGk="}})
            await client.handle()
            assert running.ledger.where("speech.ended") == []
            await client.stream(bytes(32_000))
        await client.turn()
    (ended,) = running.ledger.where("speech.ended")
    assert ended["at_s"] == pytest.approx(len(known["question"].pcm) / 32_000, abs=0.3)


@pytest.mark.parametrize(("model", "status"), [(V3_8, "IDLE"), (V3_1, None), (V2_5, None)])
async def test_only_some_say_that_they_are_idle(running: Running, model: str, status: str | None) -> None:
    async with session(running, model) as client:
        await client.send(realtimeInput={"text": "hello"})
        assert statuses(await client.turn()) == [status]


async def test_extended_thinking_answers_in_two_turns(running: Running, known: dict[str, Sample]) -> None:
    async with session(running, EXTENDED) as client:
        await client.say(known["question"].pcm)
        first, second = await client.turn(), await client.turn()
    assert statuses(first) == ["IN_PROGRESS"] and statuses(second) == ["IDLE"]
    assert transcript(first) == "Let me think about that."
    assert transcript(second) == known["question"].text
    codes = [line["code"] for line in running.ledger.where("answer.begun")]
    assert [tones.decode(speech_in(one)) for one in (first, second)] == codes


async def test_what_interrupts_the_first_turn_of_a_reply_ends_the_reply(known: dict[str, Sample]) -> None:
    async with serve(config(", pace: 1", scale=10)) as running, session(running, EXTENDED) as client:
        await client.say(known["question"].pcm)
        await client.until_content("modelTurn")
        await client.send(realtimeInput={"text": "never mind"})
        await client.until_content("interrupted")
        assert statuses(await client.turn()) == ["IDLE"]
        first, second = await client.turn(), await client.turn()
    assert transcript(first) == "Let me think about that."
    assert transcript(second) == "You wrote: never mind"


async def test_talk_that_is_not_meant_for_it_is_answered_by_a_model_that_is_not_proactive() -> None:
    rule = "turns: [{when: {contains: lunch}, ignored: true}]"
    async with serve(config(more=rule)) as running:
        async with session(running, V3_1) as client:
            await client.send(realtimeInput={"text": "Lunch?"})
            await client.turn()
        async with session(running, V3_8) as client:
            await client.send(realtimeInput={"text": "Lunch?"})
            ended = await running.ledger.wait_for("turn.ended", connection=2)
            await client.send(realtimeInput={"text": "You there?"})
            assert transcript(await client.turn()) == "You wrote: You there?"
    assert ended["sent_s"] == 0
    assert not any("turnComplete" in one.get("serverContent", {}) for one in client.seen[:-1])


@pytest.mark.parametrize("complete", [{}, {"turnComplete": False}])
async def test_content_ends_the_answer_that_is_under_way(complete: Message) -> None:
    """As a stop button: it makes no turn of its own."""
    async with serve(config(", pace: 1", scale=10)) as running, session(running, V3_8) as client:
        await client.send(clientContent=text("a long story please", turnComplete=True))
        await client.until_content("modelTurn")
        await client.send(clientContent=text("a note", **complete))
        await client.until_content("interrupted")
        await client.until_content("turnComplete")
        await client.handle()
    assert [line["cause"] for line in running.ledger.where("turn.interrupted")] == ["content"]
    assert len(running.ledger.where("turn.started")) == 1


async def test_3_1_takes_content_as_announced_history_only(running: Running) -> None:
    async with session(running, V3_1) as client:
        await client.send(clientContent={"turns": HISTORY})
        assert (await client.closed())[0] == 1007
    seeded = {"historyConfig": {"initialHistoryInClientContent": True}}
    async with session(running, V3_1, **seeded) as client:
        await client.send(clientContent={"turns": HISTORY, "turnComplete": True})
        await client.send(realtimeInput={"text": ASKED})
        assert transcript(await client.turn()) == "The word was plum."
        await client.send(clientContent=text("one more", turnComplete=True))
        assert (await client.closed())[0] == 1007


@pytest.mark.parametrize("model", [V3_8, V3_1])
async def test_announced_history_is_waited_for_and_not_answered(running: Running, model: str) -> None:
    seeded = {"historyConfig": {"initialHistoryInClientContent": True}}
    async with session(running, model, **seeded) as client:
        await client.send(realtimeInput={"text": ASKED})
        await client.send(clientContent={"turns": HISTORY[:1]})
        await client.handle()
        assert running.ledger.where("turn.started") == []
        await client.send(clientContent={"turns": HISTORY[1:], "turnComplete": True})
        assert transcript(await client.turn()) == "The word was plum."
    assert len(running.ledger.where("turn.started")) == 1


@pytest.mark.parametrize("model", [V3_8, V3_1])
async def test_a_resumed_session_has_its_history_and_waits_for_none(running: Running, model: str) -> None:
    """As pipecat 1.14 relies on: it announces history at every connect, and sends it to a fresh one only."""
    seeded = {"historyConfig": {"initialHistoryInClientContent": True}}
    async with session(running, model, **seeded) as client:
        await client.send(clientContent={"turns": HISTORY, "turnComplete": True})
        await client.handle()  # may be older than the history
        handle = await client.handle()
    async with session(running, model, **seeded, sessionResumption={"handle": handle}) as client:
        await client.send(realtimeInput={"text": ASKED})
        assert transcript(await client.turn()) == "The word was plum."


async def test_2_5_calls_without_arguments_what_was_declared_by_json_schema(running: Running) -> None:
    async with session(running, V2_5, tools=[{"functionDeclarations": [WEATHER]}]) as client:
        await client.send(realtimeInput={"text": 'call get_weather {"city": "Oslo"}'})
        called = await client.until(lambda one: "toolCall" in one)
    assert called["toolCall"]["functionCalls"][0]["args"] == {}


async def test_extended_thinking_talks_about_what_was_declared_by_json_schema(running: Running) -> None:
    async with session(running, EXTENDED, tools=[{"functionDeclarations": [WEATHER]}]) as client:
        await client.send(realtimeInput={"text": 'call get_weather {"city": "Oslo"}'})
        await client.turn()
        received = await client.turn()
    assert transcript(received) == "I call get_weather."
    assert not any("toolCall" in one for one in client.seen)


@pytest.mark.parametrize("model", [V3_8, EXTENDED, V3_1, V2_5])
@pytest.mark.parametrize("tool", ["codeExecution", "urlContext", "googleMaps"])
def test_tools_that_live_models_do_not_have_are_refused(model: str, tool: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(model, tools=[{tool: {}}])
    assert refused.value.close.code == 1007
    assert read(model, tools=[{"googleSearch": {}}]).declarations == ()


@pytest.mark.parametrize(
    ("schema", "name", "place"),
    [
        ({"additionalProperties": False}, "additionalProperties", ""),
        ({"items": {"$ref": "#"}}, "$ref", ".items"),
        ({"properties": {"city": {"anyOf": [{"const": 1}]}}}, "const", ".properties[city].value.any_of[0]"),
    ],
)
def test_what_the_restricted_schema_lacks_is_refused_by_its_place(
    schema: Message, name: str, place: str
) -> None:
    with pytest.raises(Refusal) as refused:
        read(V3_8, tools=[{"functionDeclarations": [{"name": "a", "parameters": schema}]}])
    where = f"setup.tools[0].function_declarations[0].parameters{place}"
    assert f"Unknown name \"{name}\" at '{where}'" in refused.value.close.reason


@pytest.mark.parametrize(
    ("model", "level", "is_taken"),
    [(V3_1, "MINIMAL", True), (V2_5, "LOW", False), (EXTENDED, "MINIMAL", False), (EXTENDED, "HIGH", True)],
)
def test_a_level_of_thought_is_taken_by_those_that_have_it(model: str, level: str, is_taken: bool) -> None:
    given = {"generationConfig": {**AUDIO, "thinkingConfig": {"thinkingLevel": level}}}
    if is_taken:
        read(model, **given)
        return
    with pytest.raises(Refusal):
        read(model, **given)


def test_a_budget_of_thought_is_taken_by_2_5() -> None:
    assert read(V2_5, generationConfig={**AUDIO, "thinkingConfig": {"thinkingBudget": 0}})


def test_the_silence_that_ends_a_turn_is_not_asked_for_of_3_1() -> None:
    given = {"realtimeInputConfig": {"automaticActivityDetection": {"silenceDurationMs": 2000}}}
    assert read(V3_1, **given).detection.silence_s == 0.8
    assert read(V3_8, **given).detection.silence_s == 2.0


def test_a_field_that_the_sdk_sends_is_taken() -> None:
    assert read(V3_8, inputAudioTranscription={"languageAuto": {}})
    with pytest.raises(Refusal):
        read(V3_8, inputAudioTranscription={"languageAutoDetection": {}})


@pytest.mark.parametrize("model", ["gemini-live-2.5-flash-preview", "gemini-live-2.5-flash-native-audio"])
def test_models_that_are_not_served_are_not_found(model: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(f"models/{model}")
    assert refused.value.close.code == 1008 and "is not found" in refused.value.close.reason
    assert model in table("permissive")


@pytest.mark.parametrize(("model", "is_taken"), [(V3_8, True), (V3_1, False), (V2_5, False)])
async def test_only_some_take_other_instructions_in_between(
    running: Running, model: str, is_taken: bool
) -> None:
    async with session(running, model) as client:
        await client.send(contextUpdate={"systemInstruction": {"parts": [{"text": "Be brief."}]}})
        if is_taken:
            await client.send(realtimeInput={"text": "hello"})
            await client.turn()
            assert running.ledger.where("context.updated")
        else:
            assert (await client.closed())[0] == 1007


@pytest.mark.parametrize(("told", "heard"), [("sent", True), ("absent", False)])
async def test_a_setting_says_more_than_the_dialect(known: dict[str, Sample], told: str, heard: bool) -> None:
    told_so = config(f", voice_activity: {told}, stream_end: honour")
    async with serve(told_so) as running, session(running, V3_8) as client:
        await client.stream(known["question"].pcm)
        await client.send(realtimeInput={"audioStreamEnd": True})
        received = await client.turn()
    assert any("voiceActivity" in one for one in received) is heard


async def test_the_permissive_dialect_says_and_takes_what_any_model_does(known: dict[str, Sample]) -> None:
    permissive = Config(time_scale=40, scenario=parse("settings: {dialect: permissive}"))
    foreign = [{"codeExecution": {}}]
    async with serve(permissive) as running, session(running, V3_8, tools=foreign) as client:
        await client.stream(known["question"].pcm)
        await client.send(realtimeInput={"audioStreamEnd": True})
        received = await client.turn()
    assert any("voiceActivity" in one for one in received)
