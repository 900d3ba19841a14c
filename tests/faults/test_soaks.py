"""The table of the soaks in each dialect, and its verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import soaks
from gemini.profiles import MODELS, of
from infra.faults.tally import Tally


def kept(folder: Path, model: str, **figures: object) -> None:
    """What a soak with this model leaves there."""
    tally = Tally(seed=1, runs=9, finished=30, **figures)  # type: ignore[arg-type]
    tally.outcomes["went on"] = 9
    place = folder / of(model).family
    place.mkdir()
    (place / "tally.json").write_text(json.dumps(tally.as_json(0)))


def told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["soaks", "--read", "--evidence", str(folder)])
    code = soaks.main()
    return code, capsys.readouterr().out


def test_four_good_soaks_are_a_row_each_and_a_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for model in MODELS:
        kept(tmp_path, model)
    code, table = told(tmp_path, capsys, monkeypatch)
    assert code == 0
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == [f"| `{model}`" for model in MODELS]
    assert table.count("| ok |") == len(MODELS)


@pytest.mark.parametrize("figure", soaks.ZERO.values())
def test_one_that_lost_something_fails_and_says_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, figure: str
) -> None:
    for model in MODELS:
        kept(tmp_path, model, **({figure: 1} if model == MODELS[2] else {}))
    code, table = told(tmp_path, capsys, monkeypatch)
    assert code == 1 and f"| 1 {figure} |" in table.splitlines()[4]


def test_one_that_did_not_come_to_its_end_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for model in MODELS[:3]:
        kept(tmp_path, model)
    code, table = told(tmp_path, capsys, monkeypatch)
    assert code == 1 and table.splitlines()[-1].endswith("| no result |")
