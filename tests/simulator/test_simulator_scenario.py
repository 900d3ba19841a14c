"""Scenario files: read strictly, played as written; and what runs them in fast time."""

from pathlib import Path

import pytest
from live_client import live, speech_in, transcript

import simulator
from simulator import Config, ScenarioError, load, parse, serve
from simulator.speech.samples import Sample

SHIPPED = sorted((Path(simulator.__file__).parent / "scenarios").glob("*.yaml"))

SCRIPT = """
name: trains
settings: {voice: synthetic, seed: 4}
turns:
  - when: {contains: NEXT TRAIN}
    call: {name: timetable, args: {to: York}}
    say: One moment.
  - when: {tool: timetable}
    say: "It leaves at {response}."
  - when: {contains: bye}
    once: true
    silent: true
  - when: {turn: 5}
    say: This is the fifth turn.
  - when: {spoken: false}
    say: "You typed {heard}."
"""


async def test_rules_decide_what_is_said(known: dict[str, Sample]) -> None:
    tools = [{"functionDeclarations": [{"name": "timetable", "behavior": "NON_BLOCKING"}]}]
    config = Config(time_scale=40, scenario=parse(SCRIPT))
    async with serve(config) as running, live(running, tools=tools) as client:
        await client.say(known["question"].pcm)
        first = await client.turn()
        call = next(one["toolCall"]["functionCalls"][0] for one in first if "toolCall" in one)
        assert call["args"] == {"to": "York"} and transcript(first) == "One moment."
        reply = {"id": call["id"], "name": "timetable", "response": {"result": "ten"}}
        await client.send(toolResponse={"functionResponses": [reply]})
        assert transcript(await client.turn()) == "It leaves at ten."
        await client.send(realtimeInput={"text": "bye"})
        await running.ledger.wait_for("turn.ended", turn=3)
        await client.send(realtimeInput={"text": "bye"})
        assert transcript(await client.turn()) == "You typed bye."
        await client.send(realtimeInput={"text": "more"})
        assert transcript(await client.turn()) == "This is the fifth turn."


async def test_a_rule_on_a_sample_may_echo_and_speak(known: dict[str, Sample]) -> None:
    script = (
        "turns: [{when: {sample: interruption, spoken: true}, say: Well, echo: true, pace: 9, think_s: 2}]"
    )
    async with serve(Config(time_scale=40, scenario=parse(script))) as running, live(running) as client:
        await client.say(known["interruption"].pcm)
        messages = await client.turn()
    assert transcript(messages) == "Well " + known["interruption"].text
    assert [line["said"] for line in running.ledger.where("answer.begun")] == ["composed", "echo"]
    heard = running.ledger.where("utterance.heard")[0]
    assert running.ledger.where("answer.begun")[0]["t"] - heard["t"] >= 2


async def test_a_seed_fixes_what_is_said() -> None:
    async def codes() -> list[str]:
        config = Config(time_scale=40, scenario=parse("settings: {seed: 7, voice: synthetic}"))
        async with serve(config) as running, live(running) as client:
            for _ in range(2):
                await client.send(realtimeInput={"text": "hello"})
                assert speech_in(await client.turn())
            return [line["code"] for line in running.ledger.where("answer.begun")]

    assert await codes() == await codes()


async def test_ten_minutes_pass_in_two_seconds() -> None:
    config = Config(scenario=parse("{time_scale: 300, settings: {handle_every_s: 60}}"))
    async with serve(config) as running, live(running) as client:
        await client.send(realtimeInput={"text": "hello"})
        await client.turn()
        assert await client.closed() == (1000, "server reset")
        assert running.world.clock.now() >= 600


async def test_context_is_compressed_when_asked_for_and_refused_when_full() -> None:
    window = {"triggerTokens": 60, "slidingWindow": {"targetTokens": 20}}
    async with serve(Config(time_scale=200)) as running:
        async with live(running, contextWindowCompression=window) as client:
            for _ in range(3):
                await client.send(realtimeInput={"text": "remember this sentence, will you"})
                await client.turn()
        assert running.ledger.where("context.compressed")
        async with live(running) as client:
            await client.send(realtimeInput={"text": "x" * 4 * 131_073})
            assert await client.closed() == (1007, "Request contains an invalid argument.")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("turns: [", "s.yaml, line 1: not YAML"),
        ("- a", "Expected `object`"),
        ("colour: red", "unknown field `colour`"),
        (
            "turns: [{when: {contains: 3}}]",
            "Expected `str | null`, got `int` - at `$.turns[0].when.contains`",
        ),
        ("faults: [{kind: meteor}]", "Invalid value 'meteor' - at `$.faults[0].kind`"),
        ("faults: [{kind: close, at: {minute: 3}}]", "unknown field `minute` - at `$.faults[0].at`"),
        ("settings: {locked_handle: maybe}", "Invalid enum value 'maybe' - at `$.settings.locked_handle`"),
        ("time_scale: 0", "time_scale must be above 0"),
        ("settings: {pace: -1}", "pace must be above 0"),
        ("turns: [{pace: 0}]", "pace must be above 0"),
        ("settings: {chunk_ms: 2}", "settings.chunk_ms must be 5 to 1000"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text, "s.yaml")
    assert complaint in str(caught.value) and "\n" not in str(caught.value)


def test_an_empty_file_is_an_unscripted_simulator() -> None:
    assert parse("").turns == ()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_can_be_read(path: Path) -> None:
    assert load(path).name == path.stem


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load(tmp_path / "binary.yaml")
