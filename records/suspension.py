"""Relays that sleep: suspended MicroVMs, which cost next to nothing and are awake in a second.

    READY --tire, if idle--> SUSPENDING --sleep--> SUSPENDED --wake--> STARTING --ready--> READY

The sweep alone brings a relay from READY to SUSPENDED, and nobody leases it meanwhile: a suspension that was
asked for cannot be called back. One that sleeps is woken by whoever leases it, in the same transaction, or
for somebody who has connected and may.
"""

from __future__ import annotations

from records.relays import State, key
from records.table import ConditionFailed, Step, Table, update_step


def tire(table: Table, relay: str) -> bool:
    """Take an idle relay out of service, before its MicroVM is suspended. False when it is not idle."""
    return _moved(table, relay, "READY", "SUSPENDING", " AND size(#leases) = :none", none=0)


def sleep(table: Table, relay: str) -> bool:
    """Note that its MicroVM is suspended: it can be woken."""
    return _moved(table, relay, "SUSPENDING", "SUSPENDED")


def rouse(table: Table, relay: str) -> bool:
    """Bring it back to service: its MicroVM could not be suspended."""
    return _moved(table, relay, "SUSPENDING", "READY")


def wake_step(relay: str, session: str, *, until: int, now: int) -> Step:
    """Write that leases a sleeping relay for a session and has it start: the MicroVM must then be resumed."""
    return update_step(
        key(relay),
        "SET #leases.#session = :until, #state = :starting, #started_at = :now, #launched = :false",
        "#state = :suspended",
        {"session": session},
        until=until,
        starting="STARTING",
        suspended="SUSPENDED",
        now=now,
        false=False,
    )


def wake(table: Table, relay: str, now: int) -> bool:
    """Have it start for nobody yet: the MicroVM must then be resumed. False when it does not sleep."""
    return _moved(
        table,
        relay,
        "SUSPENDED",
        "STARTING",
        more=", #started_at = :now, #launched = :false",
        now=now,
        false=False,
    )


def _moved(
    table: Table, relay: str, was: State, to: State, only: str = "", more: str = "", **values: int
) -> bool:
    """`only` is one more condition, `more` is what else is set."""
    update, condition = f"SET #state = :to{more}", f"#state = :was{only}"
    try:
        table.update(key(relay), update, condition, None, was=was, to=to, **values)
    except ConditionFailed:
        return False
    return True
