"""What the runs of the first word's bench took: kept from one command to the next, and put in a table."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.chain import Span


@dataclass(frozen=True, slots=True)
class Way:
    """One way to begin. `ahead_s`: the control road is opened so long before the click."""

    title: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    ahead_s: float = 0.0
    sleeps: bool = False  #: a relay is asleep
    is_warm: bool = False  #: everything runs
    goal: tuple[float, float] | None = None  #: p50 and p95, s


@dataclass(frozen=True, slots=True)
class Run:
    """One call, from the click to the first audio."""

    seconds: float
    model_s: float  #: that Google took of these
    home_s: float  #: that the relay's home took to start or to wake, wherever that lies on the way
    chain: list[Span]

    @property
    def functions_s(self) -> float:
        """That functions started and worked, which is billed, from the first dialling to the first audio."""
        return sum(span.ends - span.begins for span in self.chain if span.kind in ("start", "work"))

    @classmethod
    def read(cls, line: Mapping[str, object]) -> Run:
        told = dict(line)
        spans = [Span(**span) for span in told.pop("chain")]  # type: ignore[attr-defined]
        return cls(chain=spans, **told)  # type: ignore[arg-type]


@dataclass(slots=True)
class Result:
    """The runs of one way."""

    way: Way
    runs: list[Run] = field(default_factory=list)

    def at(self, quantile: float) -> float:
        return quantile_of([run.seconds for run in self.runs], quantile)

    @property
    def middle(self) -> list[Span]:
        """The chain of the run in the middle."""
        order = sorted(self.runs, key=lambda run: run.seconds)
        return order[len(order) // 2].chain

    @property
    def is_met(self) -> bool:
        return self.way.goal is None or (
            self.at(0.5) <= self.way.goal[0] and self.at(0.95) <= self.way.goal[1]
        )


def quantile_of(values: Sequence[float], at: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(at * len(ordered)))]


def load(path: Path) -> dict[str, list[Run]]:
    """Runs that were kept, by way; none where there is no file."""
    kept: dict[str, list[Run]] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        told = json.loads(line)
        kept.setdefault(told.pop("way"), []).append(Run.read(told))
    return kept


def keep(path: Path, way: str, run: Run) -> None:
    """Add one run."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"way": way, **asdict(run)}) + "\n")


def table(results: Sequence[Result]) -> str:
    """As Markdown."""
    head = [
        "way",
        "runs",
        "p50",
        "p95",
        "longest",
        "of it Google, p50",
        "home, p50",
        "functions",
        "goal p50 / p95",
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *_rows(results)])


def _rows(results: Iterable[Result]) -> Iterable[list[str]]:
    for result in results:
        goal, runs = result.way.goal, result.runs
        said = f"{goal[0]:g} / {goal[1]:g} s: {'met' if result.is_met else 'NOT met'}" if goal else ""
        yield [
            result.way.title,
            str(len(runs)),
            f"{result.at(0.5):.2f} s",
            f"{result.at(0.95):.2f} s",
            f"{result.at(1.0):.2f} s",
            f"{statistics.median(run.model_s for run in runs):.2f} s",
            f"{statistics.median(run.home_s for run in runs):.2f} s",
            f"{statistics.median(run.functions_s for run in runs):.2f} s",
            said,
        ]
