"""A relay leaves: is there room for its calls elsewhere? If not, it is made."""

from __future__ import annotations

from dataclasses import dataclass

from functions.core.fleet import give_up_relay as stranded
from functions.core.fleet import start_relay as fleet
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import LaunchFailed, Ports
from records import relays
from records.relays import Pool, Relay


@dataclass(frozen=True, slots=True)
class Room:
    """Free places of the present revision, without those of the relay that asks."""

    room: int  #: on relays that are READY
    coming: int  #: on relays that start


def relay_leaving(ports: Ports, leaving: str, calls: int) -> Room:
    """The room for so many calls. One relay is started when there is too little, also of what comes.

    Asked again every few seconds; however many ask at once, each view of the pool starts one relay.
    """
    view = _look(ports)
    if view.has_gone and sum(_count(ports, view, leaving)) < calls:
        stranded.clear(ports, view.pool, view.known, view.lost)
        view = _look(ports)
    ready, coming = _count(ports, view, leaving)
    for relay in _ours(ports, view, leaving):
        fleet.relaunch(ports, relay)
    if ready + coming < calls:
        coming += _start(ports, view.pool)
    return Room(ready, coming)


@dataclass(frozen=True, slots=True)
class _View:
    """The pool and its relays at one moment. What is started by it is refused when the pool has changed."""

    pool: Pool
    known: list[Relay]
    lost: list[Relay]

    @property
    def has_gone(self) -> bool:
        """Slots are taken by relays that will not use them."""
        return bool(self.lost) or len(self.known) < len(self.pool.slots)


def _look(ports: Ports) -> _View:
    now = ports.now()
    pool = relays.pool(ports.table)
    known = relays.load_all(ports.table, pool.slots.values())
    return _View(pool, known, [relay for relay in known if relay.is_lost(now)])


def _ours(ports: Ports, view: _View, leaving: str) -> list[Relay]:
    """Of the present revision, without the one that leaves."""
    revision = ports.config.relay.revision
    return [relay for relay in view.known if relay.revision == revision and relay.id != leaving]


def _count(ports: Ports, view: _View, leaving: str) -> tuple[int, int]:
    """Free places on relays that are READY, and on those that start."""
    now = ports.now()
    ours = _ours(ports, view, leaving)
    ready = sum(_free(relay) for relay in ours if relay.is_fresh(now))
    return ready, sum(_free(relay) for relay in ours if relay.is_coming(now))


def _start(ports: Ports, seen: Pool) -> int:
    """The places of the relay that was started; 0: somebody else is starting one, or none can be had."""
    try:
        relay = fleet.register(ports, ports.config.relay, seen)
        if relay is None:
            return 0
        fleet.launch(ports, relay)
    except (fleet.Full, LaunchFailed):
        logger.warning("no replacement to be had")
        return 0
    return relay.capacity


def _free(relay: Relay) -> int:
    return relay.capacity - len(relay.leases)
