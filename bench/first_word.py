"""From the click until the agent's first audio, when nothing runs; real processes, starts as others measured.

python -m bench.first_word --runs 20 --seed 1 --ways microvm asleep --svg docs/first-word.svg

Each run is told when it is over. With --results a file keeps them, so that several commands make one table;
--minutes begins no run after so long.

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
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

import simulator
from bench import chain, waits
from bench.caller import Caller
from bench.hello import hello_cpu_s
from bench.waits import Result, Run, Way
from infra.local.cold_starts import ColdStarts, Environments
from infra.local.microvm.home import Account
from infra.local.microvm.times import Times, quantile_s
from infra.local.stack import NAME, LocalStack, Options
from records import relays, warm_ups
from records.relays import Relay
from records.table import Table
from simulator.scenario import Behaviour, Scenario

MODEL_TIMES = Path(__file__).with_name("model_times.yaml")
SPARES = {f"{NAME}-session": 2, f"{NAME}-mint": 1}  #: processes started ahead
VMS = {"RelayHomes": "microvm", "MicrovmCode": "s3://bucket/relay.zip"}
PATIENCE_S = 180.0


WAYS = {
    "warm": Way("all warm", VMS, is_warm=True),
    "fargate": Way("from zero, Fargate"),
    "microvm": Way("from zero, MicroVM", VMS, goal=(3.5, 5.0)),
    "prepared": Way(
        "MicroVM, prepare() 3 s ahead", {**VMS, "PrepareRelays": "microvm"}, ahead_s=3.0, goal=(2.0, 5.0)
    ),
    "asleep": Way("sleeping MicroVM", {**VMS, "SleepingRelays": "1"}, sleeps=True, goal=(2.0, 5.0)),
    "both": Way(
        "sleeping, prepare() 3 s ahead",
        {**VMS, "SleepingRelays": "1"},
        ahead_s=3.0,
        sleeps=True,
        goal=(2.0, 5.0),
    ),
}


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
    way: Way, hello_s: float, chance: random.Random, pace: float, memory_mb: int = 0
) -> AsyncIterator[tuple[LocalStack, Model]]:
    """The local stack for one way, with nobody in it."""
    config = simulator.Config(scenario=Scenario(), time_scale=1 / pace)
    async with simulator.serve(config) as running:
        options = Options(
            gemini_url=running.url,
            parameters={"StartsPerMinute": "10000", "MinutesPerDay": "100000", **way.parameters},
            environments=Environments(ColdStarts(hello_s, chance, pace), by_memory=True, memory_mb=memory_mb),
            microvms=Account(times=Times(pace, chance)),
            relay_environment={"IDLE_SECONDS": "600"},
            schedule_speed=1e-6,
        )
        async with LocalStack(options) as stack:
            yield stack, Model(running, chance)


async def fleet(stack: LocalStack) -> list[Relay]:
    table = Table(stack.client("dynamodb"), stack.table)
    pool = await asyncio.to_thread(relays.pool, table)
    return await asyncio.to_thread(relays.load_all, table, pool.slots.values())


async def put_to_sleep(stack: LocalStack) -> None:
    """By rounds of the sweep. By the template's schedule one would often fall into a call, as few do."""
    async with asyncio.timeout(PATIENCE_S):
        while "SUSPENDED" not in {relay.state for relay in await fleet(stack)}:
            await stack.functions.invoke(f"{NAME}-sweep", {})
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
        await put_to_sleep(stack)
    if not way.is_warm:
        await end(stack, [relay for relay in await fleet(stack) if relay.state != "SUSPENDED"])
    if not way.is_warm:
        # Functions do not cool down within a minute of a warm-up: the next one would not be due.
        claims = Table(stack.client("dynamodb"), stack.table)
        await asyncio.to_thread(claims.delete, warm_ups.KEY)
        await stack.functions.cool()
        await stack.functions.start_ahead(SPARES)
    await stack.microvms.ready_ahead()


async def run(way: Way, stack: LocalStack, model: Model, pace: float) -> Run:
    """One call from a cleared deployment."""
    await clear(stack, way)
    model_s = model.draw()
    caller = Caller(stack, f"user-{secrets.token_hex(4)}")
    try:
        if way.ahead_s:
            await caller.connect()
            await asyncio.sleep(way.ahead_s * pace)
        async with asyncio.timeout(PATIENCE_S * pace):
            seconds = await caller.click() / pace
        spans = chain.spans(caller, stack, pace)
        home_s = sum(span.ends - span.begins for span in spans if span.kind == "home")
        return Run(seconds, model_s, home_s, spans)
    finally:
        await caller.leave()


async def measure(name: str, given: argparse.Namespace, hello_s: float, made: int) -> AsyncIterator[Run]:
    """Runs of one way until there are enough, or the time is up; `made` were made by earlier commands.

    The first is for a warm one to become it, and is left out.
    """
    way, chance = WAYS[name], random.Random(f"{given.seed} {name} {made}")
    if made >= given.runs or given.ends_at <= time.monotonic():
        return
    async with deployment(way, hello_s, chance, given.pace, given.memory) as (stack, model):
        if way.is_warm:
            await run(way, stack, model, given.pace)
        while made < given.runs and time.monotonic() < given.ends_at:
            yield await run(way, stack, model, given.pace)
            made += 1


async def measure_all(given: argparse.Namespace) -> list[Result]:
    """Every way that was asked for, run by run, each told as it ends."""
    hello_s, kept = await hello_cpu_s(), waits.load(given.results) if given.results else {}
    print(
        f"seed {given.seed}, {given.runs} runs of each, pace {given.pace:g}; a hello world starts here in "
        f"{hello_s:.3f} CPU s, a second of work takes {busy():.1f} s",
        flush=True,
    )
    results = []
    for name in given.ways:
        results.append(result := Result(WAYS[name], kept.get(name, [])))
        async for made in measure(name, given, hello_s, len(result.runs)):
            result.runs.append(made)
            if given.results:
                waits.keep(given.results, name, made)
            print(
                f"{result.way.title}, run {len(result.runs)} of {given.runs}: {made.seconds:.2f} s "
                f"(Google {made.model_s:.2f}, home {made.home_s:.2f})",
                flush=True,
            )
    return [result for result in results if result.runs]


def busy() -> float:
    """Seconds that one second of CPU time takes here now."""
    began, cpu = time.perf_counter(), time.process_time()
    while time.process_time() - cpu < 0.3:
        pass
    return (time.perf_counter() - began) / 0.3


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20, help="of each way; %(default)s")
    parser.add_argument("--pace", type=float, default=1.0, help="see above; %(default)s")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of all that is drawn")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--minutes", type=float, default=60.0, help="no run begins after; %(default)s")
    parser.add_argument("--memory", type=int, default=0, help="MB of every function; 0: the template's")
    parser.add_argument("--results", type=Path, help="keeps the runs, one a line")
    parser.add_argument("--svg", type=Path, help="where the picture goes")
    given = parser.parse_args()
    given.ends_at = time.monotonic() + given.minutes * 60
    results = asyncio.run(measure_all(given))
    print(f"\n{waits.table(results)}")
    for result in results:
        print(f"\n{result.way.title}, the run in the middle:\n{chain.text(result.middle)}")
    if given.svg:
        given.svg.write_text(chain.picture([(each.way.title, each.middle) for each in results]))
    return 0 if all(result.is_met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
