"""What is left when everybody has gone: nothing may be."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from functions.core.fleet.ecs_launcher import EcsLauncher
from functions.core.fleet.ecs_tasks import EcsTasks
from functions.core.fleet.sweep import sweep
from functions.core.runtime.config import SweepConfig
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import SweepPorts
from functions.core.sessions.replies import Replies
from infra.faults.course import Course
from infra.local.stack import NAME
from records import open_sessions, relays
from records.table import StoreError

CLIENT_TASKS = ("conversation", "speaker", "media writer", "visitor listens")
WIRES = ("client-gateway", "client-relay", "relay-gemini")  #: links whose connections belong to sessions
POOLED = 48  #: sockets that a relay may keep for the store and for invocations, after its first call


@dataclass(frozen=True, slots=True)
class Census:
    """The leftovers. All zero and empty: nothing leaks."""

    tasks: int  #: of clients, in this process
    sockets: int  #: of sessions, on any link
    leases: int  #: places on relays and among the users' open sessions
    handles: int  #: file descriptors of relays beyond what an idle one keeps
    places: tuple[str, ...] = ()  #: where those are

    @property
    def leaks(self) -> list[str]:
        names = ("tasks", "sockets", "leases", "handles")
        return [f"{getattr(self, name)} {name}" for name in names if getattr(self, name)]


def sweeping(course: Course) -> Callable[[], dict[str, int]]:
    """The deployment's `sweep`, run here: the local stack has no schedule."""
    environment = course.stack.template.functions[f"{NAME}-session"].environment
    config = SweepConfig.from_env(environment)
    ecs = course.stack.client("ecs")
    ports = SweepPorts(
        table=course.table,
        replies=Replies(course.stack.client("apigatewaymanagementapi"), course.table, time.sleep),
        launcher=EcsLauncher(ecs, config.relay),
        clock=time.time,
        tasks=EcsTasks(ecs, config.relay.cluster),
        config=config,
    )

    def once() -> dict[str, int]:
        with suppress(StoreError):
            return sweep(ports)
        return {}

    return once


@contextmanager
def hushed() -> Iterator[None]:
    """The handlers' code that runs here says nothing: it would print to stdout, which is ours."""
    level = logging.getLevelName(logger.log_level)
    logger.setLevel("CRITICAL")
    try:
        yield
    finally:
        logger.setLevel(level)


async def settle(course: Course, within_s: float) -> Census:
    """What is left, once nothing is or the time is over. Sweeps meanwhile, as the deployment does."""
    clear = sweeping(course)
    deadline = time.monotonic() + within_s
    while True:
        await asyncio.to_thread(clear)
        census = await take(course)
        if not census.leaks or time.monotonic() > deadline:
            return census
        await asyncio.sleep(5)


async def take(course: Course) -> Census:
    tasks = sum(task.get_name() in CLIENT_TASKS for task in asyncio.all_tasks())
    sockets = [f"{name} {number}" for name in WIRES for number in course.links[name].connections]
    leases = await asyncio.to_thread(_leases, course)
    handles = sum(max(0, handles_of(task.process_id) - POOLED) for task in course.relays)
    return Census(tasks, len(sockets), len(leases), handles, (*sockets, *leases))


def _leases(course: Course) -> list[str]:
    known = relays.load_all(course.table, relays.pool(course.table).slots.values())
    held = [f"{relay.state} relay {relay.id} leases {session}" for relay in known for session in relay.leases]
    listed = open_sessions.listed(course.table).items()
    return held + [f"{user} has {session} open" for user, sessions in listed for session in sessions]


def handles_of(process: int | None) -> int:
    """Open file descriptors of a process; 0 when it is gone."""
    with suppress(OSError):
        return len(os.listdir(f"/proc/{process}/fd"))
    return 0
