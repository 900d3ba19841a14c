"""Random faults against the real local stack, run after run, several at a time."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from infra.faults import census
from infra.faults.course import Course, Terrain
from infra.faults.judge import NEVER_TOLD, Kept, Seen, Verdict, judge
from infra.faults.plan import Incident, Plan, PlannedStrike, plans
from infra.faults.scales import Scales, growth
from infra.faults.tally import Tally
from infra.faults.visitor import Visitor
from vivavoce.playback import VirtualSpeaker

SWEEP_S = 20.0  #: between sweeps; the deployment's come every minute
STARTS = 3  #: tries of a user to get in
LATE_S = 20.0  #: for a turn to be written after its session
SETTLE_S = 300.0  #: a place on a relay that starts is held for 180 s, and then a client is waited for
WEIGH_S = 10.0  #: between weighings of the relays
OUR_FAULT = ("internal", *NEVER_TOLD)  #: a typed reason, and yet one to look into
KILLS = ("relay killed", "model restarted")
CLOCK_S = 3.0  #: how long a clock is off
PARAMETERS = (("RelayCapacity", "6"), ("ResumeSeconds", "45"), ("StartsPerMinute", "1000"))


@dataclass(frozen=True, slots=True)
class Terms:
    """How long, how many at a time. `runs` 0: until the minutes are over."""

    minutes: float
    sessions: int
    seed: int
    runs: int = 0
    kills: bool = True  #: else no process dies, and a relay lives long enough to be weighed
    evidence: Path | None = None  #: folder for what is known of runs that were judged badly


@dataclass
class Soak:
    """One soak. `run` is all of it."""

    terms: Terms
    say: Callable[[Tally], None]
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self.tally = Tally(self.terms.seed)

    async def run(self) -> Tally:
        with census.hushed():
            return await self._run_all()

    async def _run_all(self) -> Tally:
        began_at = time.monotonic()
        deadline = began_at + self.terms.minutes * 60
        async with Course(Terrain(parameters=PARAMETERS)) as course:
            async with asyncio.TaskGroup() as tasks:
                watches = (self._report(course), self._sweep(course), self._weigh(course))
                watching = [tasks.create_task(watch) for watch in watches]
                await self._work(course, deadline)
                for task in watching:
                    task.cancel()
            self.tally.lasted_s = time.monotonic() - began_at
            self.tally.firings = course.firings
            left = await census.settle(course, SETTLE_S)
            self.tally.leaks = left.leaks
            if left.leaks and self.terms.evidence:
                lines = [f"{line.source}: {line.text}" for line in course.stack.logs.lines]
                (self.terms.evidence / "left.txt").write_text("\n".join([*left.places, *lines]))
        self._judge_memory(course.scales)
        return self.tally

    async def _work(self, course: Course, deadline: float) -> None:
        waiting = self._until_over(deadline)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.terms.sessions):
                tasks.create_task(self._visit(course, waiting))

    def _until_over(self, deadline: float) -> Iterator[Plan]:
        for plan in plans(self.terms.seed):
            if time.monotonic() > deadline or 0 < self.terms.runs < plan.number:
                return
            yield plan

    async def _visit(self, course: Course, waiting: Iterator[Plan]) -> None:
        for plan in waiting:
            await self.run_one(course, plan)

    async def run_one(self, course: Course, plan: Plan) -> None:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for strike in plan.strikes:
                tasks.create_task(_strike(course, strike, over, plan.number))
            for incident in plan.incidents:
                if incident.kind in KILLS and not self.terms.kills:
                    continue
                tasks.create_task(self._befall(course, incident, over))
            visitor, seen = await self._talk(course, plan, over)
            over.set()
        session = visitor.call.session
        verdict = await verdict_on(course, session, seen)
        self.tally.add(plan.number, seen.outcome, visitor.call.reconnects, verdict)
        if (verdict.findings or seen.outcome in OUR_FAULT) and self.terms.evidence:
            path = self.terms.evidence / f"run-{plan.number}.txt"
            path.write_text(_evidence(course, session, plan, seen, verdict))

    async def _talk(self, course: Course, plan: Plan, over: asyncio.Event) -> tuple[Visitor, Seen]:
        """A user who cannot get in at first tries again, as users do."""
        for left in reversed(range(STARTS)):
            visitor = Visitor(course.conversation(VirtualSpeaker() if plan.has_speaker else None))
            seen = await visitor.talk(plan.prompts, plan.number, over)
            if seen.outcome not in ("connect_failed", "connection_lost") or seen.told or not left:
                break
            self.tally.restarted += 1
            await asyncio.sleep(1)
        return visitor, seen

    def _judge_memory(self, scales: Scales) -> None:
        """Of the relays that lived long enough."""
        for samples in scales.samples.values():
            if grown := growth(samples):
                eighths = [samples[at * (len(samples) - 1) // 8] for at in range(9)]
                self.tally.growths.append(grown)
                self.tally.resident.append([weight.resident_kb for weight in eighths])

    async def _befall(self, course: Course, incident: Incident, over: asyncio.Event) -> None:
        if await _within(over, incident.at_s):
            return
        self.tally.incidents[incident.kind] += 1
        match incident.kind:
            case "relay killed":
                course.kill_relay(incident.number)
            case "model restarted":
                await course.restart_model()
            case "relay clock" | "function clock":
                is_relay = incident.kind == "relay clock"
                clock = course.relay_clock if is_relay else course.function_clock
                with clock.ahead(incident.seconds):
                    await _within(over, CLOCK_S)
            case "model":
                assert incident.fault is not None
                open_ones = sorted(course.model.connections)
                if open_ones:
                    course.model.inject(incident.fault, open_ones[incident.number % len(open_ones)])

    async def _report(self, course: Course) -> None:
        while True:
            await asyncio.sleep(10)
            self.tally.firings = course.firings
            self.say(self.tally)

    async def _sweep(self, course: Course) -> None:
        once = census.sweeping(course)
        while True:
            await asyncio.sleep(SWEEP_S)
            await asyncio.to_thread(once)

    async def _weigh(self, course: Course) -> None:
        while True:
            await asyncio.sleep(WEIGH_S)
            processes = [task.process_id for task in course.relays if task.process_id]
            course.scales.weigh(processes, self.tally.runs)


def _evidence(course: Course, session: str, plan: Plan, seen: Seen, verdict: Verdict) -> str:
    """What the run was, what its client saw, and what was logged about it."""
    lines = [f"{line.source}: {line.text}" for line in course.stack.logs.lines if session in line.text]
    ledger = [str(line) for line in course.model.ledger.lines if f"ask{plan.number}x" in str(line)]
    parts = [*verdict.findings, session, str(plan), *map(str, seen.told), str(seen.asked), *lines, *ledger]
    return "\n".join(parts) + "\n"


async def verdict_on(course: Course, session: str, seen: Seen) -> Verdict:
    """The last one: a turn may be written late when the store was away, and then it must come."""
    deadline = time.monotonic() + LATE_S
    while True:
        found = await course.turns(session) if session else []
        kept = [Kept(turn.number, turn.user_text, turn.agent_text) for turn in found]
        verdict = judge(seen, kept, course.answers())
        if not verdict.lost or time.monotonic() > deadline:
            return verdict
        await asyncio.sleep(0.5)


async def _strike(course: Course, planned: PlannedStrike, over: asyncio.Event, number: int) -> None:
    """The fault lies there from its time on, and for its time after it has first acted."""
    if await _within(over, planned.at_s):
        return
    link, chance = course.links[planned.link], random.Random(number)
    with link.laid(planned.fault, ways=planned.ways, most=planned.most, chance=chance) as strike:
        await _either(strike.has_fired, over)
        await _within(over, planned.lasts_s)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Whether `event` comes before so many seconds have gone by."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    tasks = {asyncio.create_task(event.wait()) for event in (one, other)}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
