"""The model's connection changes under speech on the real stack; every way to get it wrong is told."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bench.rotations import Figures, Spoken, measure

GOOD = Counter(Live=1, TurnStarted=1, Metrics=2)


@pytest.mark.timeout(110)
async def test_no_frame_is_lost_when_the_models_connection_changes() -> None:
    figures = await asyncio.create_task(measure(2, at_a_time=1, spoken_s=5.0))
    assert figures.failures == [], figures.table()
    assert figures.rotations >= 2 and len(figures.all("twice")) == figures.rotations


def spoken(**changes: object) -> Spoken:
    plain: dict[str, object] = {"first": 0, "sent": 100, "consumed": 100, "told": GOOD, "twice": [3, 8]}
    return Spoken(**{**plain, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"missing": [(4, 6)], "consumed": 97}, "frames 4 to 6 are missing"),
        ({"consumed": 99}, "99 of 100 frames in the final context"),
        ({"twice": [11]}, "11 frames twice in one rotation"),
        ({"told": GOOD + Counter(Error=1)}, "the client saw 1 Error"),
        ({"told": GOOD + Counter(Reconnecting=1)}, "the client saw 1 Reconnecting"),
        ({"told": GOOD + Counter(TurnStarted=1)}, "TurnStarted 2 times"),
        ({"told": GOOD + Counter(Live=1)}, "Live 2 times"),
    ],
    ids=str,
)
def test_every_failure_is_told(changes: dict[str, object], failure: str) -> None:
    assert Figures([spoken()]).failures == []
    assert failure in Figures([spoken(**changes)]).failures
