"""Every fault, on a real socket: from a scenario, from inside the process, and over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from live_client import SETUP, Message, live, socket_to, speech_in, transcript

from simulator import Config, Running, faults, parse, serve
from simulator.faults import Fault
from simulator.speech.samples import Sample


def scripted(fault: str, scale: float = 40) -> Config:
    return Config(time_scale=scale, scenario=parse(f"faults: [{fault}]"))


async def ask(client: Any, text: str = "go") -> list[Message]:
    await client.send(realtimeInput={"text": text})
    messages: list[Message] = await client.turn()
    return messages


async def test_go_away_comes_before_the_close_it_announces() -> None:
    config = scripted("{kind: go_away, at: {time_s: 1}, time_left_s: 3, code: 1011, reason: Deadline}")
    async with serve(config) as running, live(running) as client:
        await client.until(lambda one: one.get("goAway") == {"timeLeft": "3s"})
        assert await client.closed() == (1011, "Deadline")
        struck = running.ledger.where("fault.struck")[0]["t"]
        assert running.ledger.where("close.sent")[0]["t"] - struck >= 3


async def test_a_go_away_may_lack_its_time() -> None:
    config = scripted("{kind: go_away, time_left_s: null, closes: false}")
    async with serve(config) as running, live(running) as client:
        assert await client.until(lambda one: "goAway" in one) == {"goAway": {}}
        await ask(client)


async def test_a_close_with_code_and_reason_at_a_turn() -> None:
    config = scripted("{kind: close, at: {turn: 2}, code: 1008, reason: The operation was aborted.}")
    async with serve(config) as running, live(running) as client:
        await ask(client)
        await client.send(realtimeInput={"text": "again"})
        assert await client.closed() == (1008, "The operation was aborted.")


async def test_a_long_reason_is_cut_to_what_a_close_frame_holds() -> None:
    async with (
        serve(scripted("{kind: close, reason: " + "ü" * 100 + "}")) as running,
        live(running) as client,
    ):
        assert (await client.closed())[1] == "ü" * 61


async def test_a_reset_leaves_no_close_frame() -> None:
    async with serve(scripted("{kind: abort, at: {turn: 1}}")) as running, live(running) as client:
        await client.send(realtimeInput={"text": "go"})
        assert await client.closed() == (1006, "")


async def test_a_frozen_session_is_silent_on_an_open_socket(running: Running) -> None:
    async with live(running) as client:
        running.inject(faults.Freeze())
        await client.send(realtimeInput={"text": "hello?"})
        await running.ledger.wait_for("turn.ended")
        assert await pong_of(client)
        count = len(client.seen)
        running.inject(faults.CloseNow(code=1000, reason=""))
        await client.closed()
        assert [name for one in client.seen[count:] for name in one] in ([], ["sessionResumptionUpdate"])


async def pong_of(client: Any, within_s: float = 5.0) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await (await client.socket.ping())
    except TimeoutError:
        return False
    return True


async def test_a_hard_freeze_stops_the_pongs_too(running: Running) -> None:
    async with live(running) as client:
        assert await pong_of(client)
        running.inject(faults.Freeze(mode="hard"))
        assert not await pong_of(client, 0.2)


async def test_an_audio_freeze_lets_transcripts_through(running: Running) -> None:
    async with live(running) as client:
        running.inject(faults.Freeze(mode="audio"))
        messages = await ask(client)
    assert transcript(messages) == "You wrote: go"
    assert not speech_in(messages)


async def test_a_freeze_may_thaw(running: Running) -> None:
    async with live(running) as client:
        running.inject(faults.Freeze(lasts_s=2))
        await client.handle()
        assert speech_in(await ask(client))


async def test_pongs_may_be_slow(running: Running) -> None:
    async with live(running) as client:
        running.inject(faults.SlowPong(delay_s=12))
        before = running.world.clock.now()
        assert await pong_of(client)
        assert running.world.clock.now() - before >= 12


async def test_a_burst_sends_the_whole_answer_at_once_and_still_holds_the_end() -> None:
    async with serve(Config(time_scale=2)) as running, live(running) as client:
        running.inject(faults.Burst())
        await client.send(realtimeInput={"text": "go"})
        await client.until_content("generationComplete")
        generated = running.world.clock.now()
        await client.until_content("turnComplete")
        begun = running.ledger.where("answer.begun")[0]
        assert generated - begun["t"] < begun["duration_s"] / 3
        assert running.ledger.where("turn.ended")[0]["t"] - begun["t"] >= begun["duration_s"]


@pytest.mark.parametrize("same_id", [False, True])
async def test_a_tool_call_may_come_twice(running: Running, same_id: bool) -> None:
    async with live(running, tools=[{"functionDeclarations": [{"name": "look"}]}]) as client:
        running.inject(faults.DuplicateToolCall(same_id=same_id))
        messages = await ask(client, "call look")
    ids = [one["toolCall"]["functionCalls"][0]["id"] for one in messages if "toolCall" in one]
    assert len(ids) == 2 and len(set(ids)) == (1 if same_id else 2)


async def test_an_interruption_without_a_speaker() -> None:
    config = scripted("{kind: spurious_interrupted, at: {turn: 1}, after_s: 0.2}", scale=10)
    async with serve(config) as running, live(running) as client:
        messages = await ask(client, "say something long enough to be cut")
        assert any("interrupted" in one.get("serverContent", {}) for one in messages)
        assert running.ledger.where("turn.interrupted")[0]["cause"] == "fault"


async def test_unknown_and_empty_messages(running: Running) -> None:
    async with live(running) as client:
        running.inject(faults.UnknownMessage(message={"tomorrow": {"x": 1}}))
        running.inject(faults.EmptyContent())
        await client.until(lambda one: one == {"tomorrow": {"x": 1}})
        await client.until(lambda one: one == {"serverContent": {}})


@pytest.mark.parametrize(("side", "texts"), [("input", ("ld", "could")), ("output", ("could", "ld"))])
async def test_the_head_of_a_transcript_may_be_lost(
    known: dict[str, Sample], side: str, texts: tuple[str, str]
) -> None:
    config = scripted(f"{{kind: lost_transcription_head, at: {{turn: 1}}, side: {side}, characters: 3}}")
    async with serve(config) as running, live(running) as client:
        await client.say(known["question"].pcm)
        messages = await client.turn()
    assert transcript(messages, "input").lower().startswith(texts[0])
    assert transcript(messages).lower().startswith(texts[1])


async def test_a_turn_may_never_end(running: Running) -> None:
    async with live(running) as client:
        running.inject(faults.TurnNeverEnds())
        await client.send(realtimeInput={"text": "go"})
        await client.until_content("generationComplete")
        await running.ledger.wait_for("turn.abandoned")
        count = len(client.seen)
        await ask(client, "once more")
    assert sum("turnComplete" in one.get("serverContent", {}) for one in client.seen[count:]) == 1


async def test_a_good_handle_may_be_refused() -> None:
    fault = "{kind: refuse_handle, at: {connection: 2}, code: 1011, reason: Internal error encountered.}"
    async with serve(scripted(fault)) as running:
        async with live(running) as client:
            setup = {**SETUP, "sessionResumption": {"handle": await client.handle()}}
        async with socket_to(running) as client:
            await client.send(setup=setup)
            assert await client.closed() == (1011, "Internal error encountered.")
        async with socket_to(running) as client:
            await client.send(setup=setup)
            assert "setupComplete" in await client.receive()


async def test_a_setup_may_be_slow() -> None:
    async with serve(scripted("{kind: slow_setup, delay_s: 8}")) as running, live(running):
        assert running.world.clock.now() >= 8


async def test_a_fault_strikes_only_the_connection_it_names() -> None:
    fault = "{kind: close, at: {connection: 2}, code: 1011}"
    async with serve(scripted(fault)) as running, live(running) as first, live(running) as second:
        assert (await second.closed())[0] == 1011
        await ask(first)


async def post(running: Running, body: Any, kind: str = "application/json") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http:
        url = f"{running.url}/_control/fault"
        async with http.post(url, data=body, headers={"Content-Type": kind}) as answer:
            return answer.status, await answer.json()


async def test_faults_come_over_http_too(running: Running) -> None:
    async with live(running) as client, live(running) as other:
        body = '{"kind": "go_away", "time_left_s": 9, "closes": false, "connection": 1}'
        assert await post(running, body) == (200, {"connections": 1})
        await client.until(lambda one: one.get("goAway") == {"timeLeft": "9s"})
        await ask(other)
        assert not any("goAway" in one for one in other.seen)


@pytest.mark.parametrize(
    ("body", "kind", "status", "text"),
    [
        ("{", "application/json", 400, "truncated"),
        ("[]", "application/json", 400, "object"),
        ('{"kind": "meteor"}', "application/json", 400, "meteor"),
        ('{"kind": "close", "code": "x"}', "application/json", 400, "int"),
        ('{"kind": "burst", "connection": "x"}', "application/json", 400, "connection"),
        ('{"kind": "burst"}', "text/plain", 415, "content type"),
        ('{"kind": "burst"}', "application/json", 404, None),
    ],
)
async def test_bad_faults_are_explained(
    running: Running, body: str, kind: str, status: int, text: str | None
) -> None:
    got, answer = await post(running, body, kind)
    assert got == status
    assert answer == {"connections": 0} if text is None else text in answer["error"]


async def test_the_ledger_can_be_read_over_http(running: Running) -> None:
    async with live(running) as client:
        await ask(client)
    await running.ledger.wait_for("connection.closed")
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{running.url}/_control/ledger?after=1&limit=2") as answer:
            lines = (await answer.json())["lines"]
        async with http.get(f"{running.url}/_control/ledger?after=x") as answer:
            assert answer.status == 400
        async with http.get(f"{running.url}/_control/state") as answer:
            assert (await answer.json())["connections"] == []
        async with http.get(f"{running.url}/_control/nothing") as answer:
            assert answer.status == 404
    assert [line["n"] for line in lines] == [2, 3]


def test_every_fault_is_in_the_readme() -> None:
    text = (Path(faults.__file__).parent / "README.md").read_text(encoding="utf-8")
    kinds = {one.__struct_config__.tag for one in Fault.__args__}  # type: ignore[attr-defined]
    assert {kind for kind in kinds if f"`{kind}`" not in text} == set()
