"""The bill of a first contact: tokens by side and modality, as the model counted them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from gemini.contact.recording import Recording

#: names of prices in infra/cost/prices.yaml; what has no price of its own counts as audio
_PRICES = {
    ("prompt", "TEXT"): "million_text_in",
    ("prompt", "AUDIO"): "million_audio_in",
    ("response", "TEXT"): "million_text_out",
    ("response", "AUDIO"): "million_audio_out",
    ("thoughts", ""): "million_text_out",
}


def tokens(recording: Recording) -> Counter[tuple[str, str]]:
    """Tokens by (prompt, response or thoughts; modality). Tokens of no modality have an empty one."""
    counted: Counter[tuple[str, str]] = Counter()
    for name in recording.names():
        for one in recording.talk(name).all("usageMetadata"):
            if isinstance(one.value, dict):
                _count(one.value, counted)
    return counted


def dollars(counted: Mapping[tuple[str, str], int], prices: Mapping[str, float]) -> float:
    """Their price, rather too high than too low."""
    total = 0.0
    for (side, modality), count in counted.items():
        fallback = "million_audio_in" if side == "prompt" else "million_audio_out"
        total += count * prices[_PRICES.get((side, modality), fallback)] / 1e6
    return total


def _count(bill: Mapping[str, Any], counted: Counter[tuple[str, str]]) -> None:
    for side in ("prompt", "response"):
        details = bill.get(f"{side}TokensDetails", [])
        for detail in details:
            counted[side, str(detail.get("modality", ""))] += detail.get("tokenCount", 0)
        unattributed = bill.get(f"{side}TokenCount", 0) - sum(
            detail.get("tokenCount", 0) for detail in details
        )
        counted[side, ""] += max(0, unattributed)
    counted["thoughts", ""] += bill.get("thoughtsTokenCount", 0)
