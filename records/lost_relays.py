"""Relays that never came, or fell silent: taken out of the pool, unless they are heard meanwhile.

While the table is unavailable no relay can be heard. So silence counts from the first sweep on that has used
the table since: a relay that lives would have been heard in the HEARD_S after it.

    heartbeat            due, FRESH_S later        a sweep               HEARD_S later
  ──────┴───────────────────────┴─────────────────────┴───────────────────────┴────▶ silent
"""

from __future__ import annotations

from records.relays import FRESH_S, LOST_S, START_S, Pool, Relay, key
from records.table import ConditionFailed, Table

HEARD_S = 30  #: two heartbeats, of which the first may hang in a connection that died with the table


def is_lost(relay: Relay, pool: Pool, now: int) -> bool:
    """True when its start or its heartbeat has timed out, though the table was available."""
    if relay.state == "STARTING":
        return relay.started_at <= now - START_S
    if relay.state in ("SUSPENDING", "SUSPENDED"):
        return False  # no heart beats; what became of the VM, its list says
    return relay.heartbeat <= now - LOST_S and is_silent(relay, pool, now)


def is_silent(relay: Relay, pool: Pool, now: int) -> bool:
    """True when its heartbeat is missing since a sweep that has found the table available."""
    return any(relay.heartbeat + FRESH_S <= swept_at <= now - HEARD_S for swept_at in pool.swept_at)


def stop(table: Table, seen: Relay) -> bool:
    """Stop a relay that is as seen: it can take nobody any more. False when it came up, or its heart beat.

    The caller frees its slot once all who wait for it are told.
    """
    values = {"state": seen.state, "heartbeat": seen.heartbeat, "stopping": "STOPPING"}
    as_seen = "#state = :state AND #heartbeat = :heartbeat"
    try:
        table.update(key(seen.id), "SET #state = :stopping", as_seen, None, **values)
    except ConditionFailed:
        return False
    return True
