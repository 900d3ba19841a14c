"""The report of `doctor`: a line for each step as it comes, in 80 columns, or one object for machines."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import Any, TextIO

from cli.doctor.steps import Checkup, Result
from vivavoce.wire import place

WIDTH = 80
NAMES, STATES, TIMES = 11, 12, 10  #: widths of the columns
INDENT = " " * (NAMES + STATES + TIMES)


class Report:
    """Report of `doctor` as text, written to `out`."""

    def __init__(self, out: TextIO, url: str = "") -> None:
        """`url` is what is checked; empty: what is to be deployed."""
        self._out = out
        self._url = url

    def begin(self) -> None:
        self._print(f"checking {place(self._url) if self._url else 'what is to be deployed'}", "")

    def wait(self, what: str) -> None:
        """Announce a step that may take a while."""
        self._print(f"{'':{NAMES}}{'…':{STATES}}{'':{TIMES}}{what}")

    def tell(self, result: Result) -> None:
        state = result.state.upper() if result.state == "failed" else result.state
        took = "" if result.ms is None else f"{result.ms:,} ms"
        head = f"{result.name:{NAMES}}{state:{STATES}}{took:>{TIMES - 2}}  "
        self._print(*wrapped(head, result.detail))
        if result.advice:
            self._print(*wrapped(INDENT, f"-> {result.advice}"))

    def end(self, checkup: Checkup) -> None:
        """Print the steps that were not reached, and the verdict."""
        for result in checkup.results:
            if result.state == "not reached":
                self.tell(result)
        left_out = sum(result.state == "left out" for result in checkup.results)
        failed = [result.name for result in checkup.results if result.state == "failed"]
        verdict = f"{', '.join(failed)} failed" if failed else "all is well"
        self._print("", verdict + (f"; {left_out} left out" if left_out and not failed else ""))

    def summary(self, checkup: Checkup) -> dict[str, Any]:
        """Return what `--json` prints: times in ms, null where nothing was measured."""
        return {
            "url": self._url,
            "ok": checkup.is_well,
            "steps": [asdict(result) for result in checkup.results],
        }

    def _print(self, *lines: str) -> None:
        for line in lines:
            print(line.rstrip(), file=self._out, flush=True)


def wrapped(head: str, text: str, indent: str = INDENT) -> list[str]:
    """Lines of WIDTH characters: `head` before the first, `indent` before the others."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=indent, break_long_words=False
    ) or [head]
