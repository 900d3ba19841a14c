"""Leak check: tasks, sockets, leases and file descriptors left after all sessions have ended."""

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
from functions.core.fleet.homes import HomeLauncher
from functions.core.fleet.microvms import MicrovmLauncher, MicrovmList
from functions.core.fleet.sweep import sweep
from functions.core.runtime.config import SweepConfig
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import Launcher, SweepPorts
from functions.core.sessions.replies import Replies
from infra.faults.faulted_stack import FaultedStack
from infra.local.stack import NAME
from records import open_sessions, relays
from records.start_times import Home
from records.table import StoreError

CLIENT_TASKS = ("conversation", "speaker", "media writer", "user listens")
WIRES = ("client-gateway", "client-relay", "relay-gemini")  #: links whose connections belong to sessions
POOLED = 48  #: sockets that a relay may keep for the store and for invocations, after its first call


@dataclass(frozen=True, slots=True)
class Leaks:
    """Resources left. All zero and empty: nothing leaks."""

    tasks: int  #: of clients, in this process
    sockets: int  #: of sessions, on any link
    leases: int  #: places on relays and among the users' open sessions
    handles: int  #: file descriptors of relays beyond what an idle one keeps
    places: tuple[str, ...] = ()  #: descriptions of the sockets, leases and machines
    machines: int = 0  #: MicroVMs that are no relay's

    @property
    def leaks(self) -> list[str]:
        names = ("tasks", "sockets", "leases", "handles", "machines")
        return [f"{getattr(self, name)} {name}" for name in names if getattr(self, name)]


def sweeper(faulted: FaultedStack) -> Callable[[], dict[str, int]]:
    """The deployment's `sweep` as a function: the local stack has no schedule that runs it."""
    environment = faulted.stack.template.functions[f"{NAME}-sweep"].environment
    config = SweepConfig.from_env(environment)
    ecs, lambda_vms = faulted.stack.client("ecs"), faulted.stack.client("lambda-microvms")
    launchers: dict[Home, Launcher] = {}
    tasks = vms = None
    if task := config.relay.task:
        launchers["fargate"] = EcsLauncher(ecs, task, config.relay.resume_s)
        tasks = EcsTasks(ecs, task.cluster)
    if microvm := config.relay.microvm:
        launchers["microvm"] = MicrovmLauncher(lambda_vms, microvm, config.relay.resume_s)
        vms = MicrovmList(lambda_vms, microvm.image, time.sleep)
    ports = SweepPorts(
        table=faulted.table,
        replies=Replies(faulted.stack.client("apigatewaymanagementapi"), faulted.table, time.sleep),
        launcher=HomeLauncher(launchers),
        clock=time.time,
        tasks=tasks,
        config=config,
        vms=vms,
    )

    def once() -> dict[str, int]:
        with suppress(StoreError):
            return sweep(ports)
        return {}

    return once


@contextmanager
def silent_logs() -> Iterator[None]:
    """Silence the logger of handler code that runs in this process: it writes to stdout."""
    level = logging.getLevelName(logger.log_level)
    logger.setLevel("CRITICAL")
    try:
        yield
    finally:
        logger.setLevel(level)


async def wait_until_clean(faulted: FaultedStack, within_s: float) -> Leaks:
    """Sweep and count until nothing is left or `within_s` is over. Returns the last count."""
    clear = sweeper(faulted)
    deadline = time.monotonic() + within_s
    while True:
        await asyncio.to_thread(clear)
        leaks = await count(faulted)
        if not leaks.leaks or time.monotonic() > deadline:
            return leaks
        await asyncio.sleep(5)


async def count(faulted: FaultedStack) -> Leaks:
    tasks = sum(task.get_name() in CLIENT_TASKS for task in asyncio.all_tasks())
    sockets = [f"{name} {number}" for name in WIRES for number in faulted.links[name].connections]
    leases = await asyncio.to_thread(_leases, faulted)
    processes = [task.process_id for task in faulted.relays]
    processes += [vm.snapshot.child.process.pid for vm in faulted.vms if vm.snapshot]
    handles = sum(max(0, handles_of(process) - POOLED) for process in processes)
    machines = await asyncio.to_thread(_strays, faulted)
    places = (*sockets, *leases, *machines)
    return Leaks(tasks, len(sockets), len(leases), handles, places, len(machines))


def _strays(faulted: FaultedStack) -> list[str]:
    """MicroVMs that cost money, and that nobody knows."""
    known = relays.load_all(faulted.table, relays.pool(faulted.table).slots.values())
    owned = {relay.vm for relay in known}
    alive = [vm for vm in faulted.stack.microvms.all.values() if vm.state != "TERMINATED"]
    return [f"{vm.state} {vm.id}" for vm in alive if vm.id not in owned]


def _leases(faulted: FaultedStack) -> list[str]:
    known = relays.load_all(faulted.table, relays.pool(faulted.table).slots.values())
    held = [f"{relay.state} relay {relay.id} leases {session}" for relay in known for session in relay.leases]
    listed = open_sessions.listed(faulted.table).items()
    return held + [f"{user} has {session} open" for user, sessions in listed for session in sessions]


def handles_of(process: int | None) -> int:
    """Open file descriptors of a process; 0 when it is gone."""
    with suppress(OSError):
        return len(os.listdir(f"/proc/{process}/fd"))
    return 0
