"""Money of Google's figures: whole micro-dollars, rounded up once a turn."""

from __future__ import annotations

import datetime

import pytest

from gemini import prices, profiles
from infra.cost import model as cost
from protocol.media import Tokens


@pytest.mark.parametrize(
    ("tokens", "micro_usd"),
    [
        (Tokens(), 0),
        (Tokens(input_text=1, total=1), 1),  # 0.75, rounded up
        (Tokens(input_audio=25, total=25), 75),  # a second of hearing
        (Tokens(output_audio=25, total=25), 300),  # a second of speech
        (Tokens(input_image=258, total=258), 258),
        (Tokens(output_text=10, thoughts=136, total=146), 657),
        (Tokens(tool_use=50, total=50), 38),
        (Tokens(input_audio=100, cached=90, total=100), 300),  # no discount
        (Tokens(input_audio=100, total=125), 319),  # 25 of no kind
    ],
)
def test_a_turn_costs_what_the_list_says(tokens: Tokens, micro_usd: int) -> None:
    assert prices.micro_usd(tokens, prices.of("gemini-3.8-live")) == micro_usd


def test_every_model_that_is_known_has_a_price_with_day_and_source() -> None:
    for name in profiles.MODELS:
        price = prices.of(f"models/{name}")
        assert price in prices.PRICES, name
        assert datetime.date.fromisoformat(price.as_of) and price.source


def test_a_model_that_nobody_has_priced_costs_the_most_of_each_kind() -> None:
    unknown = prices.of("gemini-9-live")
    for price in prices.PRICES:
        for kind in ("input_text", "input_audio", "input_image", "output_text", "output_audio"):
            assert getattr(unknown, kind) >= getattr(price, kind)


def test_the_cost_model_reckons_with_the_same_prices() -> None:
    listed, ours = cost.read_prices()["gemini"], prices.of("gemini-3.8-live")
    for kind, price in (("audio_in", ours.input_audio), ("audio_out", ours.output_audio)):
        assert round(listed[f"million_{kind}"] * 1e6) == price
    assert round(listed["million_text_in"] * 1e6) == ours.input_text
    assert round(listed["million_text_out"] * 1e6) == ours.output_text
    assert round(listed["million_image_in"] * 1e6) == ours.input_image
