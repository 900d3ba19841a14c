"""The figure of the barge-ins is small on this code, and large on one that does not ask what was played."""

from __future__ import annotations

import pytest

from bench import virtual
from bench.bargeins import Cut, Figures, measure
from relay.turn import Turn


def test_what_is_stored_is_what_was_heard() -> None:
    figures = virtual.run(measure(12, seed=3))
    assert len(figures.cuts) == 12 and figures.failures == [], figures.table()
    assert {cut.by_voice for cut in figures.cuts} == {True, False}
    assert any(cut.heard < cut.of for cut in figures.cuts)


def test_a_record_of_all_that_was_generated_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Turn, "heard_text", lambda turn: turn.agent_text)
    assert virtual.run(measure(4, seed=3)).failures != []


def test_the_limit_is_on_the_95th_percentile() -> None:
    right, wrong = Cut(5, 5, 10, True), Cut(5, 9, 10, True)
    assert Figures([right] * 96 + [wrong] * 4).failures == []
    assert Figures([right] * 90 + [wrong] * 10).failures == ["p95 is 4 words"]
