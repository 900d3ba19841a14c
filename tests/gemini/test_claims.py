"""The table of claims: every row has a probe that can be asked, and a source that can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gemini import profiles
from gemini.contact.claims import claims, judge, read
from gemini.contact.probes import PROBES
from gemini.contact.recording import Recording, Talk, pcm_of, signals
from gemini.contact.scenes import SCENES

ROOT = Path(__file__).resolve().parents[2]
ROW = "- {id: a, claim: A., source: s, about: wire, probe: turns.is_binary, expect: true}\n"


def test_every_claim_has_a_source_a_scene_and_an_entry() -> None:
    anchors = {
        line[3:] for line in (ROOT / "docs/sources.md").read_text("utf-8").splitlines() if line[:3] == "## "
    }
    families = {profile.family for profile in profiles.PROFILES}
    assert len(claims()) > 100
    for row in claims():
        assert row.source in anchors, row.id
        assert row.entry is None or hasattr(profiles.CAUTIOUS, row.entry), row.id
        assert row.about == "wire" or row.entry, row.id
        assert set(row.models) <= families, row.id
        assert row.with_.get("of", "speech.1").partition(".")[0] in SCENES, row.id


def test_what_only_google_can_prove_is_told_by_claims_that_there_are() -> None:
    listed = (
        (ROOT / "docs/sources.md").read_text("utf-8").partition("## only-google\n")[2].partition("\n## ")[0]
    )
    told = {id for row in listed.splitlines() for id in re.findall(r"`([a-z]+\.[a-z_]+)`", row)}
    assert len(told) > 15 and told <= {row.id for row in claims()}


def test_every_probe_is_asked_by_a_claim_and_says_nothing_of_nothing() -> None:
    assert {row.probe for row in claims()} == set(PROBES)
    for verdict in judge(Recording(), profiles.V3_8):
        assert verdict.state == "not seen" or verdict.id == "message.known", verdict.id


@pytest.mark.parametrize(
    "text", [ROW + ROW, ROW.replace("turns.is_binary", "turns.no_such"), ROW.replace("about", "abuot")]
)
def test_a_wrong_row_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read(text)


def test_a_claim_of_other_models_is_not_made() -> None:
    made = {verdict.id for verdict in judge(Recording(), profiles.V3_1)}
    assert "setup.code_execution" not in made and "token.made" in made


def test_a_message_is_its_fields() -> None:
    parts = [
        {"inlineData": {"data": "AAA_"}},
        {"text": "t", "thought": True},
        {"functionCall": {}},
        {"text": "t"},
    ]
    content = {"modelTurn": {"parts": parts}, "turnComplete": True}
    found = list(signals({"serverContent": content, "usageMetadata": {}, "new": 1}))
    kinds = ["audio", "thought", "call", "text", "turnComplete", "usageMetadata", "new"]
    assert [kind for kind, _ in found] == kinds
    assert pcm_of(found[0][1]) == b"\0\0\x3f" and pcm_of({}) == b"" == pcm_of({"data": "A"})
    assert Talk([]).end is None and not Talk([]).is_set_up
