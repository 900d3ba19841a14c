"""Many callers at once, nothing running, and a fresh account's limits: when each of them hears a word.

python -m bench.rush --callers 200 --pace 2 --seed 1

Nobody has connected ahead. What a limit refuses is asked for again, by clients, functions and relays, as
those of ours do; the table says who waited for what. Starts and limits are those of cold_starts.yaml and
times.yaml.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import simulator
from bench.caller import Caller
from bench.first_word import Model, busy
from bench.hello import hello_cpu_s
from bench.waits import quantile_of
from infra.local import cold_starts
from infra.local.cold_starts import ColdStarts, Environments
from infra.local.microvm.home import Account
from infra.local.microvm.times import Quotas, Times
from infra.local.stack import LocalStack, Options
from simulator.scenario import Scenario

#: each step of a caller: from the mark to the mark, and what it waits for
STEPS = (
    ("click", "control open", "an execution of `session`, for `$connect`"),
    ("control open", "starting: admitted", "an execution of `session`, for `start`"),
    ("starting: admitted", "ready", "a relay with a place: its start, and the notice that it is there"),
    ("ready", "media open", "the handshake"),
    ("media open", "live", "an execution of `mint`, then the model's setup"),
    ("live", "first audio", "the model"),
    ("click", "first audio", "all of it"),
)
PATIENCE_S = 420.0


@dataclass(slots=True)
class Rush:
    """One run: the callers who heard a word, and why the others did not."""

    heard: list[Caller]
    failed: Counter[str]

    def waits(self, begins: str, ends: str, pace: float) -> list[float]:
        """Seconds of each who passed both; one who was told `ready` at once was never told `starting`."""
        marks = [caller.marks for caller in self.heard]
        return [
            max(0.0, each[ends] - each.get(begins, each["control open"])) / pace
            for each in marks
            if ends in each
        ]


@asynccontextmanager
async def deployment(
    homes: str, chance: random.Random, hello_s: float, pace: float
) -> AsyncIterator[LocalStack]:
    """The local stack with a fresh account's limits, as slow as AWS and Google."""
    config = simulator.Config(scenario=Scenario(), time_scale=1 / pace)
    async with simulator.serve(config) as running:
        Model(running, chance).draw()
        options = Options(
            gemini_url=running.url,
            parameters={"RelayHomes": homes, "MicrovmCode": "s3://bucket/relay.zip"},
            environments=Environments(
                ColdStarts(hello_s, chance, pace), cold_starts.quota("fresh"), by_memory=True
            ),
            workers=cold_starts.quota("fresh"),
            microvms=Account(times=Times(pace, chance), quotas=Quotas.of("fresh")),
            relay_environment={"IDLE_SECONDS": "600"},
        )
        async with LocalStack(options) as stack:
            yield stack


async def rush(stack: LocalStack, callers: int, pace: float) -> Rush:
    """All click at once; told every ten seconds how many speak."""
    crowd = [Caller(stack, f"user-{number}") for number in range(callers)]
    done = Rush([], Counter())

    async def call(caller: Caller) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S * pace):
                await caller.click()
            done.heard.append(caller)
        except (ConnectionError, OSError, TimeoutError) as error:
            done.failed[str(error) or type(error).__name__] += 1

    async def tell() -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(10)
            print(
                f"{(time.monotonic() - began) / pace:5.0f} s: {len(done.heard)} of {callers} speak, "
                f"{sum(done.failed.values())} failed, {_homes(stack)}",
                flush=True,
            )

    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(tell())
        async with asyncio.TaskGroup() as calls:
            for caller in crowd:
                calls.create_task(call(caller))
        telling.cancel()
    async with asyncio.TaskGroup() as leaving:
        for caller in crowd:
            leaving.create_task(caller.leave())
    return done


def _homes(stack: LocalStack) -> str:
    return f"{len(stack.microvms.all)} MicroVMs, {len(stack.tasks.all)} tasks"


def table(done: Rush, pace: float) -> str:
    """As Markdown."""
    head = ["from", "until", "p50", "p95", "longest", "waits for"]
    lines = [head, ["---"] * len(head)]
    for begins, ends, why in STEPS:
        if waits := done.waits(begins, ends, pace):
            told = (statistics.median(waits), quantile_of(waits, 0.95), max(waits))
            lines.append([begins, ends, *(f"{each:.1f} s" for each in told), why])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def refusals(stack: LocalStack) -> str:
    """What the limits refused: a line for each function."""
    made: Counter[str] = Counter(each.function.rpartition("-")[2] for each in stack.invocations)
    throttled = Counter(
        each.function.rpartition("-")[2] for each in stack.invocations if each.status == "throttled"
    )
    return "\n".join(
        f"{name}: {count} invocations, {throttled[name]} of them throttled" for name, count in made.items()
    )


def _told(given: argparse.Namespace, stack: LocalStack, done: Rush) -> Iterable[str]:
    failed = dict(done.failed) or "none"
    yield f"\n{len(done.heard)} of {given.callers} speak; {_homes(stack)}; failed: {failed}\n"
    yield table(done, given.pace)
    yield f"\n{refusals(stack)}"
    tries: Sequence[int] = [caller.tries for caller in done.heard] or [0]
    yield f"clients asked again {sum(tries)} times, at most {max(tries)} times one of them"


async def run(given: argparse.Namespace) -> Rush:
    hello_s, chance = await hello_cpu_s(), random.Random(given.seed)
    print(
        f"seed {given.seed}, {given.callers} callers, pace {given.pace:g}, homes {given.homes}; "
        f"a second of work takes {busy():.1f} s",
        flush=True,
    )
    async with deployment(given.homes, chance, hello_s, given.pace) as stack:
        await stack.microvms.ready_ahead()
        done = await rush(stack, given.callers, given.pace)
        print("\n".join(_told(given, stack, done)), flush=True)
    return done


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--pace", type=float, default=2.0, help="as of bench.first_word; %(default)s")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of all that is drawn")
    parser.add_argument("--homes", choices=("both", "microvm", "fargate"), default="both")
    given = parser.parse_args()
    done = asyncio.run(run(given))
    return 0 if len(done.heard) == given.callers else 1


if __name__ == "__main__":
    sys.exit(main())
