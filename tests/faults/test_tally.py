"""The sum of a soak fails on every must-be-zero, and leaks are counted."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from infra.faults.clock import JumpingClock
from infra.faults.judge import STUCK, WENT_ON, Verdict
from infra.faults.leak_check import Leaks
from infra.faults.memory_probe import (
    FEWEST,
    HEAP_KB,
    OBJECTS,
    Growth,
    MemoryProbe,
    MemorySample,
    growth,
    slope,
)
from infra.faults.plan import PAIRS, plans
from infra.faults.tally import Tally


def tally(verdict: Verdict | None = None, outcome: str = WENT_ON) -> Tally:
    built = Tally(seed=1)
    built.add(1, outcome, 0, verdict or Verdict(finished=2))
    return built


def test_a_good_soak_has_no_failures() -> None:
    good = tally(outcome="upstream_overload")
    assert good.failures(each=0) == [] and (good.runs, good.finished) == (1, 2)


@pytest.mark.parametrize(
    ("what", "row"),
    [
        *((what, what) for what in ("lost", "doubled", "reordered", "stuck")),
        ("unasked", "questions lost with a connection"),
        ("to_nothing", "agent's turns to nothing"),
    ],
)
def test_every_must_be_zero_fails_the_soak(what: str, row: str) -> None:
    verdict = Verdict()
    getattr(verdict, what).append("here")
    bad = tally(verdict)
    assert bad.failures(each=0) == [f"1 {what}"]
    assert bad.findings == ["run 1: here"]
    assert f"{row:<40}1" in bad.table()


def test_an_end_without_a_typed_reason_fails_the_soak() -> None:
    assert tally(outcome="OSError").failures(each=0) == ["ended with OSError, which is no reason"]
    assert tally(outcome=STUCK).failures(each=0) == []  # it is counted as stuck


@pytest.mark.parametrize("code", ["resume_refused", "auth_invalid", "bad_message", "superseded"])
def test_what_an_honest_client_is_never_told_fails_the_soak(code: str) -> None:
    """The soak's clients keep the protocol: who tells one that it does not is wrong."""
    assert tally(outcome=code).failures(each=0) == [
        f"1 ended with {code}, which an honest client is never told"
    ]


def test_leaks_fail_the_soak() -> None:
    leaky = tally()
    leaky.leaks = Leaks(tasks=1, sockets=0, leases=2, handles=0).leaks
    leaky.growths = [Growth(OBJECTS, HEAP_KB), Growth(OBJECTS + 1, 0.0), Growth(0.0, HEAP_KB + 1)]
    assert leaky.failures(each=0) == [
        "leaked: 1 tasks",
        "leaked: 2 leases",
        "leaked: +61.0 objects and +0.0 KB for each session",
        "leaked: +0.0 objects and +13.0 KB for each session",
    ]
    assert Leaks(0, 0, 0, 0).leaks == []


def test_a_pair_that_fired_too_rarely_fails_the_soak() -> None:
    fired = tally()
    fired.firings = Counter(dict.fromkeys(PAIRS, 20))
    assert fired.failures(each=20) == []
    fired.firings["reset", "client-relay"] = 19
    assert fired.failures(each=20) == ["reset on client-relay fired 19 times only"]


def test_the_same_seed_gives_the_same_plans() -> None:
    one, again, other = plans(7), plans(7), plans(8)
    first = [next(one) for _ in range(50)]
    assert first == [next(again) for _ in range(50)] != [next(other) for _ in range(50)]


def test_every_pair_comes_up_in_every_round() -> None:
    drawn = plans(3)
    faults = [fault for _ in range(len(PAIRS)) for fault in next(drawn).faults]
    assert Counter((planned.fault.kind, planned.link) for planned in faults) == dict.fromkeys(PAIRS, 3)


def test_the_slope_is_that_of_a_line() -> None:
    assert slope([(0, 5.0), (1, 7.0), (2, 9.0)]) == 2.0
    assert slope([(0, 5.0)]) == 0.0


def test_growth_is_that_of_a_relay_that_is_warm() -> None:
    early = [MemorySample(10 * n, 1_000 * n, 100.0 * n, 0) for n in range(FEWEST)]
    late = [MemorySample(10 * (FEWEST + n), 500_000 + 50 * n, 2_000.0, 0) for n in range(FEWEST)]
    assert growth(early + late) == Growth(5.0, 0.0)
    assert growth(late[:-1]) is None, "too few samples to tell"


def test_the_calls_of_the_moment_are_no_leak_of_a_relay_that_served_few_sessions() -> None:
    calls = (3, 3, 3, 4, 3, 4, 4, 5, 4, 5)  # at a time, each of 370 objects
    served = [MemorySample(1.5 * n, 370 * calls[n % len(calls)], 0.0, 0) for n in range(FEWEST)]
    assert growth(served) is None
    for_long = [MemorySample(15.0 * n, 370 * calls[n % len(calls)], 0.0, 0) for n in range(FEWEST)]
    assert (grown := growth(for_long)) is not None and not grown.is_leak


def test_a_process_tells_what_lives_in_it(tmp_path: Path) -> None:
    """Memory that it has let go counts no more, memory that it keeps does."""
    probe, (root, injected) = MemoryProbe(tmp_path), (Path(__file__).parents[2], "infra/faults/injected")
    clock = JumpingClock(tmp_path / "clock", root)
    program = "kept = []\nfor line in open(0): kept.append(bytearray(int(line))); print(flush=True)\n"
    environment = {**clock.environment, **probe.environment}
    assert str(root / injected) in environment["PYTHONPATH"]
    command, pipe = [sys.executable, "-c", program], subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin and process.stdout
        for size in (0, 3_000_000):
            process.stdin.write(f"{size}\n")
            process.stdin.flush()
            process.stdout.readline()
            probe.sample([process.pid], runs=1)  # what it told before, and the question
            while not (tmp_path / str(process.pid)).exists():
                time.sleep(0.01)
        probe.sample([process.pid], runs=1)
        process.stdin.close()
    first, second, third = probe.samples[process.pid]
    assert abs(second.heap_kb - first.heap_kb) < 100
    assert 2_900 < third.heap_kb - second.heap_kb < 3_100
