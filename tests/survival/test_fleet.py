"""A relay goes, asked to or killed, with fifty conversations on it: they all go on, on another one."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from infra.local.stack import LocalStack
from protocol import media
from records import turns
from records.table import Fenced, Table
from simulator import Running, faults
from tests.survival.crew import (
    LONG,
    QUESTION,
    Mate,
    check_record,
    crew,
    deployment,
    each,
    kept,
    over,
    percentiles,
)

CALLS = int(os.environ.get("SURVIVAL_CALLS", "50"))
DRAIN_S = 100.0  #: of a relay: its default
STATES = (
    "listening", "user speaking", "agent speaking", "tool running", "answer awaited", "in rotation",
    "text only", "never spoke",
)  # fmt: skip
NAMES = [f"{STATES[number % len(STATES)]} {number}" for number in range(CALLS)]

pytestmark = [pytest.mark.scale, pytest.mark.timeout(400)]


def state(mate: Mate) -> str:
    return mate.name.rpartition(" ")[0]


async def enter(mate: Mate) -> None:
    """Have a first turn, then be in the state of its name."""
    if state(mate) != "never spoke":
        await mate.ask("hello")
    match state(mate):
        case "agent speaking":
            await mate.call.send_text(LONG)
            await mate.until(lambda: mate.heard_ms.get(2, 0.0) > 0)
        case "tool running":
            await mate.call.send_text("call lookup {}")
            await mate.until(lambda: mate.tool_runs > 0)


async def begin_to_speak(mates: list[Mate], model: Running) -> None:
    """What lasts for less than all need to come into their states."""
    for mate in mates:
        if state(mate) == "user speaking":
            mate.say(QUESTION)
        if state(mate) == "answer awaited":
            await mate.call.send_text("and now?")
    some = len([mate for mate in mates if state(mate) == "in rotation"])
    for connection in list(model.connections)[-some:] if some else []:
        model.inject(faults.GoAway(time_left_s=2.0), connection)
    await asyncio.sleep(0.5)


async def test_a_relay_that_is_told_to_go_hands_fifty_calls_in_every_state_on() -> None:
    async with deployment(CALLS) as (stack, model):
        silent = [name for name in NAMES if name.startswith("text only")]
        async with crew(stack, NAMES, silent) as mates:
            await each(mates, enter)
            (first,) = stack.tasks.all
            await begin_to_speak(mates, model)
            began_at = time.monotonic()
            assert first.process_id
            os.kill(first.process_id, signal.SIGTERM)
            await each(mates, lambda mate: mate.until(lambda: mate.epoch == 2, DRAIN_S))
            status = await over(first, DRAIN_S)
            took_s = time.monotonic() - began_at
            moved = {mate.name: mate.lives[-1][1] - began_at for mate in mates}
            ended = {mate.name: list(mate.ended) for mate in mates}
            await each(mates, lambda mate: mate.ask("are you there?"))
            for mate in mates:
                await check_record(stack, mate)
        assert status == 0 and took_s < DRAIN_S
        assert len(stack.tasks.all) == 2, "one replacement, for all"
        print(
            f"\n{CALLS} calls handed on by a relay that was told to go, after {took_s:.1f} s: exit {status}"
        )
        print(f"{'state':16}{'calls':>6}   moved after, s: p50    p95    max   cut")
        for each_state in STATES:
            group = [mate for mate in mates if state(mate) == each_state]
            cut = sum(len(mate.cut) for mate in group)
            waits = percentiles([moved[mate.name] for mate in group])
            print(f"{each_state:16}{len(group):6}                {waits} {cut:5}")
        assert not [mate.name for mate in mates if mate.cut]
        for mate in mates:
            assert mate.events and not [e for e in mate.events if isinstance(e, media.Error)], mate.name
            for turn, length in mate.length_ms.items():
                assert round(mate.heard_ms.get(turn, 0.0)) == length, (mate.name, turn)
            if state(mate) in ("agent speaking", "tool running", "answer awaited", "user speaking"):
                assert len(ended[mate.name]) >= 2, f"{mate.name}: its turn ended before it moved"


async def test_a_relay_killed_in_mid_answer_is_replaced_by_one_that_is_ready() -> None:
    async with deployment(CALLS) as (stack, _), crew(stack, NAMES, hears=False) as mates:
        async with crew(stack, ["one more"]) as (other,):  # of a second relay, which keeps running
            await other.ask()
        first, second = stack.tasks.all
        await each(mates, lambda mate: mate.ask())
        await each(mates, lambda mate: mate.call.send_text(LONG))
        await each(mates, lambda mate: mate.until(lambda: mate.heard_ms.get(2, 0.0) > 0))
        assert first.process_id
        os.kill(first.process_id, signal.SIGKILL)
        killed_at, before = time.monotonic(), len(stack.invocations)
        live, heard = {}, {}

        async def go_on(mate: Mate) -> None:
            await mate.until(lambda: mate.epoch == 2, 30)
            live[mate.name] = mate.lives[-1][1] - killed_at
            await mate.call.send_text("are you there?")
            await mate.until(lambda: mate.heard_ms.get(3, 0.0) > 0, 30)
            heard[mate.name] = mate.audio_at - killed_at
            await mate.until(lambda: 3 in mate.ended)

        await each(mates, go_on)
        for mate in mates:
            await check_record(stack, mate)
            assert [turn.number for turn in await kept(stack, mate)] == [1, 3], "turn 2 was never finished"
            assert [lost for e in mate.events if isinstance(e, media.Live) for lost in e.lost_turns] == [2]
            await refuse_late_write(stack, mate)
        print(f"\n{CALLS} calls on a relay that was killed in mid-answer, s    p50    p95    max")
        print(f"live again on the other relay                    {percentiles(list(live.values()))}")
        invoked = list(stack.invocations)[before:]
        functions = percentiles([entry.duration_ms / 1000 for entry in invoked])
        print(f"one of {len(invoked):3} functions that ran for it          {functions}")
        print(f"first sound of the next answer                   {percentiles(list(heard.values()))}")
        assert max(live.values()) < 15
        assert second.status == "RUNNING" and len(stack.tasks.all) == 2


async def refuse_late_write(stack: LocalStack, mate: Mate) -> None:
    """What the dead relay had under way when it died."""
    table = Table(stack.client("dynamodb"), stack.table)
    late = turns.Turn(2, user_text="late", ended_at=1)
    with pytest.raises(Fenced):
        await asyncio.to_thread(turns.put, table, mate.call.session, 1, late)
