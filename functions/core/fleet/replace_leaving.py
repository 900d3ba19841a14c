"""Reserve capacity for the calls of a relay that drains: wake or start another when it is too little."""

from __future__ import annotations

from dataclasses import dataclass

from functions.core.fleet import give_up_relay, start_relay
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import LaunchFailed, Ports
from records import lost_relays, relays
from records.relays import Pool, Relay


@dataclass(frozen=True, slots=True)
class ReserveCapacity:
    """Free capacity of the current revision, without the relay that asks."""

    room: int  #: on relays that are READY
    coming: int  #: on relays that are STARTING


def relay_leaving(ports: Ports, leaving: str, calls: int) -> ReserveCapacity:
    """Count free capacity; wake or start one relay when it is below `calls`, with starting relays counted.

    The relay polls every few seconds; concurrent polls with one view of the pool start one relay. It counts a
    call until its client has gone: one that has its lease elsewhere by then needs no place.
    """
    view = _read_pool(ports)
    record = relays.load(ports.table, leaving)
    calls = min(calls, len(record.leases)) if record else calls
    if view.has_stale_slots and sum(_count_free(ports, view, leaving)) < calls:
        give_up_relay.free_lost_slots(ports, view.pool, view.known, view.lost)
        view = _read_pool(ports)
    ready, coming = _count_free(ports, view, leaving)
    for relay in _current_relays(ports, view, leaving):
        start_relay.relaunch(ports, relay)
    if ready + coming < calls:
        coming += _wake_replacement(ports, view, leaving) or _start_replacement(ports, view.pool)
    return ReserveCapacity(ready, coming)


@dataclass(frozen=True, slots=True)
class _PoolView:
    """Snapshot of the pool and its relays. A start based on it is refused when the pool has changed."""

    pool: Pool
    known: list[Relay]
    lost: list[Relay]

    @property
    def has_stale_slots(self) -> bool:
        """True when slots are taken by lost relays."""
        return bool(self.lost) or len(self.known) < len(self.pool.slots)


def _read_pool(ports: Ports) -> _PoolView:
    now = ports.now()
    pool = relays.pool(ports.table)
    known = relays.load_all(ports.table, pool.slots.values())
    return _PoolView(pool, known, [relay for relay in known if lost_relays.is_lost(relay, pool, now)])


def _current_relays(ports: Ports, view: _PoolView, leaving: str) -> list[Relay]:
    """Relays of the current revision, without the leaving one."""
    revision_of = ports.config.relay.revision_of
    return [
        relay for relay in view.known if relay.revision == revision_of(relay.home) and relay.id != leaving
    ]


def _count_free(ports: Ports, view: _PoolView, leaving: str) -> tuple[int, int]:
    """Free capacity on relays that are READY, and on those that are STARTING."""
    now = ports.now()
    ours = _current_relays(ports, view, leaving)
    ready = sum(_free_capacity(relay) for relay in ours if relay.is_fresh(now))
    return ready, sum(_free_capacity(relay) for relay in ours if relay.is_coming(now))


def _wake_replacement(ports: Ports, view: _PoolView, leaving: str) -> int:
    """Wake a relay that sleeps. Returns its capacity; 0 when there is none, or a concurrent request won."""
    asleep = (relay for relay in _current_relays(ports, view, leaving) if relay.state == "SUSPENDED")
    return next((relay.capacity for relay in asleep if start_relay.wake(ports, relay)), 0)


def _start_replacement(ports: Ports, seen: Pool) -> int:
    """Start a relay. Returns its capacity; 0 when a concurrent start won, or none is available."""
    for home in ports.config.relay.homes:
        try:
            relay = start_relay.register(ports, ports.config.relay, seen, home)
            if relay is None:
                return 0
            start_relay.launch(ports, relay)
        except start_relay.Full:
            break
        except LaunchFailed:
            seen = relays.pool(ports.table)
        else:
            return relay.capacity
    logger.warning("no replacement to be had")
    return 0


def _free_capacity(relay: Relay) -> int:
    return relay.capacity - len(relay.leases)
