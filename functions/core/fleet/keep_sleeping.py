"""Keeps `SLEEPING_RELAYS` suspended MicroVMs: a call that finds no relay wakes one, in a second."""

from __future__ import annotations

from collections import Counter

from functions.core.fleet import reap_vms, start_relay
from functions.core.fleet.reap_relays import Fleet
from functions.core.runtime.ports import SweepPorts, TasksUnknown, VmList
from records import relays, suspension
from records.relays import Relay

ASLEEP = ("SUSPENDING", "SUSPENDED")


def reconcile(ports: SweepPorts, fleet: Fleet, counts: Counter[str]) -> None:
    """Put idle relays to sleep, launch those that are missing, end those that are too many or too old."""
    if ports.vms is None:
        return
    config, now = ports.config.relay, ports.now()
    ours = [relay for relay in fleet.relays if relay.home == "microvm" and relay.vm]
    current = [relay for relay in ours if relay.revision == config.revision_of("microvm")]
    asleep = [relay for relay in current if relay.state in ASLEEP]
    wanted = ports.config.sleeping_relays
    idle = [relay for relay in current if relay.is_fresh(now) and not relay.leases]
    tired = idle[: max(0, wanted - len(asleep))]
    kept = {relay.id for relay in asleep[:wanted]}
    try:
        for relay in ours:
            if relay.state in ASLEEP and relay.id not in kept:
                reap_vms.end(ports, ports.vms, relay, counts)
            elif relay.state == "SUSPENDING" or (relay in tired and suspension.tire(ports.table, relay.id)):
                _suspend(ports, ports.vms, relay, counts)
    except TasksUnknown:
        return  # at the next round
    coming = sum(
        relay.is_coming(now) and not relay.leases for relay in fleet.relays if relay.home == "microvm"
    )
    missing = wanted - len(kept) - len(tired) - coming
    if missing > 0:  # those are ready in some seconds, and go to sleep at the next round
        started = start_relay.start(ports, config, relays.pool(ports.table), missing, "microvm")
        counts["relays_started"] += sum(1 for _ in started)


def _suspend(ports: SweepPorts, vms: VmList, relay: Relay, counts: Counter[str]) -> None:
    """One that is not suspended in time stays SUSPENDING, where nobody is led to it, until the next round."""
    if vms.suspend(relay.vm) and suspension.sleep(ports.table, relay.id):
        counts["vms_suspended"] += 1
