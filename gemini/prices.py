"""What Google bills for a model's tokens: one list with its day and its source. Pure, and whole numbers only.

A price is micro-dollars for a million tokens, so that none is a fraction. The bill of one turn is rounded up
to a micro-dollar: sums of bills are exact, in whatever order and on however many relays they are made. A
change of Google's is one line here; `simulator/session/charges.py` is another reading of the same page.
"""

from __future__ import annotations

from dataclasses import dataclass

from gemini import profiles
from gemini.profiles import EXTENDED_THINKING, V2_5, V3_1, V3_8, Confidence
from gemini.usage import unsaid
from protocol.media import Tokens

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-dollars for a million tokens, paid tier, without tax. Vertex AI's list is the same."""

    families: tuple[str, ...]  #: of `gemini/profiles.py`
    input_text: int
    input_audio: int
    input_image: int
    output_text: int
    output_audio: int
    as_of: str  #: day of the page, ISO
    confidence: Confidence
    source: str


_PAGE = "docs/sources.md#prices"

PRICES = (
    Price(
        (V3_8.family, EXTENDED_THINKING.family, V3_1.family),
        input_text=750_000,
        input_audio=3_000_000,
        input_image=1_000_000,
        output_text=4_500_000,
        output_audio=12_000_000,
        as_of="2026-10-09",
        confidence="reported",
        source=_PAGE,
    ),
    Price(
        (V2_5.family,),
        input_text=500_000,
        input_audio=3_000_000,
        input_image=3_000_000,
        output_text=2_000_000,
        output_audio=12_000_000,
        as_of="2026-10-09",
        confidence="reported",
        source=_PAGE,
    ),
)

#: for a model that nobody has priced: the dearest of each kind
UNKNOWN = Price(
    (),
    input_text=max(price.input_text for price in PRICES),
    input_audio=max(price.input_audio for price in PRICES),
    input_image=max(price.input_image for price in PRICES),
    output_text=max(price.output_text for price in PRICES),
    output_audio=max(price.output_audio for price in PRICES),
    as_of=max(price.as_of for price in PRICES),
    confidence="guessed",
    source=_PAGE,
)


def of(model: str) -> Price:
    """Price of a model, whatever stands before its name. Never raises."""
    family = profiles.of(model).family
    return next((price for price in PRICES if family in price.families), UNKNOWN)


def micro_usd(tokens: Tokens, price: Price) -> int:
    """What the tokens of one turn cost, rounded up. What is of no known kind is priced as text that is read.

    Thoughts are billed as text that is written, what the model's own tools brought as text that is read. What
    was read before has no discount, so that `cached` changes nothing.
    """
    millionths = (
        (tokens.input_text + tokens.tool_use + unsaid(tokens)) * price.input_text
        + tokens.input_audio * price.input_audio
        + tokens.input_image * price.input_image
        + (tokens.output_text + tokens.thoughts) * price.output_text
        + tokens.output_audio * price.output_audio
    )
    return -(-millionths // MILLION)
