"""Moves calls from MicroVMs to a task once there are enough of them: then that is cheaper.

A MicroVM takes a few calls and costs twice as much as a task, which takes many and needs half a minute to
start. So calls begin in MicroVMs, and go on in a task when more than one MicroVM's worth of them are held.
"""

from __future__ import annotations

from collections import Counter

from functions.core.fleet import start_relay
from functions.core.fleet.reap_relays import Fleet
from functions.core.runtime.ports import LaunchFailed, SweepPorts
from records import relays
from records.relays import Relay


def reconcile(ports: SweepPorts, fleet: Fleet, counts: Counter[str]) -> None:
    """Start a task when it is worth one; have MicroVMs drain into tasks that are ready."""
    config, now = ports.config.relay, ports.now()
    if len(config.homes) < 2:
        return
    current = [relay for relay in fleet.relays if relay.revision == config.revision_of(relay.home)]
    vms = [relay for relay in current if relay.home == "microvm" and relay.is_fresh(now) and relay.leases]
    tasks = [relay for relay in current if relay.home == "fargate"]
    calls = sum(len(relay.leases) for relay in vms)
    room = sum(map(_free, (task for task in tasks if task.is_fresh(now))))
    for relay in sorted(vms, key=lambda relay: len(relay.leases)):
        if len(relay.leases) <= room:
            room -= len(relay.leases)
            calls -= len(relay.leases)
            relays.order(ports.table, relay.id, "drain")
            counts["relays_drained"] += 1
    coming = sum(map(_free, (task for task in tasks if task.is_coming(now))))
    if calls > config.capacity_of("microvm") and coming < calls:
        _start_task(ports, counts)


def _start_task(ports: SweepPorts, counts: Counter[str]) -> None:
    try:
        relay = start_relay.register(ports, ports.config.relay, relays.pool(ports.table), "fargate")
        if relay is not None:
            start_relay.launch(ports, relay)
            counts["relays_started"] += 1
    except (start_relay.Full, LaunchFailed):
        return


def _free(relay: Relay) -> int:
    return relay.capacity - len(relay.leases)
