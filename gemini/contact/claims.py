"""Claims: what is believed of Gemini Live, and what a first contact says of it. The table is claims.yaml."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from gemini.contact.probes import PROBES, probe
from gemini.contact.recording import Recording
from gemini.profiles import Profile

TABLE = Path(__file__).with_name("claims.yaml")
OF_PROFILE = "profile."


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the table; its comment says what each field is."""

    id: str
    claim: str
    source: str
    about: str
    probe: str
    with_: dict[str, str] = msgspec.field(default={}, name="with")
    expect: Any = None
    models: list[str] = []
    silent: list[Any] = []

    @property
    def entry(self) -> str | None:
        """The profile's entry that it is about."""
        return self.about.removeprefix(OF_PROFILE) if self.about.startswith(OF_PROFILE) else None


class Verdict(msgspec.Struct, frozen=True):
    """What was seen of one claim."""

    id: str
    claim: str
    source: str
    about: str
    state: Literal["holds", "differs", "not seen"]
    expected: Any
    seen: Any


@functools.cache
def claims() -> tuple[Claim, ...]:
    """The table. Raises ValueError for a row that is wrong."""
    return read(TABLE.read_text("utf-8"))


def read(text: str) -> tuple[Claim, ...]:
    """A table of claims from YAML. Raises ValueError: a wrong row, an id twice, a probe that is not there."""
    rows = msgspec.convert(yaml.safe_load(text), tuple[Claim, ...])
    ids = [row.id for row in rows]
    wrong = {id for id in ids if ids.count(id) > 1} | {row.id for row in rows if row.probe not in PROBES}
    if wrong:
        raise ValueError(f"claims: {', '.join(sorted(wrong))}")
    return rows


def judge(recording: Recording, profile: Profile, rows: Sequence[Claim] | None = None) -> list[Verdict]:
    """What a recording says of each claim that is made of this family of models."""
    made = [
        row for row in (claims() if rows is None else rows) if not row.models or profile.family in row.models
    ]
    return [_judged(row, recording, profile) for row in made]


def _judged(row: Claim, recording: Recording, profile: Profile) -> Verdict:
    expected = getattr(profile, row.entry).value if row.entry else row.expect
    seen = probe(row.probe, recording, row.with_)
    is_told = seen is not None and (seen == expected or seen not in row.silent)
    state: Literal["holds", "differs", "not seen"] = "not seen"
    if is_told:
        state = "holds" if seen == expected else "differs"
    return Verdict(row.id, row.claim, row.source, row.about, state, expected, seen)
