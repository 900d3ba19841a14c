"""What forty calls feel of one user who floods their relay in every way, as hard as the limits allow.

python -m bench.isolation

Calls, flood, model and relay are processes of their own; the relay is dialled itself. Each flood has all
sessions that a user may have, by the limits of a deployment; it is compared with the quiet phases around.
Exit status 1 when it is felt too much, takes memory without bound, ends a call or keeps another user out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException

from bench.flood import KINDS
from bench.raw_road import Place, ask, start
from infra.local.stack import LocalStack, Options
from infra.local.tasks import RelayTask

ROOT = Path(__file__).resolve().parents[1]
SESSIONS = 3  #: of the one who floods: SessionsPerUser of a deployment
MORE = 5  #: places for those who start meanwhile
TASK_MB = 512  #: memory of a task, by default
FELT = 2.0  #: times the quiet p99
STARTS_PER_S = 1.0  #: of other users, while somebody floods
PARAMETERS = {"SessionsPerUser": str(SESSIONS), "StartsPerMinute": "10", "MinutesPerDay": "100000"}


@dataclass(slots=True)
class Phase:
    """What the neighbours felt while one thing went on."""

    name: str
    round_trips_ms: list[float]
    lost: int  #: calls that were closed, since the beginning
    cpu: float  #: of the relay, in cores
    memory_mb: float  #: of the relay at the end
    starts: list[str] = field(default_factory=list)  #: answers to other users
    sent: dict[str, int] = field(default_factory=dict)

    def percentile_ms(self, percent: int) -> float:
        return statistics.quantiles(self.round_trips_ms, n=100)[percent - 1]

    @property
    def refused(self) -> list[str]:
        """Answers to other users that were not `ready`."""
        return [answer for answer in self.starts if answer != "ready"]


def judge(phases: Sequence[Phase]) -> list[str]:
    """What must not be. The first phase and the last are quiet."""
    quiet_ms = statistics.mean([phases[0].percentile_ms(99), phases[-1].percentile_ms(99)])
    wrong = []
    for phase in phases[1:-1]:
        if phase.percentile_ms(99) > FELT * quiet_ms:
            wrong.append(f"{phase.name}: p99 {phase.percentile_ms(99):.0f} ms, quiet {quiet_ms:.0f} ms")
        if phase.refused:
            wrong.append(f"{phase.name}: {len(phase.refused)} starts of others: {phase.refused[0]}")
        if phase.memory_mb > TASK_MB:
            wrong.append(f"{phase.name}: {phase.memory_mb:.0f} MB")
    if phases[-1].lost:
        wrong.append(f"{phases[-1].lost} calls were closed")
    return wrong


def table(phases: Sequence[Phase]) -> str:
    figures = f"{'p50 ms':>8}{'p99 ms':>8}{'worst':>8}{'cores':>7}{'MB':>6}{'starts':>8}"
    lines = [f"{'':14}{figures}  sent by the one who floods"]
    for phase in phases:
        told = ", ".join(f"{count} {name}" for name, count in sorted(phase.sent.items()))
        lines.append(
            f"{phase.name:14}{phase.percentile_ms(50):>8.1f}{phase.percentile_ms(99):>8.1f}"
            f"{max(phase.round_trips_ms):>8.0f}{phase.cpu:>7.2f}{phase.memory_mb:>6.0f}"
            f"{len(phase.starts) - len(phase.refused):>4}/{len(phase.starts):<3}  {told}"
        )
    return "\n".join(lines)


class Relay:
    """The process behind a task, as the system sees it."""

    def __init__(self, task: RelayTask) -> None:
        assert task.process_id
        self._proc = Path(f"/proc/{task.process_id}")

    def cpu_s(self) -> float:
        fields = self._proc.joinpath("stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        lines = self._proc.joinpath("status").read_text().splitlines()
        (resident,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
        return int(resident) / 1024


@asynccontextmanager
async def program(module: str, *arguments: str) -> AsyncIterator[Process]:
    """A process of this environment, ended at the end."""
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=PIPE, stdout=PIPE, cwd=ROOT, limit=2**24
    )
    try:
        yield made
    finally:
        if made.returncode is None:
            made.terminate()
        await made.wait()


async def told(process: Process, line: str) -> dict[str, Any]:
    """What it answers to one line."""
    assert process.stdin and process.stdout
    process.stdin.write(line.encode())
    return dict(json.loads(await process.stdout.readline()))


class House:
    """A deployment with one relay, forty calls on it, and the one who may flood."""

    def __init__(self, stack: LocalStack, place: Place, relay: Relay, calls: Process) -> None:
        self._stack, self._place, self._relay, self._calls = stack, place, relay, calls
        self._visitors = 0

    async def phase(self, name: str, seconds: float, flood: Sequence[dict[str, Any]] = ()) -> Phase:
        """Let something go on for so long; `flood`: the sessions that flood in the way of that name."""
        await told(self._calls, "begin\n")
        cpu_s, starts, sent = self._relay.cpu_s(), list[str](), dict[str, int]()
        async with AsyncExitStack() as programs:
            if flood:
                flooder = await programs.enter_async_context(program("bench.flood"))
                token = self._stack.user("mallory").token()
                assert flooder.stdin
                flooder.stdin.write(self._place.line(token=token, kind=name, sessions=flood).encode())
                starts = await self._others(seconds)
                sent = await told(flooder, "end\n")
            else:
                await asyncio.sleep(seconds)
        heard = await told(self._calls, "end\n")
        cpu = (self._relay.cpu_s() - cpu_s) / seconds
        memory = self._relay.memory_mb()
        return Phase(name, heard["round_trips_ms"], heard["lost"], cpu, memory, starts, sent)

    async def _others(self, seconds: float) -> list[str]:
        """Have other users start, one after the other. Returns how each was answered."""
        answers: list[asyncio.Task[str]] = []
        async with asyncio.TaskGroup() as visits:
            for _ in range(int(seconds * STARTS_PER_S)):
                self._visitors += 1
                answers.append(visits.create_task(self._visit(f"visitor-{self._visitors}")))
                await asyncio.sleep(1 / STARTS_PER_S)
        return [answer.result() for answer in answers]

    async def _visit(self, user: str) -> str:
        try:
            async with asyncio.timeout(20), self._place.dial(self._stack.user(user).token()) as control:
                ready = await ask(control, start())
                if ready.get("type") == "ready":
                    await ask(control, {"type": "end", "session": ready["session"]})
                return str(ready.get("code", ready.get("type", "gateway")))
        except (WebSocketException, OSError, TimeoutError) as error:
            return type(error).__name__

    async def sessions(self, count: int) -> list[dict[str, Any]]:
        """The flooder's sessions, opened anew."""
        token, opened = self._stack.user("mallory").token(), []
        for _ in range(count):
            async with self._place.dial(token) as control:
                ready = await ask(control, start())
                if ready.get("type") != "ready":
                    raise RuntimeError(f"no session: {ready}")
                opened.append(ready)
        return opened

    async def leave(self, sessions: Sequence[dict[str, Any]]) -> None:
        for ready in sessions:
            async with self._place.dial(self._stack.user("mallory").token()) as control:
                await ask(control, {"type": "end", "session": ready["session"]})


@asynccontextmanager
async def house(calls: int) -> AsyncIterator[House]:
    capacity = {"RelayCapacity": str(calls + SESSIONS + MORE)}
    async with program("simulator", "--port", "0", "--json") as model:
        assert model.stdout
        url = json.loads(await model.stdout.readline())["url"]
        async with LocalStack(Options(gemini_url=url, parameters=PARAMETERS | capacity)) as stack:
            tickets = []
            for number in range(calls):
                token = stack.user(f"neighbour-{number}").token()
                async with Place(stack.urls.control, "", "").dial(token) as control:
                    tickets.append((await ask(control, start()))["media"]["ticket"])
            (task,) = [task for task in stack.tasks.all if task.status == "RUNNING"]
            place = Place(stack.urls.control, task.address, stack.secrets.origin)
            async with program("bench.neighbours") as neighbours:
                assert neighbours.stdin
                neighbours.stdin.write(place.line(tickets=tickets).encode())
                await asyncio.sleep(5)  # all are live
                yield House(stack, place, Relay(task), neighbours)


async def run(calls: int, seconds: float, kinds: Sequence[str]) -> list[Phase]:
    async with house(calls) as here:
        phases = [await here.phase("quiet", seconds)]
        for kind in kinds:
            flooding = await here.sessions(SESSIONS)
            phases.append(await here.phase(kind, seconds, flooding))
            await here.leave(flooding)
            await asyncio.sleep(20)  # another minute for mallory's starts, or nearly
        phases.append(await here.phase("quiet again", seconds))
        return phases


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each phase")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="of floods")
    given = parser.parse_args()
    phases = asyncio.run(run(given.calls, given.seconds, given.kinds))
    print(table(phases))
    wrong = judge(phases)
    print("\n".join(wrong) if wrong else "nobody else was disturbed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
