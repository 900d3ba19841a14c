"""What a turn is charged, and how the client is told of it: whole, in parts, as snapshots, or not."""

import pytest
from live_client import live

from gemini import prices
from gemini.profiles import MODELS, of
from protocol.media import Tokens
from simulator import Config, billing, parse, serve
from simulator.session import charges


def report(text: int, heard: int, said: int, rest: int = 0, thoughts: int = 0) -> dict[str, object]:
    details = [{"modality": "TEXT", "tokenCount": text}, {"modality": "AUDIO", "tokenCount": heard}]
    total = text + heard + rest + said + thoughts
    return {
        "promptTokenCount": text + heard + rest,
        "responseTokenCount": said,
        "totalTokenCount": total,
        "thoughtsTokenCount": thoughts,
        "promptTokensDetails": details,
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": said}],
    }


@pytest.mark.parametrize("name", MODELS)
def test_two_readings_of_the_price_list_agree(name: str) -> None:
    for numbers in ((1, 0, 0, 0, 0), (123, 456, 789, 25, 136), (7, 11, 13, 51, 0)):
        text, heard, said, rest, thoughts = numbers
        total = sum(numbers)
        tokens = Tokens(text, heard, output_audio=said, thoughts=thoughts, total=total)
        ours = prices.micro_usd(tokens, prices.of(name))
        assert charges.micro_dollars(report(*numbers), of(name)) == ours, (rest, numbers)


def test_parts_add_up_snapshots_end_with_the_whole_and_a_running_count_holds_what_came_before() -> None:
    turn, before = report(10, 20, 30, 25), report(1, 2, 3)
    parts = billing.told(turn, "parts", "whole", {})
    assert billing.plus(*parts) == billing.plus(turn, {})
    assert billing.told(turn, "snapshots", "whole", {})[1:] == [turn, turn]
    assert billing.told(turn, "total", "whole", before) == [billing.plus(before, turn)]
    assert billing.told(turn, "absent", "whole", before) == []
    (partly,) = billing.told(turn, "turn", "partly", {})
    assert partly["promptTokensDetails"] == [{"modality": "TEXT", "tokenCount": 10}]
    assert "responseTokensDetails" not in partly and partly["responseTokenCount"] == 30
    (none,) = billing.told(turn, "turn", "none", {})
    assert "promptTokensDetails" not in none


@pytest.mark.parametrize(("telling", "reports"), [("turn", 1), ("parts", 2), ("snapshots", 3), ("absent", 0)])
async def test_a_turn_is_charged_once_however_often_it_is_told(telling: str, reports: int) -> None:
    scenario = parse(f"settings: {{usage: {telling}, voice: synthetic}}")
    async with serve(Config(time_scale=40, tls=False, scenario=scenario)) as running:
        async with live(running) as client:
            await client.send(realtimeInput={"text": "again"})
            messages = await client.turn()
            told = [message["usageMetadata"] for message in messages if "usageMetadata" in message]
            assert len(told) == reports
        (charged,) = running.ledger.where("charged")
        assert charged["micro_dollars"] > 0 and charged["told"] is (telling != "absent")


async def test_an_answer_that_is_hung_up_on_and_billed_silence_are_charged_without_a_word() -> None:
    scenario = parse("settings: {pace: 1, listening: all, voice: synthetic}")
    async with serve(Config(time_scale=20, tls=False, scenario=scenario)) as running:
        async with live(running) as client:
            await client.send(realtimeInput={"text": "a long answer, if you please, of many words"})
            await client.until_content("modelTurn")
        line = await running.ledger.wait_for("charged")
        assert line["told"] is False and line["micro_dollars"] > 0
        async with live(running) as client:
            await client.say(bytes(64_000))
            await client.send(realtimeInput={"audioStreamEnd": True})
        line = await running.ledger.wait_for("charged", count=2)
        assert (line["told"], line["micro_dollars"]) == (False, 225), "and the second that `say` adds"
