"""The judge and the pictures of the first word's bench."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest
import yaml

from bench import first_word, floors, rush
from bench.caller import Caller
from bench.chain import Span, picture, text
from bench.waits import Result, Run, Way, keep, load, table
from infra.local.microvm.times import published

CHAIN = [Span("connect: start", "start", -1.0, -0.5), Span("relay <b>", "home", 0.25, 3.0)]


@pytest.mark.parametrize(
    ("seconds", "is_met"),
    [([1.0] * 19 + [9.0], False), ([1.0] * 20, True), ([2.1] * 20, False), ([1.0] * 10 + [4.9] * 9, True)],
)
def test_a_goal_is_met_in_the_middle_and_at_95_of_100_or_not(seconds: list[float], is_met: bool) -> None:
    result = Result(Way("sleeping", goal=(2.0, 5.0)), [Run(each, 0.5, 0.7, []) for each in seconds])
    assert result.is_met == is_met
    assert ("NOT met" in table([result])) != is_met


def test_the_chain_that_is_shown_is_of_the_run_in_the_middle() -> None:
    runs = [Run(3.0, 0.0, 0.0, [CHAIN[1]]), Run(1.0, 0.0, 0.0, []), Run(2.0, 0.0, 0.0, [CHAIN[0]])]
    assert Result(Way("x"), runs).middle == [CHAIN[0]]


def test_runs_are_kept_from_one_command_to_the_next(tmp_path: Path) -> None:
    assert load(tmp_path / "runs") == {}
    kept = [Run(3.5, 0.8, 2.7, CHAIN), Run(4.0, 0.9, 2.9, [])]
    for run in kept:
        keep(tmp_path / "runs", "microvm", run)
    assert load(tmp_path / "runs") == {"microvm": kept}


def test_a_waterfall_has_a_bar_for_each_span_at_its_place() -> None:
    first, second = text(CHAIN).splitlines()
    assert first.startswith("  -1.00   -0.50  connect: start")
    assert second.index("▇") > first.rindex("▇")
    assert second.count("▇") == round(60 * 2.75 / 4)


def test_the_picture_is_xml_with_every_name_and_length() -> None:
    drawn = picture([("from zero", CHAIN)])
    words = [node.text for node in ElementTree.fromstring(drawn).iter() if node.text]
    assert {"from zero", "connect: start", "relay <b>", "0.50", "2.75", "0 s"} <= set(words)


def caller(**marks: float) -> Caller:
    return Caller(None, "ann", {name.replace("_", " "): at for name, at in marks.items()})  # type: ignore[arg-type]


def test_a_rush_says_of_each_step_how_long_it_was_waited_for() -> None:
    slow = caller(click=0, control_open=4, ready=44, media_open=45, live=46, first_audio=50)
    slow.marks["starting: admitted"] = 6
    at_once = caller(click=0, control_open=2, ready=4, media_open=4, live=5, first_audio=6)
    done = rush.Rush([slow, at_once], Counter())
    rows = {tuple(row.split(" | ")[:2]): row for row in rush.table(done, pace=2).splitlines()[2:]}
    assert "| 1.5 s | 2.0 s | 2.0 s |" in rows["| click", "control open"]
    assert "| 10.0 s | 19.0 s | 19.0 s |" in rows["| starting: admitted", "ready"], "1 s from the open road"
    assert "| 14.0 s | 25.0 s | 25.0 s | all of it |" in rows["| click", "first audio"]


def test_a_floor_is_no_less_than_the_least_of_all_that_is_in_it() -> None:
    model = yaml.safe_load(first_word.MODEL_TIMES.read_text("utf-8"))
    least_s = published()["wake"]["quantiles"][0] + sum(
        model[name]["quantiles"][0] for name in ("setup_s", "first_audio_s")
    )
    without, with_one = (floors.sums_s("wake", starts, 200, random.Random(1)) for starts in (False, True))
    assert min(without) >= least_s
    assert sum(with_one) > sum(without)
