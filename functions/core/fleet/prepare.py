"""Has a relay ready before anybody has asked for one, because somebody has connected and may.

What an opened page may start is a setting: a relay that sleeps is woken for next to nothing, a MicroVM costs
a fifth of a cent if nobody comes, a task more.
"""

from __future__ import annotations

from collections import Counter

from functions.core.fleet import start_relay
from functions.core.runtime.ports import Ports
from records import relays
from records.relays import Relay
from records.start_times import Home


def prepare(ports: Ports) -> Counter[str]:
    """Wake or start one relay, unless one with room is there or coming. Counts what was done."""
    now, done = ports.now(), Counter[str]()
    if ports.config.prepares == "nothing":
        return done
    pool = relays.pool(ports.table)
    current = [
        relay for relay in relays.load_all(ports.table, pool.slots.values()) if _is_current(ports, relay)
    ]
    if any(relay.has_room() and (relay.is_fresh(now) or relay.is_coming(now)) for relay in current):
        return done
    for relay in (relay for relay in current if relay.state == "SUSPENDED"):
        if start_relay.wake(ports, relay):
            done["relays_woken"] += 1
            return done
    home = _startable(ports)
    if home is not None:
        started = start_relay.start(ports, ports.config.relay, pool, 1, home)
        done["relays_started"] += sum(1 for _ in started)
    return done


def _is_current(ports: Ports, relay: Relay) -> bool:
    config = ports.config.relay
    return relay.home in config.homes and relay.revision == config.revision_of(relay.home)


def _startable(ports: Ports) -> Home | None:
    """The home in which an opened page may start a relay."""
    first = ports.config.relay.homes[0]
    if first == "microvm":
        return first if ports.config.prepares in ("microvm", "task") else None
    return first if ports.config.prepares == "task" else None
