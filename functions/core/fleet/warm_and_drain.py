"""Desired state of the fleet: `WARM_RELAYS` kept warm, and none of an old revision."""

from __future__ import annotations

from collections import Counter

from functions.core.fleet import start_relay
from functions.core.fleet.reap_relays import Fleet
from functions.core.runtime.ports import SweepPorts
from records import relays
from records.relays import Relay

WARM_LEASE_S = 180  #: three sweeps; a warm relay that is not renewed in that time ends when idle


def reconcile(ports: SweepPorts, seen: Fleet, counts: Counter[str]) -> None:
    """Renew warm relays, drain old ones, and start missing ones."""
    now = ports.now()
    config = ports.config.relay
    steady = config.homes[-1]
    current = [relay for relay in seen.relays if relay.revision == config.revision_of(relay.home)]
    usable = sorted((relay for relay in current if relay.is_fresh(now) or relay.is_coming(now)), key=_rank)
    staying = [relay for relay in usable if relay.home == steady]
    for relay in staying[: ports.config.warm_relays]:
        relays.keep_warm(ports.table, relay.id, now + WARM_LEASE_S)
    missing = max(0, ports.config.warm_relays - len(staying))
    old = [
        relay
        for relay in seen.relays
        if _is_older(relay, config.revision_of(relay.home)) and relay.is_fresh(now)
    ]
    needs_room = _drain_old(ports, old, usable, counts)
    if needs_room and not missing and not any(relay.state == "STARTING" for relay in usable):
        missing = 1
    for relay in start_relay.start(ports, config, seen.pool, missing, steady):
        counts["relays_started"] += 1
        relays.keep_warm(ports.table, relay.id, ports.now() + WARM_LEASE_S)


def _drain_old(ports: SweepPorts, old: list[Relay], usable: list[Relay], counts: Counter[str]) -> bool:
    """Order relays of an old revision to drain, as far as the current one has room for their calls now.

    True when some have to wait for more room. They take no new calls meanwhile.
    """
    room = sum(relay.capacity - len(relay.leases) for relay in usable if relay.state == "READY")
    for relay in sorted(old, key=lambda relay: len(relay.leases)):
        if len(relay.leases) > room:
            return True
        room -= len(relay.leases)
        relays.order(ports.table, relay.id, "drain")
        counts["relays_drained"] += 1
    return False


def _is_older(relay: Relay, revision: str) -> bool:
    """Compare task definitions by their `:number`: in an update this function may get the new one last."""
    ours, theirs = (name.rpartition(":")[2] for name in (revision, relay.revision))
    return int(theirs) < int(ours) if theirs.isdecimal() and ours.isdecimal() else theirs != ours


def _rank(relay: Relay) -> tuple[bool, int, int]:
    """Sort key, in the order of allocation: ready before starting, the fullest first, then the oldest."""
    return (relay.state != "READY", -len(relay.leases), relay.started_at)
