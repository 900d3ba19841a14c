"""A short day leaves nothing behind; a relay that never forgets a call is noticed, and so is a lost token."""

from __future__ import annotations

import pytest

from bench import day, virtual
from bench.day import MOST_BLOCKS, Figures, Hour, measure
from relay.call import registry
from relay.call.call import Call

HOURS, HOUR_S, SESSION_S = 4, 100.0, 40.0


def test_nothing_is_left_of_many_sessions() -> None:
    figures = virtual.run(measure(HOURS, 1, HOUR_S, SESSION_S))
    first, last = figures.hours[0], figures.hours[-1]
    assert figures.errors == [] and figures.sessions >= 2 * HOURS and figures.turns > figures.sessions
    assert figures.told_tokens == figures.kept_tokens == figures.model_tokens > 0
    assert (last.tasks, last.handles) <= (first.tasks, first.handles)


def test_nothing_is_left_of_sessions_whose_connections_are_cut() -> None:
    figures = virtual.run(measure(3, 1, HOUR_S, SESSION_S, breaks=True))
    first, last = figures.hours[0], figures.hours[-1]
    assert figures.breaks >= 6 and figures.errors == [] and figures.sessions >= 6
    assert (last.tasks, last.handles) <= (first.tasks, first.handles)


def test_a_relay_that_keeps_its_calls_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Call] = []

    class Unforgettable(Call):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]
            kept.append(self)

    monkeypatch.setattr(registry, "Call", Unforgettable)
    monkeypatch.setattr(day, "WARM_H", 2)
    figures = virtual.run(measure(HOURS, 1, HOUR_S, SESSION_S))
    assert figures.growth > MOST_BLOCKS
    assert "blocks of memory more every hour" in figures.failures[0]


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ({"kept_tokens": 9}, "the tokens differ"),
        ({"told_tokens": 9}, "the tokens differ"),
        ({"errors": ["internal"]}, "internal"),
        ({"hours": [Hour(0, 0, 5, 5), Hour(0, 0, 6, 5)]}, "1 tasks more than after the first hour"),
        ({"hours": [Hour(0, 0, 5, 5), Hour(0, 0, 5, 7)]}, "2 handles more than after the first hour"),
        ({"hours": [Hour(n * 500, 0, 5, 5) for n in range(12)]}, "500 blocks of memory more every hour"),
    ],
    ids=str,
)
def test_every_failure_is_told(change: dict[str, object], failure: str) -> None:
    figures = Figures(1, hours=[Hour(0, 0, 5, 5)] * 3, told_tokens=8, kept_tokens=8, model_tokens=8)
    assert figures.failures == []
    for name, value in change.items():
        setattr(figures, name, value)
    assert figures.failures == [failure]
