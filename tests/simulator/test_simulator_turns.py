"""Who speaks when: barge-in, manual activity, typed input, tools."""

import asyncio
from typing import Any

import pytest
from live_client import LiveClient, Message, live, speech_in, transcript

from simulator import Config, Running, parse, serve
from simulator.speech.samples import Sample

UNHURRIED = Config(time_scale=10, scenario=parse("settings: {pace: 1, handle_every_s: 30}"))
TALKATIVE = Config(time_scale=40, scenario=parse("settings: {dialect: permissive}"))
NEVER = {"activityHandling": "NO_INTERRUPTION"}
WEATHER = {"name": "get_weather", "description": "Weather of a city.", "parameters": {"type": "OBJECT"}}


def tools(behavior: str | None = None) -> list[Message]:
    return [{"functionDeclarations": [{**WEATHER, **({"behavior": behavior} if behavior else {})}]}]


def user(text: str) -> Message:
    return {"turns": [{"role": "user", "parts": [{"text": text}]}], "turnComplete": True}


async def call_for(client: LiveClient, city: str = "Oslo") -> Message:
    await client.send(realtimeInput={"text": f'call get_weather {{"city": "{city}"}}'})
    message = await client.until(lambda one: "toolCall" in one)
    [call] = message["toolCall"]["functionCalls"]
    return dict(call)


async def answer(client: LiveClient, call: Message, response: Any = "sunny", **more: Any) -> None:
    reply = {"id": call["id"], "name": call["name"], "response": {"output": response}, **more}
    await client.send(toolResponse={"functionResponses": [reply]})


async def test_speaking_over_the_answer_interrupts_it(known: dict[str, Sample]) -> None:
    async with serve(UNHURRIED) as running, live(running) as client:
        await client.say(known["question"].pcm)
        await client.until_content("modelTurn")
        before = len(client.seen)
        await client.stream(known["interruption"].pcm)
        await client.until_content("turnComplete")
        names = [name for one in client.seen[before:] for name in one.get("serverContent", {})]
        assert [name for name in names if name in ("interrupted", "generationComplete", "turnComplete")] == [
            "interrupted",
            "turnComplete",
        ]
        await client.stream(bytes(32_000))
        second = await client.turn()
        assert transcript(second) == known["interruption"].text
        [cut] = running.ledger.where("turn.interrupted")
        assert cut["cause"] == "speech"
        assert cut["heard_s"] <= cut["sent_s"] < running.ledger.where("answer.begun")[0]["duration_s"]


async def test_speech_is_reported_where_it_starts_and_ends(known: dict[str, Sample]) -> None:
    async with serve(TALKATIVE) as running, live(running) as client:
        await client.say(bytes(32_000) + known["interruption"].pcm)
        messages = await client.turn()
    activity = [message["voiceActivity"] for message in messages if "voiceActivity" in message]
    assert [one["type"] for one in activity] == ["ACTIVITY_START", "ACTIVITY_END"]
    assert float(activity[0]["audioOffset"].removesuffix("s")) == pytest.approx(1.0, abs=0.1)


async def test_without_interruption_the_next_turn_waits(known: dict[str, Sample]) -> None:
    async with serve(UNHURRIED) as running, live(running, realtimeInputConfig=NEVER) as client:
        await client.say(known["question"].pcm)
        await client.until_content("modelTurn")
        await client.say(known["interruption"].pcm)
        first, second = await client.turn(), await client.turn()
    assert not any("interrupted" in one.get("serverContent", {}) for one in first + second)
    assert transcript(second) == known["interruption"].text


async def test_the_end_of_the_stream_ends_the_users_turn(known: dict[str, Sample]) -> None:
    async with serve(TALKATIVE) as running, live(running) as client:
        await client.stream(known["question"].pcm)
        await client.send(realtimeInput={"audioStreamEnd": True})
        assert transcript(await client.turn()) == known["question"].text


async def test_manual_activity_counts_only_what_is_inside_the_window(
    running: Running, known: dict[str, Sample]
) -> None:
    manual = {"automaticActivityDetection": {"disabled": True}}
    async with live(running, realtimeInputConfig=manual) as client:
        await client.stream(known["question"].pcm)
        await client.send(realtimeInput={"activityStart": {}})
        await client.stream(known["interruption"].pcm)
        await client.send(realtimeInput={"activityEnd": {}})
        messages = await client.turn()
    assert transcript(messages, "input") == known["interruption"].text


async def test_marking_activity_under_automatic_detection_is_refused(running: Running) -> None:
    async with live(running) as client:
        await client.send(realtimeInput={"activityStart": {}})
        code, reason = await client.closed()
    assert code == 1007
    assert reason.startswith("Explicit activity control is not supported")


async def test_typed_content_interrupts_unconditionally() -> None:
    async with serve(UNHURRIED) as running, live(running, realtimeInputConfig=NEVER) as client:
        await client.send(clientContent=user("a long story please"))
        await client.until_content("modelTurn")
        await client.send(clientContent=user("stop"))
        assert "interrupted" in await client.until_content("interrupted")
        await client.until_content("turnComplete")
        assert transcript(await client.turn()) == "You wrote: stop"


async def test_content_without_turn_complete_is_history_only(running: Running) -> None:
    past = [{"role": "user", "parts": [{"text": "one"}]}, {"role": "model", "parts": [{"text": "two"}]}]
    async with live(running) as client:
        await client.send(clientContent={"turns": past})
        await client.send(realtimeInput={"text": "three"})
        messages = await client.turn()
    assert transcript(messages) == "You wrote: three"
    details = messages[-1]["usageMetadata"]["promptTokensDetails"]
    assert {"modality": "TEXT", "tokenCount": 4} in details


async def test_turn_complete_alone_answers_what_was_sent_before(running: Running) -> None:
    async with live(running) as client:
        await client.send(clientContent={"turns": user("two steps")["turns"]})
        await client.send(clientContent={"turnComplete": True})
        assert transcript(await client.turn()) == "You wrote: two steps"


async def test_a_blocking_call_holds_the_turn_until_it_is_answered(running: Running) -> None:
    async with live(running, tools=tools("BLOCKING")) as client:
        call = await call_for(client)
        assert call["args"] == {"city": "Oslo"}
        await answer(client, call)
        messages = await client.turn()
        assert transcript(messages) == "get_weather says sunny"
        assert messages[-1]["serverContent"]["interactionStatus"] == "IDLE"


async def test_new_input_cancels_a_blocking_call(running: Running) -> None:
    async with live(running, tools=tools("BLOCKING")) as client:
        call = await call_for(client)
        await client.send(realtimeInput={"text": "never mind"})
        cancelled = await client.until(lambda one: "toolCallCancellation" in one)
        assert cancelled["toolCallCancellation"]["ids"] == [call["id"]]
        await client.until_content("turnComplete")
        await answer(client, call)
        assert transcript(await client.turn()) == "You wrote: never mind"
        await running.ledger.wait_for("tool.stray", id=call["id"])


async def test_a_non_blocking_call_leaves_the_interaction_in_progress(running: Running) -> None:
    async with live(running, tools=tools()) as client:
        call = await call_for(client)
        first = await client.until_content("turnComplete")
        assert first["interactionStatus"] == "IN_PROGRESS"
        await answer(client, call)
        second = await client.turn()
        assert transcript(second) == "get_weather says sunny"
        assert second[-1]["serverContent"]["interactionStatus"] == "IDLE"


async def test_a_silent_result_ends_the_interaction_without_a_word(running: Running) -> None:
    async with live(running, tools=tools()) as client:
        call = await call_for(client)
        await client.until_content("turnComplete")
        await answer(client, call, scheduling="SILENT")
        messages = await client.turn()
        assert messages[-1]["serverContent"]["interactionStatus"] == "IDLE"
        assert not speech_in(messages)


@pytest.mark.parametrize(("scheduling", "interrupts"), [("INTERRUPT", True), ("WHEN_IDLE", False)])
async def test_scheduling_decides_whether_a_result_cuts_the_answer(scheduling: str, interrupts: bool) -> None:
    async with serve(UNHURRIED) as running, live(running, tools=tools()) as client:
        call = await call_for(client)
        await client.until_content("turnComplete")
        await client.send(realtimeInput={"text": "tell me something long meanwhile"})
        await client.until_content("modelTurn")
        await answer(client, call, scheduling=scheduling)
        content: Message = {}
        while "turnComplete" not in content:
            message = await client.until(lambda one: "serverContent" in one)
            content = message["serverContent"]
        assert bool(running.ledger.where("turn.interrupted", cause="tool")) is interrupts
        assert transcript(await client.turn()) == "get_weather says sunny"


@pytest.mark.parametrize("missing", ["id", "name"])
async def test_a_result_without_id_or_name_is_refused(running: Running, missing: str) -> None:
    async with live(running, tools=tools()) as client:
        call = await call_for(client)
        reply = {"id": call["id"], "name": call["name"], "response": {}}
        del reply[missing]
        await client.send(toolResponse={"functionResponses": [reply]})
        assert await client.closed() == (1007, "Request contains an invalid argument.")


async def test_tool_calls_have_ids_of_their_own(running: Running) -> None:
    async with live(running, tools=tools()) as client:
        ids = [(await call_for(client))["id"] for _ in range(3)]
    assert len(set(ids)) == 3


async def test_prompt_tokens_grow_with_the_whole_context(running: Running) -> None:
    bills = []
    async with live(running, systemInstruction={"parts": [{"text": "Be brief, please."}]}) as client:
        for _ in range(3):
            await client.send(realtimeInput={"text": "again"})
            messages = await client.turn()
            bills.append(messages[-1]["usageMetadata"])
    counts = [bill["promptTokenCount"] for bill in bills]
    assert counts == sorted(counts) and counts[0] < counts[2]
    last = running.ledger.where("usage.counted")[-1]
    assert last["totals"]["promptTokenCount"] == sum(counts)
    spoken = bills[0]["responseTokensDetails"][0]
    assert spoken["modality"] == "AUDIO" and spoken["tokenCount"] == bills[0]["responseTokenCount"]


async def test_instructions_and_tools_may_change_midway(running: Running) -> None:
    async with live(running) as client:
        await client.send(contextUpdate={"tools": {"tools": tools("NON_BLOCKING")}})
        assert (await call_for(client))["name"] == "get_weather"
        await client.send(contextUpdate={"tools": {"tools": []}})
        await running.ledger.wait_for("context.updated", count=2)


async def test_many_sessions_talk_at_once(known: dict[str, Sample]) -> None:
    async def one(running: Running) -> str:
        async with live(running) as client:
            await client.say(known["interruption"].pcm)
            return transcript(await client.turn())

    async with serve(Config(time_scale=20)) as running:
        texts = await asyncio.gather(*[one(running) for _ in range(12)])
    assert set(texts) == {known["interruption"].text}


async def test_extended_thinking_bills_its_thoughts_and_images_count(running: Running) -> None:
    generation = {"responseModalities": ["AUDIO"], "thinkingConfig": {"thinkingLevel": "LOW"}}
    model = "models/gemini-3.8-live-extended-thinking"
    async with live(running, model=model, generationConfig=generation) as client:
        await client.send(realtimeInput={"video": {"data": "AAAA", "mimeType": "image/jpeg"}})
        await client.send(realtimeInput={"text": "what is it"})
        bill = (await client.turn())[-1]["usageMetadata"]
    assert {"modality": "VIDEO", "tokenCount": 258} in bill["promptTokensDetails"]
    parts = ("promptTokenCount", "responseTokenCount", "thoughtsTokenCount")
    assert bill["totalTokenCount"] == sum(bill[name] for name in parts)
    assert bill["thoughtsTokenCount"] > 0


async def test_a_scenario_may_call_what_was_never_declared() -> None:
    script = "turns: [{when: {contains: go}, call: {name: ghost}}]"
    async with serve(Config(time_scale=40, scenario=parse(script))) as running, live(running) as client:
        await client.send(realtimeInput={"text": "go"})
        messages = await client.turn()
    assert any("toolCall" in one for one in messages)


async def test_what_a_search_found_comes_with_the_answer_and_is_billed() -> None:
    scenario = parse(
        "turns: [{when: {contains: news}, say: Rain., cite: [{url: 'https://a.example', title: A}]}]"
    )
    async with serve(Config(time_scale=40, scenario=scenario)) as running:
        async with live(running, tools=[{"googleSearch": {}}]) as client:
            await client.send(realtimeInput={"text": "Search for tower clocks"})
            typed = await client.turn()
            await client.send(realtimeInput={"text": "What news?"})
            scripted = await client.turn()
        async with live(running) as client:
            await client.send(realtimeInput={"text": "Search for tower clocks"})
            without = await client.turn()
    assert transcript(typed) == "I found tower clocks."
    found = [page["web"] for page in grounding(typed)[0]["groundingChunks"]]
    assert found == [{"uri": "https://example.com/found", "title": "tower clocks"}]
    assert grounding(scripted)[0]["groundingChunks"] == [{"web": {"uri": "https://a.example", "title": "A"}}]
    assert typed[-1]["usageMetadata"]["toolUsePromptTokenCount"] == 50
    assert grounding(without) == [] and transcript(without) == "You wrote: Search for tower clocks"


def grounding(messages: list[Message]) -> list[Message]:
    contents = [one.get("serverContent", {}) for one in messages]
    return [content["groundingMetadata"] for content in contents if "groundingMetadata" in content]
