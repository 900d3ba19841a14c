"""Reaps relays that died silently, and stops orphan tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from functions.core.fleet import give_up_relay, start_causes, start_relay
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import LaunchFailed, SweepPorts, TasksUnknown
from records import relays
from records.lost_relays import is_lost
from records.relays import Pool, Relay
from records.start_failures import Cause

SETTLE_S = 30  #: from RunTask until the task must be in ECS's lists, which are eventually consistent

Tasks = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Relays that are alive, and the pool as read for that."""

    pool: Pool
    relays: Sequence[Relay]


def list_tasks(ports: SweepPorts) -> Tasks | None:
    """Tasks by relay; None when there can be none, or ECS does not answer: then only heartbeats count."""
    try:
        return ports.tasks.running() if ports.tasks else None
    except TasksUnknown:
        return None


def reap(ports: SweepPorts, tasks: Tasks | None, counts: Counter[str]) -> Fleet:
    """Remove lost relays from the pool, and launch those that were registered and never launched."""
    now = ports.now()
    pool = relays.pool(ports.table)
    known = relays.load_all(ports.table, pool.slots.values())
    relays.note_sweep(ports.table, pool, now)
    lost = [
        relay
        for relay in known
        if is_lost(relay, pool, now) or _has_exited(relay, tasks, now) or _sleeps_nowhere(ports, relay)
    ]
    freed = give_up_relay.free_lost_slots(ports, pool, known, lost, causes=_causes(ports, lost))
    counts["relays_lost"] += len(freed)
    alive = [
        relay for relay in known if relay.id not in freed.values() and _ensure_launched(ports, relay, counts)
    ]
    slots = {slot: relay for slot, relay in pool.slots.items() if slot not in freed}
    return Fleet(Pool(pool.generation, slots, pool.swept_at), alive)


def stop_orphan_tasks(ports: SweepPorts, listed: Tasks | None, fleet: Fleet, counts: Counter[str]) -> None:
    """Stop tasks whose relay is not in the pool.

    A relay enters the pool before its RunTask. So every task of a list that is older than `fleet` has its
    relay there, unless that one is leaving or was given up, or the task is an orphan.
    """
    if ports.tasks is None or listed is None:
        return
    tasks = ports.tasks
    for relay, running in listed.items():
        if relay in fleet.pool.slots.values():
            continue
        try:
            for task in running:
                logger.warning("task of no relay stopped", extra={"relay": relay, "task": task})
                tasks.stop(task)
                counts["tasks_stopped"] += 1
        except TasksUnknown:
            return


def _causes(ports: SweepPorts, lost: Sequence[Relay]) -> Mapping[str, Cause]:
    """What AWS says about tasks and MicroVMs that never became relays, where no event has reached us."""
    starting = [relay for relay in lost if relay.state == "STARTING"]
    causes = {
        relay.id: start_causes.of_vm(reason)
        for relay in starting
        if ports.vms and relay.vm and (reason := ports.vms.reason(relay.vm))
    }
    if ports.tasks is None or not any(relay.home == "fargate" for relay in starting):
        return causes
    try:
        return {**causes, **ports.tasks.causes()}
    except TasksUnknown:
        return causes


def _has_exited(relay: Relay, tasks: Tasks | None, now: int) -> bool:
    """True without a task and without a heartbeat; never within SETTLE_S of its launch."""
    if tasks is None or relay.id in tasks or not relay.launched or relay.home != "fargate":
        return False
    return max(relay.started_at, relay.heartbeat) <= now - SETTLE_S


def _sleeps_nowhere(ports: SweepPorts, relay: Relay) -> bool:
    """A deployment has given up MicroVMs, and ended this one: it can neither be woken nor be lost."""
    return ports.vms is None and relay.state in ("SUSPENDING", "SUSPENDED")


def _ensure_launched(ports: SweepPorts, relay: Relay, counts: Counter[str]) -> bool:
    """Repeat an unconfirmed launch. False when that failed and the relay was given up."""
    try:
        start_relay.relaunch(ports, relay)
    except LaunchFailed:
        counts["relays_lost"] += 1
        return False
    return True
