"""What happened when, on the way to one first word; as a waterfall in text and as a picture."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.caller import Caller
from infra.local.invocation import Invocation
from infra.local.stack import LocalStack

WIDTH = 60  #: characters of the text's bars
ROW, LEFT, ACROSS = 15, 200, 660  #: of the picture: height of a row, width of the names, and of the bars
Kind = Literal["client", "start", "work", "home"]
COLOURS: dict[Kind, str] = {
    "client": "#8a8f98",
    "start": "#d9822b",
    "work": "#3b7dd8",
    "home": "#8e5bd0",
}
MEANINGS: dict[Kind, str] = {
    "client": "client waits",
    "start": "Lambda starts",
    "work": "function works",
    "home": "relay starts",
}


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took a time. Seconds from the click, below 0 before it."""

    name: str
    kind: Kind
    begins: float
    ends: float


def spans(caller: Caller, stack: LocalStack, pace: float) -> list[Span]:
    """All that was done from the caller's first dialling on, in the order in which it began."""
    marks = caller.marks
    first, last = marks["control dialled"], marks["first audio"]
    found = [*_of_client(marks), *_of_functions(stack.invocations), *_of_relays(stack)]
    found = [span for span in found if span.ends > first and span.begins < last]
    click = marks["click"]
    shifted = [
        Span(span.name, span.kind, (span.begins - click) / pace, (span.ends - click) / pace) for span in found
    ]
    return sorted(shifted, key=lambda span: (span.begins, span.ends))


def _of_client(marks: dict[str, float]) -> Iterable[Span]:
    steps = [
        ("handshake of control", "control dialled", "control open"),
        ("start until ready", "start sent", "ready"),
        ("handshake of media", "ready", "media open"),
        ("hello until live", "media open", "live"),
        ("live until first audio", "live", "first audio"),
    ]
    for name, begins, ends in steps:
        if begins in marks and ends in marks:
            yield Span(name, "client", marks[begins], marks[ends])


def _of_functions(invocations: Iterable[Invocation]) -> Iterable[Span]:
    for made in invocations:
        name = made.function.rpartition("-")[2] + (f" ({made.route_key})" if made.route_key else "")
        began, started = made.began_at, made.began_at + made.init_ms / 1000
        if made.init_ms:
            yield Span(f"{name}: start", "start", began, started)
        yield Span(name, "work", started, made.began_at + made.duration_ms / 1000)


def _of_relays(stack: LocalStack) -> Iterable[Span]:
    for machine in stack.microvms.all.values():
        waking = machine.waking
        yield Span("MicroVM", "home", waking.asked_at, waking.done_at or waking.asked_at)
    for task in stack.tasks.all:
        yield Span("Fargate task", "home", task.times["createdAt"], task.times.get("startedAt", 0))


def text(chain: Sequence[Span]) -> str:
    """A line for each span, with its bar."""
    low, high = min(span.begins for span in chain), max(span.ends for span in chain)
    scale = WIDTH / (high - low)
    lines = []
    for span in chain:
        left, right = round((span.begins - low) * scale), round((span.ends - low) * scale)
        bar = " " * left + "▇" * max(1, right - left)
        lines.append(f"{span.begins:7.2f} {span.ends:7.2f}  {span.name:<28} {bar}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where things stand in a picture: rows, and seconds across."""

    low: float
    high: float
    rows: int

    @property
    def height(self) -> int:
        return (self.rows + 2) * ROW

    def x(self, at: float) -> float:
        return LEFT + (at - self.low) / (self.high - self.low) * ACROSS


def picture(chains: Sequence[tuple[str, Sequence[Span]]]) -> str:
    """An SVG with a waterfall under each title, all on one scale."""
    low = min(span.begins for _, chain in chains for span in chain)
    high = max(span.ends for _, chain in chains for span in chain)
    sheet = Sheet(low, high, sum(len(chain) + 2 for _, chain in chains))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + ACROSS + 60} {sheet.height}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="100%" height="{sheet.height}" fill="#fff"/>',
        *_scale(sheet),
    ]
    y = ROW
    for title, chain in chains:
        y += ROW
        parts.append(f'<text x="4" y="{y + 8}" font-weight="bold">{html.escape(title)}</text>')
        for span in chain:
            y += ROW
            parts += _bar(sheet, span, y)
    return "\n".join([*parts, *_legend(sheet), "</svg>"]) + "\n"


def _scale(sheet: Sheet) -> Iterable[str]:
    for second in range(math.ceil(sheet.low), math.floor(sheet.high) + 1):
        at = f"{sheet.x(second):.1f}"
        colour = "#444" if second == 0 else "#ddd"
        yield f'<path d="M{at} {ROW}V{sheet.height - ROW}" stroke="{colour}"/>'
        yield f'<text x="{at}" y="{ROW - 4}" text-anchor="middle">{second} s</text>'


def _bar(sheet: Sheet, span: Span, y: int) -> Iterable[str]:
    begins, ends = sheet.x(span.begins), sheet.x(span.ends)
    yield f'<text x="{LEFT - 6}" y="{y + 9}" text-anchor="end">{html.escape(span.name)}</text>'
    yield (
        f'<rect x="{begins:.1f}" y="{y}" width="{max(2.0, ends - begins):.1f}" height="{ROW - 4}" '
        f'fill="{COLOURS[span.kind]}"/>'
    )
    yield f'<text x="{ends + 4:.1f}" y="{y + 9}">{span.ends - span.begins:.2f}</text>'


def _legend(sheet: Sheet) -> Iterable[str]:
    for number, (kind, meaning) in enumerate(MEANINGS.items()):
        place, y = LEFT + number * 110, sheet.height - ROW
        yield f'<rect x="{place}" y="{y}" width="9" height="9" fill="{COLOURS[kind]}"/>'
        yield f'<text x="{place + 13}" y="{y + 8}">{meaning}</text>'
