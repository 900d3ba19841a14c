"""What legs cost: by Google's reports in every shape, by our own reckoning where there are none."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from gemini import prices
from gemini.messages import TokensUsed
from gemini.usage import minus, plus
from protocol.media import Tokens
from relay.model.meter import Meter

SECOND_UP, SECOND_DOWN = 32_000, 48_000  #: bytes of a second of PCM
MODEL = "gemini-3.8-live"
PRICE = prices.of(MODEL)

Shape = Callable[[Tokens, Tokens], list[Tokens]]  #: a turn's bill and the sum of those before, to reports


def metered() -> Meter:
    meter = Meter()
    meter.leg_opened(MODEL, 100, remembers=False)
    return meter


def used(tokens: Tokens) -> TokensUsed:
    read = tokens.input_text + tokens.input_audio + tokens.input_image
    return TokensUsed(tokens, read, tokens.output_audio)


def bill(context_s: int, said_s: int) -> Tokens:
    heard, said = 25 * context_s, 25 * said_s
    return Tokens(input_text=100, input_audio=heard, output_audio=said, total=100 + heard + said)


def parts_of(turn: Tokens, before: Tokens) -> list[Tokens]:
    asked = Tokens(turn.input_text, turn.input_audio, total=turn.input_text + turn.input_audio)
    said = turn.output_audio // 2
    half = Tokens(output_audio=said, total=said)
    return [asked, half, minus(turn, plus(asked, half))]


def snapshots_of(turn: Tokens, before: Tokens) -> list[Tokens]:
    asked = Tokens(turn.input_text, turn.input_audio, total=turn.input_text + turn.input_audio)
    return [asked, turn, turn]


SHAPES: dict[str, Shape] = {
    "once": lambda turn, before: [turn],
    "twice": lambda turn, before: [turn, turn],
    "snapshots": snapshots_of,
    "parts": parts_of,
    "running count": lambda turn, before: [plus(before, turn)],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
def test_whatever_shape_the_reports_have_the_sum_is_the_bill(shape: str, late: bool) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance, meter = random.Random(seed), metered()
    context_s, before, cost, told = 0, Tokens(), 0, Tokens()
    for _ in range(30):
        asked_s, said_s = chance.randint(1, 5), chance.randint(2, 12)
        context_s += asked_s
        turn = bill(context_s, said_s)
        reports = SHAPES[shape](turn, before)
        before, cost, context_s = plus(before, turn), cost + prices.micro_usd(turn, PRICE), context_s + said_s
        meter.sent_audio(asked_s * SECOND_UP)
        meter.heard_audio(said_s * SECOND_DOWN)
        if late:
            meter.turn_completed()
        for report in reports:
            told = plus(told, meter.reported_by_model(used(report)))
        if not late:
            meter.turn_completed()
    assert (meter.reported, meter.estimated) == (cost, 0)
    assert told == before, "what was passed on adds up, too"


def test_a_model_that_tells_nothing_is_reckoned_and_marked() -> None:
    meter, context_s, cost = metered(), 0, 0
    for asked_s, said_s in ((2, 4), (3, 6), (1, 2)):
        context_s += asked_s
        cost += prices.micro_usd(bill(context_s, said_s), PRICE)
        context_s += said_s
        meter.sent_audio(asked_s * SECOND_UP)
        meter.heard_audio(said_s * SECOND_DOWN)
        meter.turn_completed()
    assert (meter.reported, meter.estimated) == (0, cost)


def test_a_report_that_is_missing_now_and_then_is_reckoned() -> None:
    meter = metered()
    for number in range(1, 4):
        meter.sent_audio(SECOND_UP)
        meter.heard_audio(number * SECOND_DOWN)
        if number != 2:
            meter.reported_by_model(used(bill(10 * number, number)))
        meter.turn_completed()
    assert meter.reported == sum(prices.micro_usd(bill(10 * n, n), PRICE) for n in (1, 3))
    assert meter.estimated == prices.micro_usd(bill(12, 2), PRICE)  # 10 s of the report, its answer, and 1 s


def test_what_is_said_counts_while_it_is_said() -> None:
    meter = metered()
    meter.sent_audio(SECOND_UP)
    assert meter.spent == 75
    meter.heard_audio(SECOND_DOWN)
    assert meter.spent == prices.micro_usd(bill(1, 1), PRICE)
    before = meter.spent
    meter.heard_audio(SECOND_DOWN)
    assert meter.spent == before + 300
    meter.reported_by_model(used(bill(1, 2)))
    assert (meter.reported, meter.estimated) == (before + 300, 0)


def test_silence_that_no_turn_follows_is_not_free() -> None:
    meter = metered()
    for _ in range(60):
        meter.sent_audio(SECOND_UP)
    meter.leg_closed()
    assert (meter.reported, meter.estimated) == (0, 4_500)
    assert meter.spent == 4_500, "and is counted once"


def test_another_leg_goes_on_with_what_the_model_has_in_mind_or_afresh() -> None:
    meter = metered()
    meter.heard_audio(10 * SECOND_DOWN)
    meter.reported_by_model(used(bill(50, 10)))
    meter.turn_completed()
    meter.leg_closed()
    meter.leg_opened(MODEL, 100, remembers=True)
    assert meter.turn_cost(0.0) == prices.micro_usd(bill(60, 0), PRICE)
    meter.leg_closed()
    meter.leg_opened(MODEL, 100, remembers=False)
    assert meter.turn_cost(0.0) == prices.micro_usd(bill(0, 0), PRICE)


def test_what_is_said_over_an_answer_is_of_the_next_turn() -> None:
    meter = metered()
    meter.sent_audio(SECOND_UP)
    meter.heard_audio(2 * SECOND_DOWN)
    meter.sent_audio(3 * SECOND_UP)
    meter.reported_by_model(used(bill(1, 2)))
    meter.turn_completed()
    assert meter.estimated == 225
    meter.heard_audio(SECOND_DOWN)
    assert meter.estimated == prices.micro_usd(bill(6, 1), PRICE)  # 1 s and 2 s of the report, and 3 s


def test_a_model_that_thinks_is_reckoned_with_its_thoughts_and_its_replies_in_two_turns() -> None:
    plain, thinking = metered(), Meter()
    thinking.leg_opened("gemini-3.8-live-extended-thinking", 100, remembers=False)
    for meter in (plain, thinking):
        meter.heard_audio(SECOND_DOWN)
    assert thinking.spent - plain.spent == 612  # 136 tokens of text
    assert thinking.turn_cost() > plain.turn_cost() + 2 * 612
