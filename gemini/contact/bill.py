"""The bill of a first contact: tokens by side and modality, as the model counted them. Pure.

No bill comes for an answer that was hung up on; it is paid for all the same, and put at
what can be known of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from statistics import median
from typing import Any

from gemini.contact.recording import Recording, Talk

TOKENS_PER_S = 25  #: of audio, in and out
SETUP_TOKENS = 100  #: of instructions, a tool and a typed question

#: names of prices in infra/cost/prices.yaml; what has no price of its own counts as audio
_PRICES = {
    ("prompt", "TEXT"): "million_text_in",
    ("prompt", "AUDIO"): "million_audio_in",
    ("prompt", "IMAGE"): "million_image_in",
    ("prompt", "VIDEO"): "million_image_in",
    ("response", "TEXT"): "million_text_out",
    ("response", "AUDIO"): "million_audio_out",
    ("thoughts", ""): "million_text_out",
}


def tokens(recording: Recording) -> Counter[tuple[str, str]]:
    """Tokens by (prompt, response or thoughts; modality). Tokens of no modality have an empty one."""
    counted: Counter[tuple[str, str]] = Counter()
    talks = recording.talks()
    bills = [one.value for talk in talks for one in talk.all("usageMetadata") if isinstance(one.value, dict)]
    for bill in bills:
        _count(bill, counted)
    thoughts = round(median([bill.get("thoughtsTokenCount", 0) for bill in bills] or [0]))
    for talk in talks:
        _count_hung_up(talk, thoughts, counted)
    return counted


def dollars(counted: Mapping[tuple[str, str], int], prices: Mapping[str, float]) -> float:
    """Their price, rather too high than too low."""
    total = 0.0
    for (side, modality), count in counted.items():
        fallback = "million_audio_in" if side == "prompt" else "million_audio_out"
        total += count * prices[_PRICES.get((side, modality), fallback)] / 1e6
    return total


def _count_hung_up(talk: Talk, thoughts: int, counted: Counter[tuple[str, str]]) -> None:
    """An answer after the last bill: its sound, what it read, and as much thought as the others took."""
    bills = talk.all("usageMetadata")
    sound_s = talk.sound_s(bills[-1].at_s + 0.001 if bills else 0.0)
    if not sound_s:
        return
    counted["response", "AUDIO"] += round(TOKENS_PER_S * sound_s)
    counted["prompt", "AUDIO"] += round(TOKENS_PER_S * talk.spoken_s)
    counted["prompt", "TEXT"] += SETUP_TOKENS
    counted["thoughts", ""] += thoughts


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
