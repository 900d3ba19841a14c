"""An empty fleet and a crowd: as many relays as are needed, a place for everybody, and zero again."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from functions.core.fleet.ecs_launcher import EcsLauncher
from functions.core.fleet.ecs_tasks import EcsTasks
from functions.core.fleet.reap_relays import SETTLE_S
from functions.core.fleet.sweep import sweep
from functions.core.runtime.config import SweepConfig
from functions.core.runtime.ports import SweepPorts
from functions.core.sessions.replies import Replies
from infra.local.stack import LocalStack
from infra.local.tasks import RelayTask
from records.table import Table
from tests.scale.crowd import Visitor, all_at_once, arrive, deployment, look, until

CROWD = int(os.environ.get("SCALE_SESSIONS", "200"))
CAPACITY = 40  #: of one relay: the template's default
PATIENCE_S = 180.0

pytestmark = [pytest.mark.scale, pytest.mark.timeout(400)]


def sweeping(stack: LocalStack, later_s: float = 0.0, revision: str = "") -> Callable[[], dict[str, int]]:
    """The `sweep` function's core on this stack, by a clock that is ahead."""
    environment = stack.template.functions["vivavoce-local-session"].environment
    config = SweepConfig.from_env(environment)
    if revision:
        config = replace(config, relay=replace(config.relay, revision=revision))
    table, ecs = Table(stack.client("dynamodb"), stack.table), stack.client("ecs")
    ports = SweepPorts(
        table=table,
        replies=Replies(stack.client("apigatewaymanagementapi"), table, time.sleep),
        launcher=EcsLauncher(ecs, config.relay),
        clock=lambda: time.time() + later_s,
        tasks=EcsTasks(ecs, config.relay.cluster),
        config=config,
    )
    return lambda: sweep(ports)


async def first_task(stack: LocalStack) -> RelayTask:
    """The first task, as soon as its process runs: long before the relay in it is ready."""
    async with asyncio.timeout(30):
        while not stack.tasks.all or not stack.tasks.all[0].is_running.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return stack.tasks.all[0]


async def over(task: RelayTask) -> int | None:
    """The exit status of a task that ends."""
    async with asyncio.timeout(30):
        await task.is_over.wait()
    return task.exit_status


async def test_a_crowd_on_an_empty_fleet_gets_what_it_needs_and_leaves_nothing() -> None:
    needed = -(-CROWD // CAPACITY)
    async with deployment(IdleSeconds="2", RelayCapacity=str(CAPACITY)) as stack:
        crowd = await arrive(stack, CROWD)
        began_at = time.monotonic()
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(until(stack, lambda fleet: False, PATIENCE_S))
            await all_at_once(crowd, Visitor.start)
            watching.cancel()
        took_s = time.monotonic() - began_at
        assert {visitor.last["type"] for visitor in crowd} == {"ready"}
        fleet = await look(stack)
        assert fleet.places == sorted(visitor.last["session"] for visitor in crowd)
        assert len(fleet.relays) == len(stack.tasks.all) == needed
        assert len({visitor.last["media"]["ticket"] for visitor in crowd}) == CROWD
        waits = sorted(visitor.took_s for visitor in crowd)
        print(
            f"\n{CROWD} sessions at once, {needed} relays of {CAPACITY}: all ready after {took_s:.1f} s,"
            f" median {statistics.median(waits):.1f} s; asked again {sum(v.asked - 1 for v in crowd)} times"
        )
        await all_at_once(crowd, Visitor.end)
        fleet = await look(stack)
        assert (fleet.places, fleet.listed) == ([], {})
        await until(stack, lambda fleet: not fleet.relays)
        assert [await over(task) for task in stack.tasks.all] == [0] * needed
        assert await asyncio.to_thread(sweeping(stack)) == {}
        await all_at_once(crowd, Visitor.leave)


async def test_a_relay_killed_while_it_starts_strands_nobody() -> None:
    async with deployment(IdleSeconds="2", RelayCapacity="5") as stack:
        crowd = await arrive(stack, 4)
        async with asyncio.TaskGroup() as tasks:
            for visitor in crowd:
                tasks.create_task(visitor.start())
            doomed = await first_task(stack)
            assert doomed.process_id
            os.kill(doomed.process_id, signal.SIGKILL)
            assert await over(doomed) == -signal.SIGKILL
            fleet = await until(stack, lambda fleet: len(fleet.places) == len(crowd))
            assert [relay.state for relay in fleet.relays] == ["STARTING"]
            assert await asyncio.to_thread(sweeping(stack, later_s=SETTLE_S)) == {"relays_lost": 1}
        assert {(visitor.last["type"], visitor.last["code"]) for visitor in crowd} == {("error", "capacity")}
        fleet = await look(stack)
        assert (fleet.relays, fleet.listed) == ([], {})
        await all_at_once(crowd, Visitor.start)
        assert {visitor.last["type"] for visitor in crowd} == {"ready"}
        assert len(stack.tasks.all) == 2
        await all_at_once(crowd, Visitor.end)
        await until(stack, lambda fleet: not fleet.relays)
        await all_at_once(crowd, Visitor.leave)


async def test_a_relay_of_an_old_revision_makes_room_and_goes() -> None:
    async with deployment(IdleSeconds="300", RelayCapacity="5") as stack:
        crowd = await arrive(stack, 2)
        await all_at_once(crowd, Visitor.start)
        later = sweeping(stack, revision="the next one")
        assert await asyncio.to_thread(later) == {"relays_started": 1}
        await until(stack, lambda fleet: [relay.state for relay in fleet.relays] == ["READY"] * 2)
        assert await asyncio.to_thread(later) == {"relays_drained": 1}
        old, new = stack.tasks.all
        assert await over(old) == 0
        assert new.status == "RUNNING"
        fleet = await until(stack, lambda fleet: len(fleet.relays) == 1)
        assert fleet.relays[0].revision == "the next one"
        await all_at_once(crowd, Visitor.leave)
