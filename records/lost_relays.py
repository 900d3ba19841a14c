"""Relays that never came, or fell silent: taken out of the pool, unless they are heard meanwhile."""

from __future__ import annotations

from records.relays import Relay, free_slot, key
from records.table import ConditionFailed, Table


def give_up(table: Table, seen: Relay) -> bool:
    """Remove a relay that is as seen from the pool. False when it came up, or its heart beat, meanwhile."""
    values = {"state": seen.state, "heartbeat": seen.heartbeat, "stopping": "STOPPING"}
    as_seen = "#state = :state AND #heartbeat = :heartbeat"
    try:
        table.update(key(seen.id), "SET #state = :stopping", as_seen, None, **values)
    except ConditionFailed:
        return False
    free_slot(table, seen.slot, seen.id)
    return True
