"""What Google's reports of usage come to. Pure.

Google documents no more than that a message may have `usageMetadata`. Others saw one for each turn, several
that each repeat what came before (snapshots: adding them up counts twice, tau2-bench#454), and details that
leave tokens without a modality. Which of it a report is, its numbers do not say; how long the agent spoke
does, for speech counts 25 tokens a second: of the readings of a turn's reports, the one that agrees with what
was heard is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from msgspec.structs import replace

from gemini.messages import TokensUsed
from protocol.media import Tokens

TOKENS_PER_S = 25  #: of audio, in and out (docs/sources.md#gemini-usage)
IMAGE_TOKENS = 258  #: of one image
CHARS_PER_TOKEN = 4  #: of text, about
THOUGHTS = 136  #: tokens in a turn of a model that always thinks, until it has told: others saw that
UNSAID = 64  #: prompt tokens without a modality that are usual: others saw 25 to 51
AGREES = 5  #: tokens of speech by which a reading may differ from what was heard, or a twentieth of them

#: of a turn's reports: the last is all; each adds to the others; each counts on from the turns before
Reading = Literal["last", "sum", "total"]

NOTHING = Tokens()


def plus(a: Tokens, b: Tokens) -> Tokens:
    return Tokens(*(getattr(a, name) + getattr(b, name) for name in Tokens.__struct_fields__))


def minus(a: Tokens, b: Tokens) -> Tokens:
    return Tokens(*(getattr(a, name) - getattr(b, name) for name in Tokens.__struct_fields__))


def is_at_least(a: Tokens, b: Tokens) -> bool:
    """True when no kind of token is fewer in `a`."""
    return all(getattr(a, name) >= getattr(b, name) for name in Tokens.__struct_fields__)


def attributed(report: TokensUsed, *, hears: bool) -> tuple[Tokens, bool]:
    """The report's tokens, each of some kind, and whether a kind had to be guessed.

    A kind that the details leave out altogether is what is missing: audio, when the model `hears` any, and
    what it says. A few tokens of the prompt that are of no kind are left to be priced as text.
    """
    told = report.tokens
    read = max(0, report.prompt - told.input_text - told.input_audio - told.input_image)
    said = max(0, report.response - told.output_text - told.output_audio)
    is_heard = hears and not told.input_audio and read > UNSAID
    kinds = replace(
        told,
        input_audio=told.input_audio + (read if is_heard else 0),
        output_audio=told.output_audio + said,
    )
    return kinds, is_heard or said > 0


def unsaid(tokens: Tokens) -> int:
    """Tokens that are of no kind."""
    read = tokens.input_text + tokens.input_audio + tokens.input_image + tokens.tool_use
    return max(0, tokens.total - read - tokens.output_text - tokens.output_audio - tokens.thoughts)


@dataclass(slots=True)
class Reports:
    """The reports of one turn of the model."""

    before: Tokens | None = None  #: what was reported last before the first of these
    came: list[Tokens] = field(default_factory=list)

    def read(self, spoken: int, habit: Reading) -> tuple[Tokens, Reading]:
        """What the turn was billed, by the reading that agrees with so many tokens of speech.

        Where several agree, or none, `habit` decides: the reading of the turns before.
        """
        readings = self._readings()
        agreeing = [reading for reading, tokens in readings.items() if _agrees(tokens, spoken)]
        if spoken <= AGREES or not agreeing:
            agreeing = [reading for reading in readings if reading != "total" or habit == "total"]
        kind = habit if habit in agreeing else agreeing[0]
        return readings[kind], kind

    def agrees_with(self, more: Tokens, spoken: int, latest: Tokens | None, *, may_go_on: bool) -> bool:
        """Whether with one report more some reading agrees with so many tokens of speech.

        `may_go_on`: that may be a count that goes on from `latest`, the one before.
        """
        readings = Reports(self.before if self.came else latest, [*self.came, more])._readings()
        return any(
            _agrees(tokens, spoken) for kind, tokens in readings.items() if may_go_on or kind != "total"
        )

    def _readings(self) -> dict[Reading, Tokens]:
        """Those that are possible, the most likely first."""
        last, found = self.came[-1], dict[Reading, Tokens]()
        if _grows(self.came):
            found["last"] = last
        if len(self.came) > 1:
            total = NOTHING
            for report in self.came:
                total = plus(total, report)
            found["sum"] = total
        if self.before is not None and self.before.total and _grows([self.before, *self.came]):
            found["total"] = minus(last, self.before)
        return found


def _grows(reports: Sequence[Tokens]) -> bool:
    return all(is_at_least(after, before) for before, after in pairwise(reports))


def _agrees(tokens: Tokens, spoken: int) -> bool:
    return abs(tokens.output_audio - spoken) <= max(AGREES, spoken // 20)
