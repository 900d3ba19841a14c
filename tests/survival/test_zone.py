"""Two relays are lost within seconds, as when a zone is: their callers are not led from one to the other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence

import pytest

from infra.local.stack import LocalStack
from infra.local.tasks import RelayTask
from tests.survival.crew import LONG, Mate, check_record, crew, deployment, each, percentiles
from tests.survival.tap import Tap, tapped

CALLS = 20
WITHIN_S = 5.0  #: from the first loss to the second
BACK_S = 90.0  #: to be live again: a relay has to be started, and twenty clients share this machine

pytestmark = [pytest.mark.scale, pytest.mark.timeout(300)]


def kill(task: RelayTask) -> str:
    """The address of a task that is no more."""
    assert task.process_id
    os.kill(task.process_id, signal.SIGKILL)
    return task.address


async def lose_both(stack: LocalStack, mates: Sequence[Mate]) -> tuple[set[str], float, float]:
    """Kill the relay of all calls, then the other one, on which half of them are by then, or at its time.

    Returns their addresses, when the second was lost (monotonic s), and how many s after the first.
    """
    first, second = stack.tasks.all
    lost, began_at = {kill(first)}, time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WITHIN_S - 0.5):
            await each(mates[: CALLS // 2], lambda mate: mate.until(lambda: mate.epoch == 2))
    lost.add(kill(second))
    killed_at = time.monotonic()
    return lost, killed_at, killed_at - began_at


async def go_on(mate: Mate, tap: Tap, lost: set[str], killed_at: float) -> float:
    """Be live on a relay that lives, and get an answer there. Returns how long after the loss, in s."""

    def is_back() -> bool:
        return mate.lives[-1][1] > killed_at and tap.relay_of(mate.call.session) not in lost

    await mate.until(is_back, BACK_S)
    back_s = mate.lives[-1][1] - killed_at
    await mate.ask("are you there?")
    return back_s


async def test_two_relays_killed_within_five_seconds_hand_no_caller_to_each_other() -> None:
    names = [f"caller {number}" for number in range(CALLS)]
    async with deployment(CALLS) as (stack, _), tapped(stack) as tap:
        stack.edge.dead = "silent"  # as the address of a task that AWS has taken away
        async with crew(stack, names, hears=False, control=tap.url) as mates:
            async with crew(stack, ["one more"], control=tap.url) as (other,):  # a second relay, empty soon
                await other.ask()
            await each(mates, lambda mate: mate.ask())
            await each(mates, lambda mate: mate.call.send_text(LONG))
            await each(mates, lambda mate: mate.until(lambda: mate.heard_ms.get(2, 0.0) > 0))
            before = len(stack.invocations)
            lost, killed_at, apart_s = await lose_both(stack, mates)
            async with asyncio.TaskGroup() as callers:
                back = [callers.create_task(go_on(mate, tap, lost, killed_at)) for mate in mates]
            for mate in mates:
                await check_record(stack, mate)
                assert mate.ended[0] == 1 and len(mate.ended) >= 2, mate.name
        offers = [relay in lost for mate in mates for relay in tap.offers[mate.call.session]]
        print(f"\n{CALLS} calls, two relays killed within {apart_s:.1f} s        p50    p95    max")
        print(
            f"live again, s after the second                {percentiles([task.result() for task in back])}"
        )
        durations = [entry.duration_ms / 1000 for entry in list(stack.invocations)[before:]]
        print(f"one of {len(durations):3} functions that ran for it       {percentiles(durations)}")
        print(f"reported {sum(map(len, tap.reports.values()))} times, led to those two {sum(offers)} times")
        assert apart_s < WITHIN_S and tap.reports
        assert tap.misled == []
        assert len(stack.tasks.all) == 3, "one in place of both"
