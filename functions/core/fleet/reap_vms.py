"""Ends MicroVMs that nobody needs, and drains those whose time is nearly up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from functions.core.fleet import give_up_relay, start_causes
from functions.core.fleet.microvms import LONGEST_S
from functions.core.fleet.reap_relays import Fleet
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import SweepPorts, TasksUnknown, Vm, VmList
from records import relays
from records.relays import Relay

SETTLE_S = 60  #: from RunMicrovm until its id is surely in the relay's record, and the VM in the list
DRAIN_BEFORE_S = 600  #: the end that the platform sets: calls are handed on at turn gaps in this time


def list_vms(ports: SweepPorts) -> Sequence[Vm] | None:
    """All that have not ended; None when there can be none, or Lambda does not answer."""
    try:
        return ports.vms.alive() if ports.vms else None
    except TasksUnknown:
        return None


def reap(ports: SweepPorts, alive: Sequence[Vm] | None, fleet: Fleet, counts: Counter[str]) -> None:
    """Compare the list, which is older than `fleet`, with the relays that live in MicroVMs."""
    if ports.vms is None or alive is None:
        return
    now = ports.now()
    owners = {relay.vm: relay for relay in fleet.relays if relay.vm}
    try:
        for vm in alive:
            if vm.id not in owners and vm.started_at <= now - SETTLE_S:
                logger.warning("microvm of no relay ended", extra={"vm": vm.id})
                ports.vms.terminate(vm.id)
                counts["vms_ended"] += 1
        found = {vm.id: vm for vm in alive}
        for relay in owners.values():
            _look_after(ports, ports.vms, relay, found.get(relay.vm), counts)
    except TasksUnknown:
        return  # at the next round


def end(ports: SweepPorts, vms: VmList, relay: Relay, counts: Counter[str]) -> None:
    """Take a relay that has no calls out of the pool, and end its VM. Raises TasksUnknown."""
    relays.leave(ports.table, relay.id)
    vms.terminate(relay.vm)
    counts["vms_ended"] += 1


def _look_after(ports: SweepPorts, vms: VmList, relay: Relay, vm: Vm | None, counts: Counter[str]) -> None:
    now = ports.now()
    if vm is None:
        if max(relay.started_at, relay.heartbeat) <= now - SETTLE_S:
            logger.error("microvm ended without its relay leaving", extra={"relay": relay.id})
            give_up_relay.give_up(ports, relay, start_causes.of_vm(vms.reason(relay.vm)))
            counts["relays_lost"] += 1
    elif vm.started_at <= now - LONGEST_S + DRAIN_BEFORE_S:
        if relay.state in ("SUSPENDED", "SUSPENDING"):
            end(ports, vms, relay, counts)
        elif relay.is_fresh(now):
            relays.order(ports.table, relay.id, "drain")
            counts["relays_drained"] += 1
