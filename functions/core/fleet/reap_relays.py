"""Relays that died without a word, and tasks that nobody knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from functions.core.fleet import give_up_relay as stranded
from functions.core.fleet import start_relay as fleet
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import LaunchFailed, SweepPorts, TasksUnknown
from records import relays
from records.relays import Pool, Relay

SETTLE_S = 30  #: from RunTask until the task must be in ECS's lists, which lag behind

Tasks = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Fleet:
    """The relays that are alive, and the view of the pool that says so."""

    pool: Pool
    relays: Sequence[Relay]


def tasks_now(ports: SweepPorts) -> Tasks | None:
    """None when ECS does not say: then only heartbeats tell who is alive."""
    try:
        return ports.tasks.running()
    except TasksUnknown:
        return None


def clear(ports: SweepPorts, tasks: Tasks | None, counts: Counter[str]) -> Fleet:
    """Take the dead out of the pool, and launch what was registered and never launched."""
    now = ports.now()
    pool = relays.pool(ports.table)
    known = relays.load_all(ports.table, pool.slots.values())
    lost = [relay for relay in known if relay.is_lost(now) or _has_died(relay, tasks, now)]
    gone = stranded.clear(ports, pool, known, lost)
    counts["relays_lost"] += len(gone)
    alive = [relay for relay in known if relay.id not in gone.values() and _comes(ports, relay, counts)]
    slots = {slot: relay for slot, relay in pool.slots.items() if slot not in gone}
    return Fleet(Pool(pool.generation, slots), alive)


def stop_unknown(ports: SweepPorts, tasks: Tasks | None, fleet: Fleet, counts: Counter[str]) -> None:
    """Stop tasks whose relay is not in the pool.

    A relay enters the pool before its task is asked for. So every task of a list that is older than `fleet`
    has its relay there, unless that one is leaving, was given up, or belongs to nobody.
    """
    for relay, running in (tasks or {}).items():
        if relay in fleet.pool.slots.values():
            continue
        for task in running:
            logger.warning("task of no relay stopped", extra={"relay": relay, "task": task})
            try:
                ports.tasks.stop(task)
                counts["tasks_stopped"] += 1
            except TasksUnknown:
                return


def _has_died(relay: Relay, tasks: Tasks | None, now: int) -> bool:
    """Its task is gone, and its heart has stopped. Of a task that was just asked for nothing is known."""
    if tasks is None or relay.id in tasks or not relay.launched:
        return False
    return max(relay.started_at, relay.heartbeat) <= now - SETTLE_S


def _comes(ports: SweepPorts, relay: Relay, counts: Counter[str]) -> bool:
    """False for one that had to be given up because its task cannot be had."""
    try:
        fleet.relaunch(ports, relay)
    except LaunchFailed:
        counts["relays_lost"] += 1
        return False
    return True
