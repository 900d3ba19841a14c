"""Scenario files: replies, their conditions, settings and faults.

YAML in, frozen structs out; every error is one line that names its place.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from simulator.audio.pcm import OUT_HZ, SAMPLE_BYTES
from simulator.billing import Details, Telling
from simulator.faults import Fault
from simulator.signals import Signals


class ScenarioError(ValueError):
    """Invalid scenario; the text says why in one line."""


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the simulated service. Seconds are virtual."""

    pace: float = 3.0  #: audio is sent this much faster than it plays
    chunk_ms: int = 40  #: PCM in one server message; Google's own size is not known
    chunk_cut: Literal["sample", "byte"] = "sample"  #: byte: messages end in the middle of a sample
    think_s: float = 0.3  #: from the end of the user's turn to the first audio
    token_s: float = 0.0  #: that minting a token takes
    setup_s: float = 0.0  #: from the setup to `setupComplete`
    handle_every_s: float = 1.2  #: between resumption handles (measured by others)
    connection_limit_s: float = 600.0  #: "around 10 minutes"; some 3.8 connections ran 58
    go_away_left_s: float = 50.0  #: `goAway` comes this long before the limit
    resume_needs_old_closed: bool = False  #: disputed: 1011 while an older socket of the session is open
    locked_handle: Literal["honour", "reject", "ignore"] = "honour"  #: disputed: a handle inside a full lock
    dialect: Literal["profile", "permissive"] = "profile"  #: habits of each model, or the easiest of all
    voice_activity: Literal["sent", "absent"] | None = None  #: None: as the dialect has it
    stream_end: Literal["honour", "ignore"] | None = None  #: likewise
    unattributed_tokens: int = 25  #: prompt tokens that no modality accounts for (others saw 25 to 51)
    usage: Telling = "turn"  #: how often a turn's usage is told, and of what each report is the sum
    usage_details: Details = "whole"  #: partly: of text only; none: sums without modalities
    listening: Literal["speech", "all"] = "speech"  #: audio that is billed: what was said, or silence too
    voice: Literal["auto", "espeak", "synthetic"] = "auto"  #: auto: espeak-ng where it is installed
    seed: int | None = None  #: fixes tone codes and timing; None: new ones every time

    @property
    def chunk_bytes(self) -> int:
        """PCM in one server message."""
        return SAMPLE_BYTES * OUT_HZ * self.chunk_ms // 1000 + (self.chunk_cut == "byte")


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A function the model calls; sent even if the client never declared it."""

    name: str
    args: dict[str, Any] = {}


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a search has found."""

    url: str
    title: str = ""


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All conditions given must hold; none given: every turn of the user."""

    contains: str | None = None  #: in what the user said or typed, whatever the case
    turn: int | None = None
    sample: str | None = None  #: the known sample that was recognised
    tool: str | None = None  #: the answer of this tool arrived
    spoken: bool | None = None  #: true: by voice, false: typed


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reply to a turn. The first rule that fits is taken."""

    when: When = When()
    once: bool = False
    say: str | None = None  #: `{heard}` and `{response}` are filled in
    echo: bool | None = None  #: the user's own words; unset: only when nothing is said
    call: Call | None = None
    think_s: float | None = None
    pace: float | None = None
    silent: bool = False  #: no answer at all
    cite: tuple[Page, ...] = ()  #: found by a search, where the setup has `googleSearch`
    ignored: bool = False  #: not meant for the model: no answer by one that is proactive


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str = "unscripted"
    time_scale: float | None = None
    settings: Behaviour = Behaviour()
    signals: Signals = Signals()
    turns: tuple[Rule, ...] = ()
    faults: tuple[Fault, ...] = ()


def load(path: Path) -> Scenario:
    """The scenario in a YAML file. Raises ScenarioError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: not UTF-8 text") from None
    return parse(text, str(path))


def parse(text: str, source: str = "scenario") -> Scenario:
    """The scenario in a YAML text. Raises ScenarioError."""
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ScenarioError(f"{source}{where}: not YAML") from None
    try:
        scenario = msgspec.convert(given if given is not None else {}, Scenario)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{source}: {error}") from None
    check(scenario, source)
    return scenario


def check(scenario: Scenario, source: str) -> None:
    """Raises ScenarioError for values that make no sense, with `source` in front."""
    settings = scenario.settings
    if scenario.time_scale is not None and scenario.time_scale <= 0:
        raise ScenarioError(f"{source}: time_scale must be above 0")
    if settings.pace <= 0 or any(rule.pace is not None and rule.pace <= 0 for rule in scenario.turns):
        raise ScenarioError(f"{source}: pace must be above 0")
    if not 5 <= settings.chunk_ms <= 1000:
        raise ScenarioError(f"{source}: settings.chunk_ms must be 5 to 1000")
    if complaint := scenario.signals.complaint():
        raise ScenarioError(f"{source}: {complaint}")
