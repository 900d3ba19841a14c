"""Memory in use in running relays, sampled by signal, and its growth per session."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

OBJECTS, HEAP_KB = 60.0, 12.0  #: limits per session: less is noise, a leaked call holds 370 objects and more
WARM = 1 / 2  #: of a relay's samples are not judged: caches fill, connections are made
FEWEST = 20  #: samples that can be judged
SERVED = 100  #: sessions while it is judged: with fewer, the calls open at the time look like a leak
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Memory of one relay after about `sessions` sessions."""

    sessions: float
    objects: int  #: small ones, of Python's own allocator
    heap_kb: float  #: of everything else that is in use
    resident_kb: int  #: pages, in use or kept by an allocator


@dataclass(frozen=True, slots=True)
class Growth:
    """Memory left by each session that a relay has served."""

    objects: float
    heap_kb: float

    @property
    def is_leak(self) -> bool:
        return self.objects > OBJECTS or self.heap_kb > HEAP_KB

    def __str__(self) -> str:
        return f"{self.objects:+.1f} objects and {self.heap_kb:+.1f} KB"


@dataclass
class MemoryProbe:
    """Samples of processes that run with `environment`."""

    folder: Path
    samples: dict[int, list[MemorySample]] = field(default_factory=dict)
    _served: dict[int, float] = field(default_factory=dict)  #: sessions, by the process that had them
    _runs: int = 0

    @property
    def environment(self) -> dict[str, str]:
        return {"MEMORY_PROBE_FOLDER": str(self.folder)}

    def sample(self, processes: Sequence[int], runs: int) -> None:
        """Read the samples requested by the last call, and request the next ones.

        `runs`: finished in total; those since the last call are divided evenly among `processes`.
        """
        share, self._runs = (runs - self._runs) / max(1, len(processes)), runs
        for process in processes:
            self._served[process] = served = self._served.get(process, 0.0) + share
            answer = self.folder / str(process)
            with suppress(FileNotFoundError, ProcessLookupError):
                objects, heap = answer.read_text().split()
                answer.unlink()
                sample = MemorySample(served, int(objects), int(heap) / 1024, resident_kb(process))
                self.samples.setdefault(process, []).append(sample)
                os.kill(process, signal.SIGUSR1)


def growth(samples: Sequence[MemorySample]) -> Growth | None:
    """Growth of a relay since its warm-up; None with too few samples or sessions."""
    warm = samples[int(len(samples) * WARM) :]
    if len(samples) < FEWEST or warm[-1].sessions - warm[0].sessions < SERVED:
        return None
    objects = slope([(sample.sessions, sample.objects) for sample in warm])
    return Growth(objects, slope([(sample.sessions, sample.heap_kb) for sample in warm]))


def resident_kb(process: int | None) -> int:
    """Resident memory of a process; 0 when it is gone."""
    with suppress(OSError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_KB
    return 0


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Least squares: by how much the second number grows for each one of the first."""
    count = len(samples)
    if count < 2:
        return 0.0
    mean_x = sum(x for x, _ in samples) / count
    mean_y = sum(y for _, y in samples) / count
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0
