"""A relay leaves: is there room for its calls elsewhere? If not, it is made."""

from __future__ import annotations

from dataclasses import dataclass

from functions.core import fleet, stranded
from functions.core.entry import logger
from functions.core.ports import LaunchFailed, Ports
from records import relays
from records.relays import Relay


@dataclass(frozen=True, slots=True)
class Room:
    """Free places of the present revision, without those of the relay that asks."""

    room: int  #: on relays that are READY
    coming: int  #: on relays that start


def relay_leaving(ports: Ports, leaving: str, calls: int) -> Room:
    """The room for so many calls. One relay is started when there is too little, also of what comes.

    Asked again every few seconds; however many ask at once, each view of the pool starts one relay.
    """
    now = ports.now()
    pool = relays.pool(ports.table)
    known = relays.load_all(ports.table, pool.slots.values())
    ours = [relay for relay in known if relay.revision == ports.config.relay.revision and relay.id != leaving]
    ready = sum(_free(relay) for relay in ours if relay.is_fresh(now))
    coming = sum(_free(relay) for relay in ours if relay.is_coming(now))
    for relay in ours:
        fleet.relaunch(ports, relay)
    if ready + coming < calls:
        stranded.clear(ports, pool, known, [relay for relay in known if relay.is_lost(now)])
        coming += _start(ports)
    return Room(ready, coming)


def _start(ports: Ports) -> int:
    """The places of the relay that was started; 0: somebody else is starting one, or none can be had."""
    try:
        relay = fleet.register(ports, ports.config.relay, relays.pool(ports.table))
        if relay is None:
            return 0
        fleet.launch(ports, relay)
    except (fleet.Full, LaunchFailed):
        logger.warning("no replacement to be had")
        return 0
    return relay.capacity


def _free(relay: Relay) -> int:
    return relay.capacity - len(relay.places)
