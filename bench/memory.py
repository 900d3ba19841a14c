"""What memory does for `connect` and `session`: time of their handlers, cold and warm, and what a call costs.

python -m bench.memory --pace 3

Processors are shared out as Lambda does by memory (infra/local/cold_starts.yaml); with --pace 3 all of it
takes three times as long and results are divided, for a machine that others use too. Starts are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Sequence

import simulator
from bench.caller import Caller
from bench.hello import hello_cpu_s
from infra.local.cold_starts import ColdStarts, Environments
from infra.local.invocation import Invocation
from infra.local.stack import LocalStack, Options

MEMORIES_MB = (512, 1024, 1769)
GB_SECOND = 0.0000133334  #: dollars, arm64 (infra/cost/prices.yaml)
WARM = 4  #: calls after each cold one


async def calls(memory_mb: int, rounds: int, hello_s: float, pace: float) -> Sequence[Invocation]:
    """The invocations of some first calls, and of calls that follow them, when all functions have so much."""
    async with simulator.serve() as model:
        options = Options(
            gemini_url=model.url,
            parameters={"StartsPerMinute": "10000", "MinutesPerDay": "100000", "SessionsPerUser": "1000"},
            environments=Environments(ColdStarts(hello_s, pace=pace), by_memory=True, memory_mb=memory_mb),
            schedule_speed=1e-6,
        )
        async with LocalStack(options) as stack:
            for _ in range(rounds):
                await stack.functions.cool()
                for _ in range(1 + WARM):
                    caller = Caller(stack, "user")
                    await caller.click()
                    await caller.leave()
            return list(stack.invocations)


def line(memory_mb: int, made: Sequence[Invocation], pace: float) -> list[str]:
    """One row: medians, ms, and the dollars of a million warm ones of both."""

    def handled_ms(route: str, *, cold: bool) -> float:
        found = [each for each in made if each.route_key == route and bool(each.init_ms) == cold]
        return statistics.median(each.duration_ms - each.init_ms for each in found) / pace

    times = [handled_ms(route, cold=cold) for route in ("$connect", "start") for cold in (True, False)]
    warm_s = (times[1] + times[3]) / 1000
    dollars = warm_s * memory_mb / 1024 * GB_SECOND * 1e6
    return [f"{memory_mb} MB", *(f"{each:.0f}" for each in times), f"{dollars:.2f}"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of one cold call each; %(default)s")
    parser.add_argument("--pace", type=float, default=1.0, help="see above; %(default)s")
    given = parser.parse_args()
    head = ["memory", "connect, cold, ms", "warm", "start, cold, ms", "warm", "$ for a million of both, warm"]
    rows = [head, ["---"] * len(head)]
    hello_s = asyncio.run(hello_cpu_s())
    for memory_mb in MEMORIES_MB:
        made = asyncio.run(calls(memory_mb, given.rounds, hello_s, given.pace))
        rows.append(line(memory_mb, made, given.pace))
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
