"""Which model the suite talks to, and what is told of a run with each."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemini import profiles
from tests import dialect
from tests.dialects import LEFT_OUT, Run, main, read

REPORT = """<testsuites><testsuite>
  <testcase name="good"/><testcase name="bad"><failure/></testcase>
  <testcase name="broken"><error/></testcase><testcase name="left"><skipped/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_read_by_its_cases(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    assert read(tmp_path / "report.xml") == (4, ("bad", "broken"), 1)


@pytest.mark.parametrize(
    ("failed", "code", "verdict"), [((), 0, "ok"), (("bad",), 1, "bad"), ((), 1, "exit code 1")]
)
def test_a_run_is_good_when_pytest_says_so(failed: tuple[str, ...], code: int, verdict: str) -> None:
    assert Run("m", 9, failed, 2, 1.0, code).row().endswith(f"  {verdict}")


@pytest.mark.parametrize("skipped", [0, 3])
def test_a_run_in_which_nothing_ran_is_not_good(skipped: int) -> None:
    run = Run("m", skipped, (), skipped, 1.0, 0)
    assert not run.is_good and run.row().endswith("  no test ran")


def test_a_run_is_not_good_whose_report_names_a_failure_that_the_exit_code_does_not() -> None:
    run = Run("m", 9, ("bad",), 0, 1.0, 0)
    assert not run.is_good and run.row().endswith("  bad")


def test_a_model_whose_name_is_misspelt_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["dialects", "gemini-3.8-life"])
    with pytest.raises(SystemExit, match="2"):
        main()


def test_what_is_left_out_is_there() -> None:
    assert all((Path(__file__).parent / folder).is_dir() for folder in LEFT_OUT)


@pytest.mark.parametrize("habits", [{"proactive": False}, {"takes_notes": False, "status": False}])
def test_a_model_that_has_the_habits_is_found(habits: dict[str, object]) -> None:
    profile = profiles.of(dialect.model_that(**habits))
    assert {
        name: getattr(getattr(profile, name), "value", getattr(profile, name)) for name in habits
    } == habits


def test_the_model_of_the_run_is_taken_where_it_has_them() -> None:
    assert dialect.model_that(takes_notes=dialect.profile().takes_notes) == dialect.model()
