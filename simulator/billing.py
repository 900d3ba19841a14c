"""How a turn's usage is told, and what it is charged. Google documents neither; others saw each of these."""

from typing import Any, Literal

Telling = Literal["turn", "parts", "snapshots", "total", "absent"]
Details = Literal["whole", "partly", "none"]
Report = dict[str, Any]

COUNTS = (
    "promptTokenCount",
    "responseTokenCount",
    "toolUsePromptTokenCount",
    "thoughtsTokenCount",
    "totalTokenCount",
)
LISTS = ("promptTokensDetails", "responseTokensDetails")


def told(report: Report, telling: Telling, details: Details, before: Report) -> list[Report]:
    """The reports of a turn, in order; the last comes with its end. `before`: the sum of earlier turns."""
    match telling:
        case "absent":
            return []
        case "turn":
            reports = [report]
        case "total":
            reports = [plus(before, report)]
        case "snapshots":
            reports = [_asked(report), report, report]
        case "parts":
            asked = _asked(report)
            reports = [asked, plus(report, _negative(asked))]
    return [_detailed(each, details) for each in reports]


def plus(a: Report, b: Report) -> Report:
    """Sums by count and modality."""
    counts = {name: a.get(name, 0) + b.get(name, 0) for name in COUNTS if name in a or name in b}
    lists = {}
    for name in LISTS:
        sums: dict[str, int] = {}
        for each in (*a.get(name, ()), *b.get(name, ())):
            sums[each["modality"]] = sums.get(each["modality"], 0) + each["tokenCount"]
        kept = [{"modality": kind, "tokenCount": count} for kind, count in sums.items() if count]
        if kept:
            lists[name] = kept
    return {name: count for name, count in counts.items() if count} | lists


def _asked(report: Report) -> Report:
    """What is known before the answer: the prompt."""
    prompt = report["promptTokenCount"]
    return {
        "promptTokenCount": prompt,
        "totalTokenCount": prompt,
        "promptTokensDetails": report["promptTokensDetails"],
    }


def _negative(report: Report) -> Report:
    counts = {name: -report[name] for name in COUNTS if name in report}
    lists = {
        name: [each | {"tokenCount": -each["tokenCount"]} for each in report[name]]
        for name in LISTS
        if name in report
    }
    return counts | lists


def _detailed(report: Report, details: Details) -> Report:
    """With all its modalities, without audio's, or without any."""
    if details == "whole":
        return report
    kept = {name: value for name, value in report.items() if name not in LISTS}
    if details == "partly":
        for name in LISTS:
            if rest := [each for each in report.get(name, ()) if each["modality"] != "AUDIO"]:
                kept[name] = rest
    return kept
