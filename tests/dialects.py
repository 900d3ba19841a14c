"""The suite with each kind of model in its own dialect, one after the other, and a table of how it went.

`make dialects` runs it. Left out are the browsers, and what knows nothing of a model: see `LEFT_OUT`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from gemini.profiles import MODELS, of

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / ".local" / "dialects"
WAYS = "tests/cli/test_cli_profiles.py"  #: talks with all of them
LEFT_OUT = {
    "architecture": "reads sources",
    "aws": "marked, and of the deployment",
    "browser": "wants a machine to itself",
    "foreign": "brings models of its own",
    "image": "marked, and of the image",
    "java": "reads vectors",
    "packages": "marked, and of what is published",
    "protocol": "our own, where no model is",
    "records": "the table alone",
}


@dataclass(frozen=True, slots=True)
class Run:
    """How one run of pytest went."""

    name: str
    tests: int
    failed: tuple[str, ...]
    skipped: int
    minutes: float
    exit_code: int

    @property
    def is_good(self) -> bool:
        """Tests ran, and pytest and its report say alike that none failed."""
        return not self.exit_code and not self.failed and self.tests > self.skipped

    @property
    def _trouble(self) -> str:
        return f"exit code {self.exit_code}" if self.exit_code else "no test ran"

    def row(self) -> str:
        passed = self.tests - len(self.failed) - self.skipped
        verdict = "ok" if self.is_good else ", ".join(self.failed) or self._trouble
        return (
            f"{self.name:<48}{passed:>7}{len(self.failed):>7}{self.skipped:>8}{self.minutes:>8.1f}  {verdict}"
        )


TITLE = f"{'model':<48}{'passed':>7}{'failed':>7}{'skipped':>8}{'minutes':>8}"


def run(name: str, report: Path, arguments: list[str]) -> Run:
    """pytest in a process, whose dots are the progress."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    began_at = time.monotonic()
    command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    tests, failed, skipped = read(report) if report.exists() else (0, (), 0)
    return Run(name, tests, failed, skipped, (time.monotonic() - began_at) / 60, code)


def read(report: Path) -> tuple[int, tuple[str, ...], int]:
    """Tests, names of those that failed, and how many were skipped, of a JUnit report."""
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = (case.get("name", "") for case in cases if case.find("failure") is not None or _broke(case))
    return len(cases), tuple(failed), sum(case.find("skipped") is not None for case in cases)


def _broke(case: ElementTree.Element) -> bool:
    return case.find("error") is not None


def _known(model: str) -> str:
    """Raises ArgumentTypeError for a model without a dialect of its own: a misspelt one would run as any."""
    if not of(model).family:
        raise argparse.ArgumentTypeError(f"no profile of {model!r}; there are: {', '.join(MODELS)}")
    return model


def main() -> int:
    """Exit code 1: a test failed with one of them, or none ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", action="store_true", help="the ways to talk with each of them, first")
    parser.add_argument(
        "models", nargs="*", default=MODELS, type=_known, help="these only (default: one of each family)"
    )
    given = parser.parse_args()
    workers = ["-n", os.environ.get("WORKERS", "3"), "--dist", "worksteal"]
    ignored = [f"--ignore=tests/{folder}" for folder in LEFT_OUT]
    runs = []
    if given.ways:
        print(f"every way to talk, with each: {WAYS}", flush=True)
        runs.append(run("all, in every way", REPORTS / "ways.xml", ["-n", "0", "-m", "dialects", WAYS]))
    for number, model in enumerate(given.models, 1):
        print(f"{number} of {len(given.models)}: {model}", flush=True)
        report = REPORTS / f"{of(model).family}.xml"
        runs.append(run(model, report, [*workers, *ignored, "--model", model]))
    print("\n".join(["", TITLE, *(each.row() for each in runs)]))
    return int(not all(each.is_good for each in runs))


if __name__ == "__main__":
    sys.exit(main())
