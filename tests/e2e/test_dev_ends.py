"""However `vivavoce dev` ends, with a call in progress, it leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.dev import VIVAVOCE, started

GONE_S = 30.0  #: a killed parent's children notice it by a signal of the kernel


def family(process: int) -> set[int]:
    """The processes below this one."""
    below: set[int] = set()
    for path in Path("/proc").glob(f"{process}/task/*/children"):
        for child in map(int, path.read_text().split()):
            below |= {child} | family(child)
    return below


def alive(processes: set[int]) -> Iterator[int]:
    for process in processes:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":  # whoever inherits it has not looked yet
            yield process


@pytest.fixture(autouse=True)
def heeded_hangup() -> Iterator[None]:
    """Under `nohup` every process inherits that SIGHUP is ignored; a terminal's have it."""
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, inherited)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_no_process_outlives_it(how: str) -> None:
    with started() as (process, urls):
        talk = [*VIVAVOCE, "talk", "--url", urls["page"], "--text", "Good morning."]
        subprocess.run(talk, capture_output=True, timeout=150, check=True)
        below = family(process.pid)
        assert len(below) >= 4, "moto, a function's worker or two, a relay"
        os.kill(process.pid, signal.Signals[how])
        process.wait(timeout=50)
        until = time.monotonic() + GONE_S
        while left := set(alive(below)):
            assert time.monotonic() < until, f"{how}: {len(left)} are left"
