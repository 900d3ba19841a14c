"""Reaps lost relays and orphan sessions, every minute. Calls do not depend on it; without it records leak.

Each step is a conditional write on the state that was read, or idempotent: two sweeps at once, or one that
stops half way, do no harm.
"""

from __future__ import annotations

from collections import Counter

from functions.core.fleet import (
    keep_sleeping,
    move_to_tasks,
    reap_relays,
    reap_sessions,
    reap_vms,
    warm_and_drain,
)
from functions.core.runtime.entry import logger, metrics
from functions.core.runtime.ports import SweepPorts


def sweep(ports: SweepPorts) -> dict[str, int]:
    """Run one sweep. Returns the count of each repair; empty when there was none."""
    counts: Counter[str] = Counter()
    tasks = reap_relays.list_tasks(ports)  # before the pool is read: see `stop_orphan_tasks`
    vms = reap_vms.list_vms(ports)
    fleet = reap_relays.reap(ports, tasks, counts)
    reap_relays.stop_orphan_tasks(ports, tasks, fleet, counts)
    reap_vms.reap(ports, vms, fleet, counts)
    reap_sessions.reap(ports, fleet.pool, counts)
    reap_sessions.release_stale_leases(ports, list(fleet.relays), counts)
    warm_and_drain.reconcile(ports, fleet, counts)
    keep_sleeping.reconcile(ports, fleet, counts)
    move_to_tasks.reconcile(ports, fleet, counts)
    done = {name: count for name, count in counts.items() if count}
    if done:
        logger.info("swept", extra=done)
    for name, count in done.items():  # zeros are left out: a metric is billed by the hour of its writes
        metrics.add_metric(name, "Count", count)
    return done
