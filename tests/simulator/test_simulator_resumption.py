"""Handles: when they come, what they hold, and what is lost without them."""

import pytest
from live_client import FRAME, SETUP, LiveClient, live, socket_to, transcript

from simulator import Config, Running, parse, serve
from simulator.audio.watermark import embed
from simulator.speech.samples import Sample


async def test_handles_come_unasked_and_keep_coming(running: Running) -> None:
    async with live(running) as client:
        handles = {await client.handle() for _ in range(3)}
    assert len(handles) == 3


async def test_a_turn_is_followed_by_a_handle_that_holds_it() -> None:
    config = Config(time_scale=40, scenario=parse("settings: {handle_every_s: 500}"))
    async with serve(config) as running, live(running) as client:
        await client.send(realtimeInput={"text": "remember me"})
        await client.turn()
        snapshot = running.world.handles.find(await client.handle())
    assert snapshot and [entry.role for entry in snapshot.memory.entries] == ["user", "model"]


async def test_no_handle_while_a_tool_call_is_open(running: Running) -> None:
    tools = [{"functionDeclarations": [{"name": "look", "behavior": "BLOCKING"}]}]
    async with live(running, tools=tools) as client:
        await client.send(realtimeInput={"text": "call look"})
        await client.until(lambda one: "toolCall" in one)
        update = await client.until(lambda one: "sessionResumptionUpdate" in one)
    assert update["sessionResumptionUpdate"] == {"resumable": False}


async def test_a_resumed_session_remembers_the_conversation(running: Running) -> None:
    async with live(running) as client:
        await client.send(realtimeInput={"text": "remember me"})
        first = await client.turn()
        handle = await client.handle()
    async with live(running, sessionResumption={"handle": handle}) as client:
        await client.send(realtimeInput={"text": "and now"})
        second = await client.turn()
    opened = running.ledger.where("session.opened")
    assert [line["resumed"] for line in opened] == [False, True]
    assert opened[0]["session"] == opened[1]["session"]
    counts = [turn[-1]["usageMetadata"]["promptTokenCount"] for turn in (first, second)]
    assert counts[1] > counts[0] + 20, "the first answer is in the second prompt"
    assert running.ledger.where("turn.started")[-1]["turn"] == 2


async def test_an_older_handle_forgets_what_came_after_it(running: Running) -> None:
    async with live(running) as client:
        early = await client.handle()
        await client.send(realtimeInput={"text": "too late for that handle"})
        await client.turn()
    async with live(running, sessionResumption={"handle": early}) as client:
        await client.send(realtimeInput={"text": "hi"})
        await client.turn()
    assert [line["turn"] for line in running.ledger.where("turn.started")] == [1, 1]


async def test_a_speaker_cut_off_midway_is_understood_after_resuming(
    running: Running, known: dict[str, Sample]
) -> None:
    pcm = known["question"].pcm
    half = len(pcm) // 2 // FRAME * FRAME
    async with live(running) as client:
        await client.stream(pcm[:half])
        await running.ledger.wait_for("speech.started")
        handle = await handle_that_heard(client, running, half)
    async with live(running, sessionResumption={"handle": handle}) as client:
        await client.say(pcm[half:])
        assert transcript(await client.turn()) == known["question"].text


async def handle_that_heard(client: LiveClient, running: Running, consumed: int) -> str:
    """A handle made after `consumed` bytes of audio were heard."""
    while True:
        handle = await client.handle()
        snapshot = running.world.handles.find(handle)
        if snapshot and snapshot.memory.uplink_bytes >= consumed:
            return handle


async def test_planted_frames_show_what_was_lost_and_what_came_twice(running: Running) -> None:
    frames = [embed(bytes(FRAME), number) for number in range(20)]
    async with live(running) as client:
        await client.stream(b"".join(frames[:10]))
        handle = await handle_that_heard(client, running, 10 * FRAME)
    async with live(running, sessionResumption={"handle": handle}) as client:
        await client.stream(b"".join(frames[8:12] + frames[14:]))
        await client.send(realtimeInput={"text": "done"})
        await client.turn()
    closed = await running.ledger.wait_for("connection.closed", connection=2)
    assert closed["missing"] == [(12, 13)]
    assert closed["repeated"] == [(8, 9)]


async def test_an_unknown_handle_is_refused(running: Running) -> None:
    async with socket_to(running) as client:
        await client.send(setup={**SETUP, "sessionResumption": {"handle": "made-up"}})
        code, reason = await client.closed()
    assert (code, reason) == (1008, "BidiGenerateContent session not found")


async def test_the_model_may_not_change_on_resume(running: Running) -> None:
    async with live(running) as client:
        handle = await client.handle()
    async with socket_to(running) as client:
        other = {**SETUP, "model": "models/gemini-3.1-flash-live-preview"}
        await client.send(setup={**other, "sessionResumption": {"handle": handle}})
        assert (await client.closed())[0] == 1007


@pytest.mark.parametrize("strict", [False, True])
async def test_whether_the_old_socket_must_be_closed_first_is_a_setting(strict: bool) -> None:
    scenario = parse(f"settings: {{resume_needs_old_closed: {str(strict).lower()}}}")
    async with serve(Config(time_scale=40, scenario=scenario)) as running, live(running) as old:
        setup = {**SETUP, "sessionResumption": {"handle": await old.handle()}}
        async with socket_to(running) as new:
            await new.send(setup=setup)
            if strict:
                assert (await new.closed())[0] == 1011
            else:
                assert "setupComplete" in await new.receive()
        await old.socket.close()
        await running.ledger.wait_for("connection.closed", connection=1)
        async with socket_to(running) as new:
            await new.send(setup=setup)
            assert "setupComplete" in await new.receive()


async def test_a_connection_ends_after_its_warning() -> None:
    scenario = parse("settings: {connection_limit_s: 600, go_away_left_s: 50}")
    async with serve(Config(time_scale=1000, scenario=scenario)) as running, live(running) as client:
        message = await client.until(lambda one: "goAway" in one)
        assert message == {"goAway": {"timeLeft": "50s"}}
        assert await client.closed() == (1000, "server reset")
        assert running.world.clock.now() >= 600
