"""What a first contact found: a table in 100 columns, or one object for machines."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import Any, TextIO

import msgspec

from gemini.contact.claims import Verdict
from gemini.contact.patch import patch
from gemini.profiles import Profile

WIDTH = 100
STATES, IDS = 10, 34  #: widths of the columns


@dataclass(frozen=True, slots=True)
class Findings:
    """Verdicts of one first contact, and what it took."""

    server: str
    model: str
    profile: Profile
    today: str
    verdicts: list[Verdict]
    seconds: float
    tokens: int  #: billed, as the model counted; estimated for answers that were hung up on
    dollars: float
    unreached: list[str]  #: connections and requests for which the server could not be reached
    left_out: list[str]  #: scenes, for the bill was high enough

    @property
    def differing(self) -> list[Verdict]:
        return [one for one in self.verdicts if one.state == "differs"]

    @property
    def patch(self) -> str:
        """What to change in the profile; empty where nothing differs."""
        return patch(self.verdicts, self.profile, self.model, self.today)

    def summary(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "server": self.server,
            "model": self.model,
            "profile": self.profile.family,
            "ok": not self.differing and not self.unreached,
            "unreached": self.unreached,
            "left_out": self.left_out,
            "seconds": self.seconds,
            "tokens": self.tokens,
            "dollars": round(self.dollars, 4),
            "claims": [msgspec.to_builtins(one) for one in self.verdicts],
            "patch": self.patch,
        }

    def print(self, out: TextIO) -> None:
        """Every claim in a line, then what differs and what it cost."""
        for one in self.verdicts:
            self._line(one, out)
        counted = Counter(one.state for one in self.verdicts)
        print(
            f"\n{self.model} at {self.server}, against {self.profile.family or 'the cautious profile'}: "
            f"{counted['holds']} hold, {counted['differs']} differ, {counted['not seen']} not seen.\n"
            f"It took {self.seconds:.0f} s and {self.tokens:,} tokens: {100 * self.dollars:.1f} cents.",
            file=out,
        )
        if self.left_out:
            print(f"Left out, to keep the bill below five cents: {', '.join(self.left_out)}.", file=out)
        if self.unreached:
            print(
                f"{self.server} could not be reached {len(self.unreached)} times: what is not seen, or "
                "differs, may be the network's. Run it again.",
                file=out,
            )
        elif self.patch:
            print(f"\n{self.patch}", end="", file=out)

    def _line(self, one: Verdict, out: TextIO) -> None:
        state = one.state.upper() if one.state == "differs" else one.state
        found = f" Seen: {one.seen}; believed: {one.expected}." if one.state == "differs" else ""
        of_profile = f" ({one.expected})" if one.about != "wire" and not found else ""
        head = f"{state:{STATES}}{one.id:{IDS}}"
        text = f"{one.claim}{of_profile}{found}"
        indent = " " * (STATES + IDS)
        print("\n".join(textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=indent)), file=out)
