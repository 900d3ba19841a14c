"""From the click until the agent's first audio, when nothing runs; real processes, starts as others measured.

python -m bench.first_word --runs 20 --seed 1 --svg docs/first-word.svg

How long Lambda, Fargate, MicroVMs and Google take is drawn from cold_starts.yaml, times.yaml (infra/local)
and model_times.yaml. Networks are this machine's: no distance is in it. Where others use this machine too,
its own work takes longer than it should: with --pace 4 all that is drawn takes four times as long, and the
results are divided by four.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

import simulator
from bench import chain
from bench.caller import Caller
from bench.hello import hello_cpu_s
from infra.local.cold_starts import ColdStarts, Environments
from infra.local.microvm.home import Account
from infra.local.microvm.times import Times, quantile_s
from infra.local.stack import NAME, LocalStack, Options
from records import relays, warm_ups
from records.relays import Relay
from records.table import Table
from simulator.scenario import Behaviour, Scenario

MODEL_TIMES = Path(__file__).with_name("model_times.yaml")
SPARES = {f"{NAME}-connect": 1, f"{NAME}-session": 2, f"{NAME}-mint": 1}  #: processes started ahead
VMS = {"RelayHomes": "microvm", "MicrovmCode": "s3://bucket/relay.zip"}
PATIENCE_S = 180.0


@dataclass(frozen=True, slots=True)
class Way:
    """One way to begin. `ahead_s`: the control road is opened so long before the click."""

    title: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    ahead_s: float = 0.0
    sleeps: bool = False  #: a relay is asleep
    is_warm: bool = False  #: everything runs
    goal: tuple[float, float] | None = None  #: p50 and p95, s


WAYS = {
    "warm": Way("all warm", VMS, is_warm=True),
    "fargate": Way("from zero, Fargate"),
    "microvm": Way("from zero, MicroVM", VMS, goal=(3.5, 5.0)),
    "prepared": Way("MicroVM, prepare() 3 s ahead", VMS, ahead_s=3.0, goal=(2.0, 5.0)),
    "asleep": Way("sleeping MicroVM", {**VMS, "SleepingRelays": "1"}, sleeps=True, goal=(2.0, 5.0)),
    "both": Way(
        "sleeping, prepare() 3 s ahead",
        {**VMS, "SleepingRelays": "1"},
        ahead_s=3.0,
        sleeps=True,
        goal=(2.0, 5.0),
    ),
}


@dataclass(slots=True)
class Result:
    """The runs of one way."""

    way: Way
    seconds: list[float] = field(default_factory=list)
    model_s: list[float] = field(default_factory=list)  #: that Google took of these
    chains: list[list[chain.Span]] = field(default_factory=list)

    def at(self, quantile: float) -> float:
        return quantile_of(self.seconds, quantile)

    @property
    def middle(self) -> list[chain.Span]:
        """The chain of the run in the middle."""
        order = sorted(range(len(self.seconds)), key=self.seconds.__getitem__)
        return self.chains[order[len(order) // 2]]

    @property
    def is_met(self) -> bool:
        return self.way.goal is None or (
            self.at(0.5) <= self.way.goal[0] and self.at(0.95) <= self.way.goal[1]
        )


def quantile_of(values: Sequence[float], at: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(at * len(ordered)))]


class Model:
    """The simulator, as slow as Google, drawn anew for each run."""

    def __init__(self, running: simulator.Running, chance: random.Random) -> None:
        self._running, self._chance = running, chance
        self._times: Mapping[str, Any] = yaml.safe_load(MODEL_TIMES.read_text("utf-8"))

    def draw(self) -> float:
        """Sets the times of the next call; their sum."""
        drawn = {
            name: quantile_s(told["quantiles"], self._chance.random()) for name, told in self._times.items()
        }
        behaviour = Behaviour(
            voice="synthetic",
            token_s=drawn["token_s"],
            setup_s=drawn["setup_s"],
            think_s=drawn["first_audio_s"],
        )
        world = self._running.world
        object.__setattr__(world, "scenario", Scenario(settings=behaviour))
        return sum(drawn.values())


@asynccontextmanager
async def deployment(
    way: Way, hello_s: float, chance: random.Random, pace: float
) -> AsyncIterator[tuple[LocalStack, Model]]:
    """The local stack for one way, with nobody in it."""
    config = simulator.Config(scenario=Scenario(), time_scale=1 / pace)
    async with simulator.serve(config) as running:
        options = Options(
            gemini_url=running.url,
            parameters={"StartsPerMinute": "10000", "MinutesPerDay": "100000", **way.parameters},
            environments=Environments(ColdStarts(hello_s, chance, pace), by_memory=True),
            microvms=Account(times=Times(pace, chance)),
            relay_environment={"IDLE_SECONDS": "600"},
            schedule_speed=30 if way.sleeps else 1e-6,
        )
        async with LocalStack(options) as stack:
            yield stack, Model(running, chance)


async def fleet(stack: LocalStack) -> list[Relay]:
    table = Table(stack.client("dynamodb"), stack.table)
    pool = await asyncio.to_thread(relays.pool, table)
    return await asyncio.to_thread(relays.load_all, table, pool.slots.values())


async def until(stack: LocalStack, is_so: Callable[[list[Relay]], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so(await fleet(stack)):  # noqa: ASYNC110  # the table tells nobody
            await asyncio.sleep(0.3)


async def end(stack: LocalStack, unwanted: Sequence[Relay]) -> None:
    """Take these relays out of the pool, and end what they run in."""
    table = Table(stack.client("dynamodb"), stack.table)
    for relay in unwanted:
        await asyncio.to_thread(relays.leave, table, relay.id)
        if relay.vm:
            await stack.microvms.all[relay.vm].terminate()
        for task in stack.tasks.all:
            if task.started_by.endswith(relay.id):
                task.stop("")


async def clear(stack: LocalStack, way: Way) -> None:
    """Nothing is warm: no function, no relay, or one that sleeps."""
    if way.sleeps:
        await until(stack, lambda found: "SUSPENDED" in {relay.state for relay in found})
    if not way.is_warm:
        await end(stack, [relay for relay in await fleet(stack) if relay.state != "SUSPENDED"])
    if not way.is_warm:
        # Functions do not cool down within a minute of a warm-up: the next one would not be due.
        claims = Table(stack.client("dynamodb"), stack.table)
        await asyncio.to_thread(claims.delete, warm_ups.KEY)
        await stack.functions.cool()
        await stack.functions.start_ahead(SPARES)
    await stack.microvms.ready_ahead()


async def run(way: Way, stack: LocalStack, model: Model, result: Result, pace: float) -> None:
    """One call from a cleared deployment."""
    await clear(stack, way)
    result.model_s.append(model.draw())
    caller = Caller(stack, f"user-{secrets.token_hex(4)}")
    try:
        if way.ahead_s:
            await caller.connect()
            await asyncio.sleep(way.ahead_s * pace)
        async with asyncio.timeout(PATIENCE_S * pace):
            result.seconds.append(await caller.click() / pace)
        result.chains.append(chain.spans(caller, stack, pace))
    finally:
        await caller.leave()


async def measure(way: Way, runs: int, hello_s: float, seed: int, pace: float) -> Result:
    """So many runs of one way; the first is for a warm one to become it, and is left out there."""
    chance, result = random.Random(f"{seed} {way.title}"), Result(way)
    async with deployment(way, hello_s, chance, pace) as (stack, model):
        for _ in range(runs + way.is_warm):
            await run(way, stack, model, result, pace)
    if way.is_warm:
        for kept in (result.seconds, result.model_s, result.chains):
            del kept[0]
    return result


def busy() -> float:
    """Seconds that one second of CPU time takes here now."""
    began, cpu = time.perf_counter(), time.process_time()
    while time.process_time() - cpu < 0.3:
        pass
    return (time.perf_counter() - began) / 0.3


def table(results: Sequence[Result]) -> str:
    """As Markdown."""
    head = ["way", "p50", "p95", "longest", "of it Google, p50", "goal p50 / p95"]
    lines = [head, ["---"] * len(head)]
    for result in results:
        goal = result.way.goal
        said = f"{goal[0]:g} / {goal[1]:g} s: {'met' if result.is_met else 'NOT met'}" if goal else ""
        lines.append(
            [
                result.way.title,
                f"{result.at(0.5):.2f} s",
                f"{result.at(0.95):.2f} s",
                f"{max(result.seconds):.2f} s",
                f"{statistics.median(result.model_s):.2f} s",
                said,
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20, help="of each way; %(default)s")
    parser.add_argument("--pace", type=float, default=1.0, help="see above; %(default)s")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of all that is drawn")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--svg", type=Path, help="where the picture goes")
    given = parser.parse_args()
    hello_s = asyncio.run(hello_cpu_s())
    print(
        f"seed {given.seed}, {given.runs} runs of each, pace {given.pace:g}; a hello world starts here in "
        f"{hello_s:.3f} CPU s, a second of work takes {busy():.1f} s\n"
    )
    results = [
        asyncio.run(measure(WAYS[name], given.runs, hello_s, given.seed, given.pace)) for name in given.ways
    ]
    print(table(results))
    for result in results:
        print(f"\n{result.way.title}, the run in the middle:\n{chain.text(result.middle)}")
    if given.svg:
        given.svg.write_text(chain.picture([(each.way.title, each.middle) for each in results]))
    return 0 if all(result.is_met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
