"""Times and quotas of MicroVMs, from times.yaml, where their sources are."""

import functools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import yaml

_FILE = Path(__file__).with_name("times.yaml")

Change = Literal["launch", "wake", "suspend"]


@functools.cache
def published() -> dict[str, Any]:
    """The file, as it is."""
    read: dict[str, Any] = yaml.safe_load(_FILE.read_text("utf-8"))
    return read


@dataclass(slots=True)
class Times:
    """Draws how long a change takes. `pace` scales it: 1 as published, 0 as fast as this machine does it."""

    pace: float = 1.0
    chance: random.Random = field(default_factory=random.Random)

    def draw_s(self, change: Change) -> float:
        """Seconds, by the published quantiles."""
        return self.pace * quantile_s(published()[change]["quantiles"], self.chance.random())


def quantile_s(quantiles: Mapping[float, float], at: float) -> float:
    """The value at that quantile, linear between the known ones."""
    points = sorted(quantiles.items())
    for (low, low_s), (high, high_s) in pairwise(points):
        if at <= high:
            return low_s + (high_s - low_s) * (at - low) / (high - low)
    return points[-1][1]


@dataclass(slots=True)
class Quotas:
    """Limits of one account in one region, over all its images."""

    launches_per_s: float = 5.0  #: and as many at once
    memory_mb: int = 1_048_576  #: of all VMs that are not TERMINATED

    @classmethod
    def of(cls, account: Literal["fresh", "default"]) -> "Quotas":
        """As published for such an account."""
        return cls(**published()["quotas"][account])
