"""What the service would charge: its own list of prices, in dollars, and the bill of a turn.

Another reading of Google's page than `gemini/prices.py`, on purpose: each can catch the other out. A bill is
rounded up to a millionth of a dollar.
"""

from decimal import ROUND_CEILING, Decimal
from typing import Any

from gemini.profiles import V2_5, Profile

PER_TOKENS = 1_000_000  #: a price is for so many
MICRO = Decimal("0.000001")

#: dollars by direction and modality; paid tier, page of 9 October 2026 (docs/sources.md#prices)
USUAL = {
    ("prompt", "TEXT"): Decimal("0.75"),
    ("prompt", "AUDIO"): Decimal("3.00"),
    ("prompt", "VIDEO"): Decimal("1.00"),
    ("response", "TEXT"): Decimal("4.50"),
    ("response", "AUDIO"): Decimal("12.00"),
}
OF_2_5 = {
    ("prompt", "TEXT"): Decimal("0.50"),
    ("prompt", "AUDIO"): Decimal("3.00"),
    ("prompt", "VIDEO"): Decimal("3.00"),
    ("response", "TEXT"): Decimal("2.00"),
    ("response", "AUDIO"): Decimal("12.00"),
}


def micro_dollars(report: dict[str, Any], profile: Profile) -> int:
    """The bill of a turn, by its whole `usageMetadata`: what has no modality is text, as are thoughts."""
    prices = OF_2_5 if profile.family == V2_5.family else USUAL
    dollars = Decimal(0)
    for side in ("prompt", "response"):
        details = {
            each["modality"]: int(each["tokenCount"]) for each in report.get(f"{side}TokensDetails", ())
        }
        rest = int(report.get(f"{side}TokenCount", 0)) - sum(details.values())
        details["TEXT"] = details.get("TEXT", 0) + rest
        dollars += sum(count * prices[side, modality] for modality, count in details.items())
    dollars += int(report.get("toolUsePromptTokenCount", 0)) * prices["prompt", "TEXT"]
    dollars += int(report.get("thoughtsTokenCount", 0)) * prices["response", "TEXT"]
    return int((dollars / PER_TOKENS).quantize(MICRO, ROUND_CEILING) / MICRO)
