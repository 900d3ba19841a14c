"""Faults that were reported in public, and cases: scenarios chosen by a token."""

from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from live_client import LiveClient, Message, live, socket_to, speech_in, transcript
from websockets.exceptions import InvalidStatus

from simulator import Config, Running, parse, serve

WEATHER = [{"functionDeclarations": [{"name": "get_weather", "description": "Weather."}]}]


def scripted(fault: str) -> Config:
    return Config(time_scale=40, scenario=parse(f"settings: {{voice: synthetic}}\nfaults: [{fault}]"))


async def ask(client: LiveClient, text: str = "go") -> list[Message]:
    await client.send(realtimeInput={"text": text})
    return await client.turn()


async def test_a_turn_may_be_empty_and_say_why() -> None:
    empty = "{kind: empty_turn, at: {turn: 1}, reason: RESPONSE_REJECTED, waits: true}"
    async with serve(scripted(empty)) as running, live(running) as client:
        messages = await ask(client)
        content = messages[-1]["serverContent"]
        assert content["turnCompleteReason"] == "RESPONSE_REJECTED"
        assert content["waitingForInput"] is True
        assert not speech_in(messages)
        assert not transcript(messages)
        assert speech_in(await ask(client, "again"))


async def test_an_answer_may_be_inaudible() -> None:
    async with serve(scripted("{kind: quiet_audio}")) as running, live(running) as client:
        messages = await ask(client)
        sound, heard = speech_in(messages), speech_in(await ask(client, "again"))
    assert len(sound) > 24_000
    assert max(memoryview(sound).cast("h")) == 1
    assert max(memoryview(heard).cast("h")) > 1_000
    assert transcript(messages) == "You wrote: go"


@pytest.mark.parametrize("pongs", ["true", "false"])
async def test_sound_may_stop_and_go_on(pongs: str) -> None:
    stall = f"{{kind: stall, at: {{turn: 1}}, after_s: 0.2, lasts_s: 8, pongs: {pongs}}}"
    async with serve(scripted(stall)) as running, live(running) as client:
        before = running.world.clock.now()
        messages = await ask(client)
        assert running.world.clock.now() - before > 8
        [begun] = running.ledger.where("answer.begun")
    assert len(speech_in(messages)) / 48_000 == pytest.approx(begun["duration_s"], abs=0.1)


@pytest.mark.parametrize(("twice", "times"), [("false", 0), ("true", 1)])
async def test_a_tool_call_may_stand_among_the_parts(twice: str, times: int) -> None:
    fault = f"{{kind: call_in_parts, twice: {twice}}}"
    async with serve(scripted(fault)) as running, live(running, tools=WEATHER) as client:
        await client.send(realtimeInput={"text": "call get_weather"})
        content = await client.until_content("modelTurn")
        call = content["modelTurn"]["parts"][0]["functionCall"]
        await client.until(lambda one: "toolCall" in one or "sessionResumptionUpdate" in one)
        assert len([one for one in client.seen if "toolCall" in one]) == times
        reply = {"id": call["id"], "name": call["name"], "response": {"output": "sunny"}}
        await client.send(toolResponse={"functionResponses": [reply]})
        await client.until_content("modelTurn")


async def test_a_tool_call_without_id_is_answered_by_name() -> None:
    async with (
        serve(scripted("{kind: call_without_id}")) as running,
        live(running, tools=WEATHER) as client,
    ):
        await client.send(realtimeInput={"text": "call get_weather"})
        message = await client.until(lambda one: "toolCall" in one)
        assert message["toolCall"]["functionCalls"] == [{"name": "get_weather", "args": {}}]
        reply = {"name": "get_weather", "response": {"output": "sunny"}}
        await client.send(toolResponse={"functionResponses": [reply]})
        await running.ledger.wait_for("tool.answered", name="get_weather")


async def test_a_resumption_may_have_forgotten_everything() -> None:
    forget = "{kind: forget_context, at: {connection: 2}}"
    async with serve(scripted(forget)) as running:
        async with live(running, sessionResumption={}) as client:
            await ask(client, "Remember this word: pepper")
            handle = await client.handle()
        async with live(running, sessionResumption={"handle": handle}) as client:
            messages = await ask(client, "Which word did I ask you to remember?")
        assert running.ledger.where("session.opened")[1]["resumed"]
    assert transcript(messages) == "You told me no word."


async def test_a_setup_may_be_answered_by_a_close() -> None:
    fault = "{kind: refuse_setup, code: 1011, reason: You exceeded your current quota}"
    async with serve(scripted(fault)) as running, socket_to(running) as client:
        await client.send(setup={"model": "models/gemini-3.8-live"})
        assert await client.closed() == (1011, "You exceeded your current quota")


async def test_a_message_may_be_no_json() -> None:
    async with serve(scripted("{kind: garbage, at: {turn: 1}}")) as running, live(running) as client:
        await client.send(realtimeInput={"text": "go"})
        with pytest.raises(ValueError, match="Expecting value"):
            await client.turn()


# ---- over HTTP, and by token


def locked(voice: str) -> dict[str, Any]:
    speech = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}}
    setup = {"model": "models/gemini-3.8-live"}
    generation = {"responseModalities": ["AUDIO"], "speechConfig": speech}
    expires = (datetime.now(UTC) + timedelta(minutes=9)).isoformat()
    return {"bidiGenerateContentSetup": {**setup, "generationConfig": generation}, "expireTime": expires}


async def mint(running: Running, voice: str) -> tuple[int, Message]:
    url = f"{running.url}/v1beta/auth_tokens?key=k"
    async with aiohttp.ClientSession() as http, http.post(url, json=locked(voice)) as answer:
        return answer.status, await answer.json()


def constrained(running: Running, token: str) -> Any:
    query = f"?access_token={token.replace('/', '%2F')}"
    return socket_to(running, query, "BidiGenerateContentConstrained")


def cases(**texts: str) -> Config:
    return Config(time_scale=40, cases={name: parse(text) for name, text in texts.items()})


async def test_a_token_is_refused_over_http() -> None:
    refused = (
        "faults: [{kind: refuse_token, status: 403, name: PERMISSION_DENIED, message: No., reason: LOST}]"
    )
    async with serve(cases(refused=refused)) as running:
        status, answer = await mint(running, "case:refused")
        assert (status, answer["error"]["message"]) == (403, "No.")
        assert answer["error"]["details"][0]["reason"] == "LOST"
        assert (await mint(running, "Kore"))[0] == 200
        assert (await mint(running, "case:unheard_of"))[0] == 200


async def test_a_handshake_is_refused_over_http_as_often_as_the_case_says() -> None:
    busy = "faults: [{kind: refuse_handshake, at: {connection: 1}, status: 429, name: RESOURCE_EXHAUSTED}]"
    async with serve(cases(busy=busy)) as running:
        async with constrained(running, (await mint(running, "Kore"))[1]["name"]):
            pass  # another session's connection, which the case does not count
        _, answer = await mint(running, "case:busy")
        with pytest.raises(InvalidStatus) as caught:
            async with constrained(running, answer["name"]):
                pass
        assert caught.value.response.status_code == 429
        assert b"RESOURCE_EXHAUSTED" in bytes(caught.value.response.body or b"")
        async with constrained(running, answer["name"]) as client:
            await client.send(setup={})
            assert "setupComplete" in await client.receive()


async def test_each_case_has_answers_and_faults_of_its_own() -> None:
    one = "settings: {voice: synthetic}\nturns: [{say: One.}]"
    two = "settings: {voice: synthetic}\nturns: [{say: Two.}]\nfaults: [{kind: empty_turn, at: {turn: 2}}]"
    async with serve(cases(one=one, two=two)) as running:
        for name, said, second in (("one", "One.", "One."), ("two", "Two.", "")):
            _, answer = await mint(running, f"case:{name}")
            async with constrained(running, answer["name"]) as client:
                await client.send(setup={})
                assert transcript(await ask(client)) == said
                assert transcript(await ask(client)) == second
