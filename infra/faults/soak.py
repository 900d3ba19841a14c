"""Random faults against the real local stack, run after run, several at a time."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.faults import leak_check
from infra.faults.faulted_stack import FaultedStack, FaultedStackOptions, Homes
from infra.faults.judge import PROTOCOL_ERRORS, ClientRecord, StoredTurn, Verdict, judge
from infra.faults.memory_probe import MemoryProbe, growth
from infra.faults.plan import Incident, Plan, PlannedFault, plans
from infra.faults.tally import Tally
from infra.faults.virtual_user import VirtualUser
from infra.local.microvm.network import Cut
from vivavoce.playback import VirtualSpeaker

SWEEP_S = 20.0  #: between sweeps; the deployment's come every minute
STARTS = 3  #: tries of a user to get in
LATE_S = 20.0  #: for a turn to be written after its session
SETTLE_S = 300.0  #: a place on a relay that starts is held for 180 s, and then a client is waited for
SAMPLE_S = 10.0  #: between memory samples of the relays
OUR_FAULT = ("internal", *PROTOCOL_ERRORS)  #: a typed reason, and yet one to look into
KILLS = ("relay killed", "model restarted", "vm lost")
OLD_S = 60.0  #: that a MicroVM still has which grows old: three sweeps, of which the first drains it
CLOCK_S = 3.0  #: how long a clock is off
PARAMETERS = {"RelayCapacity": "6", "ResumeSeconds": "45", "StartsPerMinute": "1000"}


@dataclass(frozen=True, slots=True)
class Terms:
    """Limits and options of a soak. `runs` 0: until `minutes` are over."""

    minutes: float
    sessions: int
    seed: int
    runs: int = 0
    kills: bool = True  #: else no process dies, and a relay lives long enough for its memory to be judged
    evidence: Path | None = None  #: folder for reports of runs with findings
    model: str = ""  #: that all talk to; empty: as the agents say
    homes: Homes = "fargate"  #: of the relays
    suspension: Cut = "resets"  #: what is seen of a MicroVM's that is suspended under a call


@dataclass
class Soak:
    """One soak, done by `run`."""

    terms: Terms
    say: Callable[[Tally], None]
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self.tally = Tally(self.terms.seed)

    async def run(self) -> Tally:
        with leak_check.silent_logs():
            return await self._run_all()

    async def _run_all(self) -> Tally:
        began_at = time.monotonic()
        deadline = began_at + self.terms.minutes * 60
        terms = self.terms
        options = FaultedStackOptions(
            parameters={**PARAMETERS, "GeminiModel": terms.model},
            homes=terms.homes,
            suspension=terms.suspension,
        )
        async with FaultedStack(options) as faulted:
            async with asyncio.TaskGroup() as tasks:
                watches = (self._report(faulted), self._sweep(faulted), self._sample_memory(faulted))
                watching = [tasks.create_task(watch) for watch in watches]
                await self._work(faulted, deadline)
                for task in watching:
                    task.cancel()
            self.tally.lasted_s = time.monotonic() - began_at
            self.tally.firings = faulted.firings
            left = await leak_check.wait_until_clean(faulted, SETTLE_S)
            self.tally.leaks = left.leaks
            if woken := sum(vm.waking.wakes for vm in faulted.stack.microvms.all.values()):
                self.tally.incidents["vm woken"] = woken
            if left.leaks and self.terms.evidence:
                lines = [f"{line.source}: {line.text}" for line in faulted.stack.logs.lines]
                (self.terms.evidence / "left.txt").write_text("\n".join([*left.places, *lines]))
        self._judge_memory(faulted.memory_probe)
        return self.tally

    async def _work(self, faulted: FaultedStack, deadline: float) -> None:
        waiting = self._until_over(deadline)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.terms.sessions):
                tasks.create_task(self._visit(faulted, waiting))

    def _until_over(self, deadline: float) -> Iterator[Plan]:
        for plan in plans(self.terms.seed, has_vms=self.terms.homes != "fargate"):
            if time.monotonic() > deadline or 0 < self.terms.runs < plan.number:
                return
            yield plan

    async def _visit(self, faulted: FaultedStack, waiting: Iterator[Plan]) -> None:
        for plan in waiting:
            await self.run_one(faulted, plan)

    async def run_one(self, faulted: FaultedStack, plan: Plan) -> None:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for fault in plan.faults:
                tasks.create_task(_inject(faulted, fault, over, plan.number))
            for incident in plan.incidents:
                if incident.kind in KILLS and not self.terms.kills:
                    continue
                tasks.create_task(self._start_incident(faulted, incident, over))
            user, seen = await self._talk(faulted, plan, over)
            over.set()
        session = user.call.session
        verdict = await verdict_on(faulted, session, seen)
        self.tally.add(plan.number, seen.outcome, user.call.reconnects, verdict)
        if (verdict.findings or seen.outcome in OUR_FAULT) and self.terms.evidence:
            path = self.terms.evidence / f"run-{plan.number}.txt"
            path.write_text(_evidence(faulted, session, plan, seen, verdict))

    async def _talk(
        self, faulted: FaultedStack, plan: Plan, over: asyncio.Event
    ) -> tuple[VirtualUser, ClientRecord]:
        """A user who cannot get in at first tries again, as users do."""
        for left in reversed(range(STARTS)):
            user = VirtualUser(faulted.conversation(VirtualSpeaker() if plan.has_speaker else None))
            seen = await user.talk(plan.prompts, plan.number, over)
            if seen.outcome not in ("connect_failed", "connection_lost") or seen.events or not left:
                break
            self.tally.restarted += 1
            await asyncio.sleep(1)
        return user, seen

    def _judge_memory(self, probe: MemoryProbe) -> None:
        """Add the memory growth of relays with enough samples."""
        for samples in probe.samples.values():
            if grown := growth(samples):
                eighths = [samples[at * (len(samples) - 1) // 8] for at in range(9)]
                self.tally.growths.append(grown)
                self.tally.resident.append([sample.resident_kb for sample in eighths])

    async def _start_incident(self, faulted: FaultedStack, incident: Incident, over: asyncio.Event) -> None:
        if await _within(over, incident.at_s):
            return
        self.tally.incidents[incident.kind] += 1
        match incident.kind:
            case "relay killed":
                faulted.kill_relay(incident.number)
            case "model restarted":
                await faulted.restart_model()
            case "relay clock" | "function clock":
                is_relay = incident.kind == "relay clock"
                clock = faulted.relay_clock if is_relay else faulted.function_clock
                with clock.ahead(incident.seconds):
                    await _within(over, CLOCK_S)
            case "model":
                assert incident.fault is not None
                open_ones = sorted(faulted.model.connections)
                if open_ones:
                    faulted.model.inject(incident.fault, open_ones[incident.number % len(open_ones)])
            case "vm suspended":
                await faulted.suspend_vm(incident.number, incident.seconds)
            case "vm lost":
                faulted.lose_vm(incident.number)
            case "vm grown old":
                faulted.age_vm(incident.number, OLD_S)

    async def _report(self, faulted: FaultedStack) -> None:
        while True:
            await asyncio.sleep(10)
            self.tally.firings = faulted.firings
            self.say(self.tally)

    async def _sweep(self, faulted: FaultedStack) -> None:
        once = leak_check.sweeper(faulted)
        while True:
            await asyncio.sleep(SWEEP_S)
            await asyncio.to_thread(once)

    async def _sample_memory(self, faulted: FaultedStack) -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            processes = [task.process_id for task in faulted.relays if task.process_id]
            faulted.memory_probe.sample(processes, self.tally.runs)


def _evidence(faulted: FaultedStack, session: str, plan: Plan, seen: ClientRecord, verdict: Verdict) -> str:
    """Report of a run: its plan, the events of its client, and its log lines."""
    lines = [f"{line.source}: {line.text}" for line in faulted.stack.logs.lines if session in line.text]
    ledger = map(str, _model_lines(faulted.model.ledger.lines, f"ask{plan.number}x"))
    facts = [*map(str, seen.events), str(seen.asked), *map(str, verdict.kept)]
    return "\n".join([*verdict.findings, session, str(plan), *facts, *lines, *ledger]) + "\n"


def _model_lines(ledger: Sequence[dict[str, Any]], marker: str) -> list[dict[str, Any]]:
    """All that the model noted of the connections on which `marker` was said."""
    theirs = {line.get("connection") for line in ledger if marker in str(line)}
    return [line for line in ledger if line.get("connection") in theirs - {None}]


async def verdict_on(faulted: FaultedStack, session: str, seen: ClientRecord) -> Verdict:
    """Judge until nothing is lost, for at most LATE_S: a turn may be written late after a store outage."""
    deadline = time.monotonic() + LATE_S
    while True:
        found = await faulted.turns(session) if session else []
        kept = [StoredTurn(turn.number, turn.user_text, turn.agent_text, turn.outcome) for turn in found]
        verdict = judge(seen, kept, faulted.answers())
        if not (verdict.lost or verdict.unasked) or time.monotonic() > deadline:
            return verdict
        await asyncio.sleep(0.5)


async def _inject(faulted: FaultedStack, planned: PlannedFault, over: asyncio.Event, number: int) -> None:
    """Inject a planned fault at its time, and lift it `lasts_s` after it has first acted."""
    if await _within(over, planned.at_s):
        return
    link, chance = faulted.links[planned.link], random.Random(number)
    with link.injected(planned.fault, ways=planned.ways, most=planned.most, chance=chance) as active:
        await _either(active.has_fired, over)
        await _within(over, planned.lasts_s)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event` for at most `seconds`. Returns whether it is set."""
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
