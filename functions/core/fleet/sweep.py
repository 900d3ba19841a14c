"""Finds what died silently, every minute. Nobody depends on it to talk; without it things leak.

Whatever it does is a conditional write on what it has seen, or harmless when repeated: two rounds at once,
or one that stops half way, leave nothing wrong.
"""

from __future__ import annotations

from collections import Counter

from functions.core.fleet import reap_relays as losses
from functions.core.fleet import reap_sessions as orphans
from functions.core.fleet import warm_and_drain as upkeep
from functions.core.runtime.entry import logger, metrics
from functions.core.runtime.ports import SweepPorts


def sweep(ports: SweepPorts) -> dict[str, int]:
    """One round. Returns how often each thing had to be done; nothing in it, nothing was wrong."""
    counts: Counter[str] = Counter()
    tasks = losses.tasks_now(ports)  # before the pool is read: see `stop_unknown`
    fleet = losses.clear(ports, tasks, counts)
    losses.stop_unknown(ports, tasks, fleet, counts)
    orphans.end(ports, counts)
    orphans.free_places(ports, list(fleet.relays), counts)
    upkeep.keep_up(ports, fleet, counts)
    done = {name: count for name, count in counts.items() if count}
    if done:
        logger.info("swept", extra=done)
    for name, count in done.items():  # only what happened: a metric costs by the hour in which it is written
        metrics.add_metric(name, "Count", count)
    return done
