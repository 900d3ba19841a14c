"""The report of `vivavoce survive`: for a terminal, and as a table of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Sequence

from infra.faults.survival import MOST_SILENCE_S, TOLD_S, Result, p95

TOO_LATE = "  late"


def line(result: Result) -> str:
    """One failure: who it was, what the user had, and for how long nothing was heard."""
    own = f" ({result.failure.own_s:g} s are the failure's own)" if result.failure.own_s else ""
    late = "" if result.is_soon else TOO_LATE
    return f"{result.failure.name:34} {_end(result):30} {result.silence_s:6.1f} s{own}{late}"


def summary(results: Sequence[Result]) -> list[str]:
    """Counts, and the silences that have a goal."""
    ends = [result.end for result in results]
    answerable = [result.silence_s - result.failure.own_s for result in results if result.failure.answer]
    others = [result.silence_s for result in results if not result.failure.answer]
    return [
        f"{len(results)} failures: {ends.count('answered')} answered, {ends.count('told')} told, "
        f"{ends.count('silent')} silent",
        f"silence where an answer is possible, p95: {p95(answerable):.1f} s (goal {MOST_SILENCE_S:g} s)",
        f"time until it is told where it is not, p95: {p95(others):.1f} s (goal {TOLD_S:g} s)",
    ]


def markdown(results: Sequence[Result]) -> str:
    """The table of all results; each symptom leads to where it was reported."""
    rows = ["| failure | what others met | the user was | silence |", "|---|---|---|---|"]
    for result in results:
        failure = result.failure
        links = " ".join(f"[{number}]({url})" for number, url in enumerate(failure.urls, 1))
        own = f", {failure.own_s:g} of them its own" if failure.own_s else ""
        silence = f"{result.silence_s:.1f} s{own}"
        rows.append(f"| `{failure.name}` | {failure.what} {links} | {_end(result)} | {silence} |")
    return "\n".join([*rows, "", *(f"{text}  " for text in summary(results))])


def _end(result: Result) -> str:
    if result.end == "told":
        return f"told {result.codes}"
    return "answered in part" if result.end == "answered" and result.is_part else result.end
