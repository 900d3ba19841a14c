"""Calls between a relay's homes, under speech: from a MicroVM to a task, and through a suspension and a wake.

Every 20 ms of each microphone has a number that nobody hears; the model's ledger says which it has heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from infra.local.endpoint import AwsError
from infra.local.microvm.home import Account as MicrovmAccount
from infra.local.microvm.machine import Machine
from infra.local.microvm.network import Cut
from infra.local.stack import NAME, LocalStack
from records import relays, sessions
from records.table import Table
from simulator import Running
from tests.survival.accounts import Account, account
from tests.survival.crew import APART, QUESTION, Mate, crew, deployment, each, kept, percentiles
from tests.survival.questions import ANSWERED_S, Asked, answered, judge, last_turn, story

MOVES = int(os.environ.get("MOVES", "200"))
WAKES = int(os.environ.get("WAKES", "60"))  #: of a conversation, for each way to see a suspension
WITHIN_S = float(os.environ.get("MOVES_WITHIN_S", "inf"))  #: no round begins later: for a run in pieces
SEED = int(os.environ.get("MOVES_SEED", "0")) or random.randrange(1, 2**31)
CALLS = 10
ASKED_WITHIN_S = 9.0  #: from the first question of a round to the suspension that meets it
MOVED_S = 60.0  #: for a task to be started, and all to have moved there
DRAIN_S = 20.0  #: of a relay here: who speaks without a pause is made to go after four fifths of it
SPEECH = QUESTION[8_000:40_000] * 22  #: without a pause that ends a turn, and longer than that
ASLEEP_S = (0.2, 12.0)  #: from a suspension to the wake
VMS = {"MicrovmCode": "s3://bucket/relay.zip", "StartsPerMinute": "1000"}

pytestmark = pytest.mark.timeout(3_000)


@dataclass
class Tally:
    """What was found, in all rounds."""

    verdicts: Counter[str] = field(default_factory=Counter)
    gaps_s: list[float] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    moves: int = 0

    def add(self, verdict: str, told: str) -> None:
        self.verdicts[verdict] += 1
        if verdict.isupper():
            print(f"  {verdict}: {told}", flush=True)

    def total(self, name: str) -> int:
        return sum(getattr(each, name) for each in self.accounts)

    def rows(self) -> str:
        pieces = f"{self.total('sent')} of 20 ms, in {len(self.accounts)} conversations"
        rows = [
            ("pieces of the microphone sent", pieces),
            ("heard by no model", str(self.total("unheard"))),
            ("missing in its last memory", str(self.total("forgotten"))),
            ("events that came twice", str(self.total("twice"))),
            ("gap without a connection, s", f"{percentiles(self.gaps_s or [0.0])}  (p50, p95, max)"),
            *((f"questions {verdict}", str(count)) for verdict, count in sorted(self.verdicts.items())),
        ]
        return "\n".join(f"{name:<34}{value}" for name, value in rows)

    @property
    def is_clean(self) -> bool:
        zeros = sum(self.total(name) for name in ("unheard", "forgotten", "twice"))
        return not zeros and not any(verdict.isupper() for verdict in self.verdicts)


async def over(model: Running, mates: list[Mate], tally: Tally) -> None:
    """Add what the ledger and the clients have of conversations that are over."""
    for mate in mates:
        found = await account(model, mate)
        if found.unheard or found.forgotten or found.twice:
            print(f"  {mate.name}: {found}", flush=True)
        tally.accounts.append(found)
        tally.gaps_s += mate.gaps_s
        assert mate.call.counters.missing_frames == 0, mate.name


async def hush(mates: list[Mate]) -> None:
    """Shut the microphones, and let arrive what is on its way."""
    for mate in mates:
        mate.speaks = False
    await asyncio.sleep(1.5)


# ---- from a MicroVM to a task


async def homes_of(stack: LocalStack, mates: list[Mate]) -> set[str]:
    """Where their calls are."""
    table = Table(stack.client("dynamodb"), stack.table)

    def read() -> set[str]:
        held = [sessions.load(table, mate.call.session) for mate in mates]
        found = relays.load_all(table, [session.relay for session in held if session])
        return {relay.home for relay in found}

    return await asyncio.to_thread(read)


async def sweeps(stack: LocalStack) -> None:
    """The first has a task started, the one after it is ready has the MicroVMs drain."""
    while True:
        stack.functions.invoke_later(f"{NAME}-sweep", {})
        await asyncio.sleep(2.0)


async def no_task_is_left(stack: LocalStack) -> None:
    """The next callers find none, and begin in MicroVMs."""
    table = Table(stack.client("dynamodb"), stack.table)

    def stop() -> None:
        for relay in relays.load_all(table, relays.pool(table).slots.values()):
            relays.stopping(table, relay.id)

    await asyncio.to_thread(stop)


async def asks_or_talks(mate: Mate, chance: random.Random, *, talks: bool) -> Asked:
    """Speak at a random moment: a question, or on and on."""
    await asyncio.sleep(chance.uniform(0.0, 6.0))
    asked = Asked(mate, time.monotonic(), 0.0)
    asked.ask(SPEECH if talks else QUESTION)
    return asked


async def one_round(stack: LocalStack, model: Running, number: int, tally: Tally) -> None:
    """Ten calls begin in MicroVMs, speak, and move to the task that the sweep starts for them."""
    chance = random.Random(f"{SEED} {number}")
    names = [f"{'talks' if index % 2 else 'asks'} {number}.{index}" for index in range(CALLS)]
    async with crew(stack, names, first=number * CALLS * APART) as mates:
        assert await homes_of(stack, mates) == {"microvm"}
        async with asyncio.TaskGroup() as speaking:
            spoken = [
                speaking.create_task(asks_or_talks(mate, chance, talks=mate.name.startswith("talks")))
                for mate in mates
            ]
            sweeping = speaking.create_task(sweeps(stack))
            await each(mates, lambda mate: mate.until(lambda: mate.epoch == 2, MOVED_S))
            sweeping.cancel()
        asked = [task.result() for task in spoken]
        assert await homes_of(stack, mates) == {"fargate"}
        await each(mates, lambda mate: mate.until(lambda: not mate.has_words, ANSWERED_S))
        async with asyncio.TaskGroup() as waiting:
            for question in asked:
                waiting.create_task(answered(question))
        await hush(mates)
        for question in asked:
            judged = judge_talk if question.mate.name.startswith("talks") else judge
            tally.add(await judged(stack, question), f"{question.mate.name}{story(question)}")
        await no_task_is_left(stack)
    tally.moves += len(mates)
    await over(model, mates, tally)


async def judge_talk(stack: LocalStack, asked: Asked) -> str:
    """Of somebody who spoke on and on: one answer, and the record has it."""
    record = [turn for turn in await kept(stack, asked.mate) if turn.number > asked.turns_before]
    given = [turn for turn in record if turn.agent_text and turn.outcome != "lost"]
    numbers = len(given), len(asked.answers)
    return "answered" if numbers == (1, 1) else "LOST" if 0 in numbers else "TWICE"


@pytest.mark.moves
async def test_calls_move_from_microvms_to_a_task_under_speech_and_no_frame_is_missing() -> None:
    tally, ends_at = Tally(), time.monotonic() + WITHIN_S
    print(f"\nseed {SEED}: {MOVES} moves, {CALLS} at a time")
    options = {
        "parameters": {**VMS, "RelayHomes": "both"},
        "function_environment": {"MICROVM_CAPACITY": str(CALLS // 2)},
        "relay_environment": {"RELAY_CAPACITY": str(CALLS), "DRAIN_SECONDS": str(DRAIN_S)},
        "schedule_speed": 1e-6,  # it is swept when all are here
    }
    async with deployment(CALLS, **options) as (stack, model):
        for number in range(MOVES // CALLS):
            if time.monotonic() > ends_at:
                break
            await one_round(stack, model, number, tally)
            print(f"{tally.moves} moves: {dict(tally.verdicts)}", flush=True)
    print(f"{tally.moves} moves of a call\n{tally.rows()}")
    assert tally.is_clean and len(tally.gaps_s) >= tally.moves


# ---- through a suspension and a wake


@dataclass
class Met:
    """One mate in one round of suspensions."""

    asked: Asked | None  #: by voice; else a tool was asked for in writing
    mate: Mate
    runs_before: int
    ended_before: int
    first_event: int
    turns_before: int


async def meets(mate: Mate, chance: random.Random, at: float) -> Met:
    """Ask within the time before the suspension: by voice, or for a tool in writing."""
    await asyncio.sleep(chance.uniform(0, ASKED_WITHIN_S))
    met = Met(None, mate, mate.tool_runs, len(mate.ended), len(mate.events), last_turn(mate))
    if chance.random() < 0.7:
        met.asked = Asked(mate, time.monotonic(), at)
        met.asked.ask(QUESTION)
    else:
        await mate.call.send_text("call lookup {}")
    return met


async def suspend(stack: LocalStack, machine: Machine, for_s: float) -> None:
    """Whatever calls it has."""
    machines = stack.microvms.machines
    with contextlib.suppress(AwsError):
        machines.suspend(machine)
        await asyncio.sleep(for_s)
        async with machine.turn:
            pass
        machines.wake(machine)


async def wake_round(stack: LocalStack, mates: list[Mate], chance: random.Random, tally: Tally) -> None:
    """All ask, their MicroVMs are suspended and woken, all are answered."""
    meets_at, for_s = time.monotonic() + ASKED_WITHIN_S, chance.uniform(*ASLEEP_S)
    async with asyncio.TaskGroup() as asking:
        met = [asking.create_task(meets(mate, chance, meets_at)) for mate in mates]
        await asyncio.sleep(meets_at - time.monotonic())
        running = [vm for vm in stack.microvms.all.values() if vm.state == "RUNNING"]
        for vm in running:
            asking.create_task(suspend(stack, vm, for_s))
    async with asyncio.TaskGroup() as waiting:
        for task in met:
            waiting.create_task(done(task.result()))
    await asyncio.sleep(2.0)  # for a second answer, that nobody wants
    for task in met:
        one = task.result()
        verdict = await (judge(stack, one.asked) if one.asked else judge_tool(stack, one))
        tally.add(
            verdict, f"{one.mate.name}, {for_s:.1f} s asleep{story(one.asked) if one.asked else ', tool'}"
        )
    tally.moves += len(mates)


async def done(met: Met) -> None:
    with contextlib.suppress(TimeoutError):
        if met.asked:
            await answered(met.asked)
        else:
            await met.mate.until(lambda: len(met.mate.ended) > met.ended_before, ANSWERED_S)


async def judge_tool(stack: LocalStack, met: Met) -> str:
    """It ran once, and what was asked is in one turn."""
    runs = met.mate.tool_runs - met.runs_before
    if runs != 1:
        return f"TOOL RAN {runs} TIMES"
    record = [turn for turn in await kept(stack, met.mate) if turn.number > met.turns_before]
    asked = [turn for turn in record if turn.user_text]
    return "ran its tool" if len(asked) == 1 else "TOOL ASKED FOR TWICE" if asked else "TOOL IN NO TURN"


@pytest.mark.wakes
@pytest.mark.parametrize("cut", ["resets", "hangs", "holds"])
async def test_a_microvm_is_suspended_and_woken_under_speech_and_no_frame_is_missing(cut: Cut) -> None:
    tally, ends_at, chance = Tally(), time.monotonic() + WITHIN_S, random.Random(f"{SEED} {cut}")
    print(f"\nseed {SEED}: {WAKES} suspensions of a call, {CALLS} at a time; a suspension {cut}")
    options = {
        "parameters": {**VMS, "RelayHomes": "microvm"},
        "function_environment": {"MICROVM_CAPACITY": str(CALLS)},
        "relay_environment": {"RELAY_CAPACITY": str(CALLS)},
        "microvms": MicrovmAccount(cut=cut),
    }
    async with deployment(CALLS, **options) as (stack, model):
        names = [f"mate {index}" for index in range(CALLS)]
        async with crew(stack, names, first=0) as mates:
            await each(mates, lambda mate: mate.ask("hello"))
            for _ in range(WAKES // CALLS):
                if time.monotonic() > ends_at:
                    break
                await wake_round(stack, mates, chance, tally)
                print(f"{tally.moves} suspensions: {dict(tally.verdicts)}", flush=True)
            await hush(mates)
        await over(model, mates, tally)
    print(f"{tally.moves} suspensions of a call\n{tally.rows()}")
    assert tally.is_clean
