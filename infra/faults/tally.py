"""Results of a soak: counted while it runs, printed at its end."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from infra.faults.faulted_stack import LINKS
from infra.faults.judge import PROTOCOL_ERRORS, STUCK, WENT_ON, Verdict
from infra.faults.link import Firings
from infra.faults.memory_probe import Growth
from infra.faults.plan import PAIRS
from infra.faults.toxics import TOXICS
from protocol.errors import REGISTRY

APART = ("firings", "growths")
MUST_BE_ZERO = ("lost", "doubled", "reordered", "stuck", "unasked", "to_nothing")
LOCAL_CODES = ("connect_failed", "connect_timeout", "connection_lost", "token_failed", "closed")


@dataclass
class Tally:
    """Figures of one soak."""

    seed: int
    began_at: float = field(default_factory=time.time)
    runs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    incidents: Counter[str] = field(default_factory=Counter)
    firings: Firings = field(default_factory=Counter)
    finished: int = 0
    unasked: int = 0  #: typed questions that are in no turn
    to_nothing: int = 0  #: turns of the agent that answer no question
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    stuck: int = 0
    resumed: int = 0  #: media connections that were made again
    restarted: int = 0  #: users who could not get in and tried again
    findings: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)  #: of relays that lived long enough to be judged
    resident: list[list[int]] = field(default_factory=list)  #: of those, KB at each eighth of their lives
    lasted_s: float = 0.0

    def add(self, number: int, outcome: str, reconnects: int, verdict: Verdict) -> None:
        self.runs += 1
        self.outcomes[outcome] += 1
        self.resumed += reconnects
        self.finished += verdict.finished
        for name in MUST_BE_ZERO:
            setattr(self, name, getattr(self, name) + len(getattr(verdict, name)))
        self.findings += [f"run {number}: {finding}" for finding in verdict.findings]

    @property
    def untyped(self) -> list[str]:
        """Ends without a reason that a client can act on."""
        known = {WENT_ON, STUCK, *REGISTRY, *LOCAL_CODES}
        return sorted(set(self.outcomes) - known)

    def failures(self, each: int) -> list[str]:
        """Every must-be-zero that is not, and every pair that fired less than `each` times."""
        counts = {name: getattr(self, name) for name in MUST_BE_ZERO}
        failures = [f"{count} {name}" for name, count in counts.items() if count]
        failures += [f"ended with {code}, which is no reason" for code in self.untyped]
        refused = [(code, self.outcomes[code]) for code in PROTOCOL_ERRORS if self.outcomes[code]]
        failures += [f"{n} ended with {code}, which an honest client is never told" for code, n in refused]
        failures += [f"leaked: {leak}" for leak in self.leaks]
        failures += [f"leaked: {each} for each session" for each in self.growths if each.is_leak]
        rare = [pair for pair in PAIRS if self.firings[pair] < each]
        failures += [f"{kind} on {link} fired {self.firings[kind, link]} times only" for kind, link in rare]
        return failures

    def as_json(self, each: int) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in APART}
        fired = {f"{kind} on {link}": self.firings[kind, link] for kind, link in PAIRS}
        plain["growths"] = [asdict(each) for each in self.growths]
        return plain | {"firings": fired, "failures": self.failures(each)}

    def progress(self) -> str:
        return (
            f"{self.runs} runs, {self.finished} turns, {sum(self.firings.values())} faults,"
            f" {self.lost} lost, {self.doubled} doubled, {self.reordered} reordered, {self.stuck} stuck"
        )

    def table(self) -> str:
        """Report as text, as in docs/reliability.md."""
        ended = [f"{count} {code}" for code, count in self.outcomes.most_common() if code != WENT_ON]
        rows = [
            ("seed", str(self.seed)),
            ("runs", f"{self.runs} in {self.lasted_s / 60:.1f} min"),
            ("went on", str(self.outcomes[WENT_ON])),
            ("ended with a typed reason", ", ".join(ended) or "0"),
            ("media connections made again", str(self.resumed)),
            ("starts made again", str(self.restarted)),
            (
                "other incidents",
                ", ".join(f"{n} {what}" for what, n in sorted(self.incidents.items())) or "0",
            ),
            ("turns finished", str(self.finished)),
            ("questions lost with a connection", str(self.unasked)),
            ("agent's turns to nothing", str(self.to_nothing)),
            ("lost", str(self.lost)),
            ("doubled", str(self.doubled)),
            ("reordered", str(self.reordered)),
            ("stuck", str(self.stuck)),
            ("leaks", ", ".join(self.leaks) or "0"),
            *(("left in a relay by each session", str(each)) for each in self.growths),
            *(("a relay's resident KB, in its life", " ".join(map(str, kb))) for kb in self.resident),
        ]
        head = [f"{name:<40}{value}" for name, value in rows]
        return "\n".join([*head, "", *self._grid()])

    def _grid(self) -> list[str]:
        """Faults that acted, by kind and link."""
        width = max(map(len, LINKS)) + 2
        title = "faults that acted".ljust(width) + "".join(f"{kind.kind:>12}" for kind in TOXICS)
        rows = [
            link.ljust(width) + "".join(f"{self.firings[kind.kind, link]:>12}" for kind in TOXICS)
            for link in LINKS
        ]
        return [title, *rows]
