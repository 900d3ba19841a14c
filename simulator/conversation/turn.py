"""One turn of the model: its answers, playback position and end; and its usage."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from simulator.conversation.answer import Answer
from simulator.session.context import Memory, audio_tokens
from simulator.session.setup import Setup

SEARCH = 50  #: tokens of what a search brought
THOUGHTS = 136  #: thought tokens of an extended-thinking turn; others saw this number


@dataclass(slots=True)
class Turn:
    number: int
    cause: str  #: speech, text or tool
    interaction: int  #: number of the turn in which the user set it off
    over: asyncio.Event = field(default_factory=asyncio.Event)  #: interrupted or dropped
    answers: list[Answer] = field(default_factory=list)
    sent_s: float = 0.0  #: speech sent so far
    plays_until: float = 0.0  #: virtual moment at which all that was sent has been heard
    is_known: bool = False  #: the client has seen something of it
    is_cut: bool = False  #: over before its end
    has_searched: bool = False
    goes_on: bool = False  #: the rest of the reply comes as another turn

    def heard_s(self, now: float) -> float:
        """Speech played by now, if the client plays at once."""
        return max(0.0, self.sent_s - max(0.0, self.plays_until - now))

    def sent(self, up_to_s: float, now: float) -> None:
        """Speech of this turn is out up to `up_to_s`; it plays on without a gap, or from now."""
        self.plays_until = max(self.plays_until, now) + up_to_s - self.sent_s
        self.sent_s = up_to_s


def usage(turn: Turn, memory: Memory, setup: Setup, unattributed: int) -> dict[str, Any]:
    """`usageMetadata` of a turn: the whole context again, and the speech that was sent."""
    prompt = {modality: count for modality, count in memory.prompt().items() if count}
    spoken = audio_tokens(turn.sent_s)
    thoughts = THOUGHTS if setup.model.profile.thinking.value == "level" else 0
    found = SEARCH if turn.has_searched else 0
    prompt_total = sum(prompt.values()) + (unattributed if setup.model.reports_status else 0)
    report: dict[str, Any] = {
        "promptTokenCount": prompt_total,
        "responseTokenCount": spoken,
        "totalTokenCount": prompt_total + spoken + thoughts + found,
        "promptTokensDetails": [{"modality": name, "tokenCount": count} for name, count in prompt.items()],
    }
    if spoken:
        report["responseTokensDetails"] = [{"modality": "AUDIO", "tokenCount": spoken}]
    if found:
        report["toolUsePromptTokenCount"] = found
    if thoughts:
        report["thoughtsTokenCount"] = thoughts
    return report
