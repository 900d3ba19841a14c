"""What is known of each family of models, whose word it is, and what is held of a model nobody described."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini import profiles
from gemini.profiles import CAUTIOUS, EXTENDED_THINKING, PROFILES, V2_5, V3_1, V3_8, Fact, Profile

ROOT = Path(__file__).parents[2]
SOURCE = re.compile(r"docs/sources\.md#([\w-]+)|[\w.-]+/[\w.-]+#\d+|https://ai\.google\.dev/\S+")
FACTS = [field.name for field in fields(Profile) if field.name != "family"]


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        ("gemini-3.8-live", V3_8),
        ("models/gemini-3.8-live", V3_8),
        ("gemini-3.8-live-002", V3_8),
        ("publishers/google/models/gemini-3.8-live", V3_8),
        ("gemini-3.8-live-extended-thinking", EXTENDED_THINKING),
        ("models/gemini-3.8-live-extended-thinking-preview-10-2026", EXTENDED_THINKING),
        ("gemini-4.0-live-extended-thinking", EXTENDED_THINKING),
        ("gemini-3.1-flash-live-preview", V3_1),
        ("gemini-2.5-flash-native-audio-preview-12-2025", V2_5),
        ("gemini-live-2.5-flash-native-audio", V2_5),
        ("gemini-3.8-lively", CAUTIOUS),
        ("gemini-3x8-live", CAUTIOUS),
        ("gemini-4.0-live", CAUTIOUS),
        ("models/", CAUTIOUS),
        ("", CAUTIOUS),
    ],
)
def test_a_model_has_the_profile_of_its_family(model: str, profile: Profile) -> None:
    assert profiles.of(model) is profile


def test_each_profile_has_one_model_that_stands_for_it() -> None:
    assert tuple(map(profiles.of, profiles.MODELS)) == PROFILES


@given(st.text())
def test_any_name_has_a_profile(model: str) -> None:
    assert profiles.of(model) in (*PROFILES, CAUTIOUS)


@pytest.mark.parametrize("profile", [*PROFILES, CAUTIOUS], ids=lambda profile: profile.family or "cautious")
def test_every_entry_says_how_far_to_trust_it_and_who_says_so(profile: Profile) -> None:
    headings = re.findall("^## (.+)$", (ROOT / "docs/sources.md").read_text(), re.MULTILINE)
    for name in FACTS:
        fact = getattr(profile, name)
        assert isinstance(fact, Fact) and fact.confidence in ("documented", "reported", "guessed"), name
        source = SOURCE.fullmatch(fact.source)
        assert source is not None, f"{profile.family}.{name}: {fact.source}"
        assert source[1] is None or source[1] in headings
        assert (fact.confidence == "guessed") == (source[1] is not None), "only a guess has no other source"


def test_what_a_known_model_would_refuse_is_not_done_to_an_unknown_one() -> None:
    """Each of these is taken by every known model, while the other value is refused by one at least."""
    assert CAUTIOUS.text.value == "realtime"
    assert CAUTIOUS.schema.value == "restricted"
    assert CAUTIOUS.tools.value == "unwritten"
    assert CAUTIOUS.history.value == "at_start"


def test_an_unknown_model_is_expected_to_do_no_more_than_any_known_one() -> None:
    for name in ("voice_activity", "status", "context_update", "silence_honoured"):
        assert getattr(CAUTIOUS, name).value is False
    for name in ("proactive", "splits_replies", "client_content_interrupts"):
        assert getattr(CAUTIOUS, name).value is True
    assert CAUTIOUS.flush.value == "silence" and CAUTIOUS.interrupt.value == "none"


@pytest.mark.parametrize("profile", [*PROFILES, CAUTIOUS], ids=lambda profile: profile.family or "cautious")
def test_thinking_and_its_levels_agree(profile: Profile) -> None:
    assert profile.thinking.value != "refused" or not profile.levels.value
    assert profile.thinking.value != "level" or profile.levels.value
