"""How Lambda starts and runs functions, and Fargate tasks, by the figures of cold_starts.yaml."""

import asyncio
import functools
import random
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from infra.local.microvm.times import quantile_s
from infra.local.process import Child

_FILE = Path(__file__).with_name("cold_starts.yaml")
LOOK_S = 0.002  #: between two looks at the CPU time of a handler


@functools.cache
def published() -> dict[str, Any]:
    """The file, as it is."""
    read: dict[str, Any] = yaml.safe_load(_FILE.read_text("utf-8"))
    return read


def quota(account: Literal["fresh", "default"]) -> int:
    """Executions at a time, of all functions together."""
    return int(published()["concurrency"][account])


@dataclass(slots=True)
class ColdStarts:
    """Draws how long starts take. `hello_cpu_s`: CPU time of a hello world's start on this machine."""

    hello_cpu_s: float
    chance: random.Random = field(default_factory=random.Random)
    pace: float = 1.0  #: scales what is drawn: 1 as published

    def function_s(self, cpu_s: float) -> float:
        """Seconds before the handler of a function that needs so much CPU time of this machine to start."""
        return self._draw("sandbox_s") + self._draw("hello_init_s") * cpu_s / self.hello_cpu_s

    def task_s(self) -> float:
        """Seconds from RunTask until the container's program runs."""
        return self._draw("task_s")

    def _draw(self, name: str) -> float:
        quantiles: Mapping[float, float] = published()[name]["quantiles"]
        return self.pace * quantile_s(quantiles, self.chance.random())


@dataclass(frozen=True, slots=True)
class Environments:
    """How functions run: as fast as this machine, and as many as are asked for, unless told otherwise."""

    starts: ColdStarts | None = None  #: None: in this machine's time
    concurrency: int = 0  #: of all functions together; one more is throttled. 0: no such limit
    by_memory: bool = False  #: a handler gets the share of a processor that its memory buys
    memory_mb: int = 0  #: of every function, in place of the template's. 0: as the template says

    def share(self, memory_mb: int) -> float | None:
        """Part of a processor of this machine that a handler with so much memory has; None: all there is."""
        if not self.by_memory:
            return None
        processor, pace = published()["processor"], self.starts.pace if self.starts else 1.0
        bought = min(1.0, (self.memory_mb or memory_mb) / processor["full_mb"])
        return float(bought / processor["slower"] / pace)


def cpu_s(process_id: int) -> float:
    """CPU time of another process with all its threads; Linux only."""
    return time.clock_gettime((~process_id << 3) | 2)  # clock_getcpuclockid(3), which Python does not have


@asynccontextmanager
async def slowed(child: Child, share: float) -> AsyncIterator[None]:
    """Hold the child back, inside the block, to `share` of a processor: stopped after each piece of work."""
    holding = asyncio.get_running_loop().create_task(_hold_back(child, share), name="share of a processor")
    try:
        yield
    finally:
        holding.cancel()
        await asyncio.wait([holding])
        child.signal(signal.SIGCONT)


async def _hold_back(child: Child, share: float) -> None:
    """What it used of the processor must have taken 1/share as long; what it left unused is not kept."""
    used, at = cpu_s(child.process.pid), time.perf_counter()
    while child.is_alive:
        await asyncio.sleep(LOOK_S)
        try:
            now = cpu_s(child.process.pid)
        except OSError:  # it has ended
            return
        early_s = (now - used) / share - (time.perf_counter() - at)
        if early_s > 0:
            child.signal(signal.SIGSTOP)
            await asyncio.sleep(early_s)
            child.signal(signal.SIGCONT)
        used, at = now, time.perf_counter()
