"""Reaps orphan sessions: their relay died, their client never joined, or their time limit has passed."""

from __future__ import annotations

from collections import Counter

from functions.core.runtime.entry import logger, place_of
from functions.core.runtime.ports import SweepPorts
from records import minutes, open_sessions, relays, session_status
from records.lost_relays import is_silent
from records.relays import Pool, Relay
from records.session_status import SessionStatus
from records.table import StoreError

OVERTIME_S = 60  #: grace period for the relay to end a session at its time limit


def reap(ports: SweepPorts, pool: Pool, counts: Counter[str]) -> None:
    """End orphan sessions, and release the slots of those that have ended already."""
    opened = open_sessions.listed(ports.table)
    ids = {session for entered in opened.values() for session in entered}
    found = session_status.load_all(ports.table, ids)
    holders = {status.relay for status in found.values() if status.relay}
    known = {relay.id: relay for relay in relays.load_all(ports.table, holders)}
    for user, entered in opened.items():
        if not entered:
            open_sessions.unlist(ports.table, user)  # a crash came before it
        for session in sorted(entered):
            status = found.get(session)
            try:
                if status is None or status.state == "ENDED":
                    minutes.settle(ports.table, session)
                    open_sessions.leave(ports.table, user, session)
                    counts["places_freed"] += 1
                else:
                    _end_orphan(ports, status, known.get(status.relay), pool, counts)
            except StoreError as error:
                # A session that cannot be ended now must not block the others.
                logger.warning("session not swept", extra={"session": session, **place_of(error)})


def release_stale_leases(ports: SweepPorts, relays_alive: list[Relay], counts: Counter[str]) -> None:
    """Release leases whose session has moved or ended: leftovers of a crash between two writes."""
    held = {session for relay in relays_alive for session in relay.leases}
    found = session_status.load_all(ports.table, held)
    for relay in relays_alive:
        for session, until in relay.leases.items():
            status = found.get(session)
            is_owned = status is not None and status.state == "OPEN" and status.relay == relay.id
            if not is_owned and relays.drop_lease(ports.table, relay.id, session, until):
                counts["places_freed"] += 1


def _end_orphan(
    ports: SweepPorts, status: SessionStatus, holder: Relay | None, pool: Pool, counts: Counter[str]
) -> None:
    """End a session if it is an orphan. `holder` is its relay, if that has a record."""
    now = ports.now()
    reason = _end_reason(status, holder, pool, now, ports.config.resume_s)
    if not reason or not session_status.end(ports.table, status, reason, now):
        return
    counts["sessions_ended"] += 1
    logger.warning("session swept", extra={"session": status.id, "reason": reason})
    if holder is not None:
        relays.order(ports.table, holder.id, f"end:{status.id}")


def _end_reason(status: SessionStatus, holder: Relay | None, pool: Pool, now: int, resume_s: int) -> str:
    """Reason to end a session; empty for none, and while its relay is responsible."""
    if status.ends_at + OVERTIME_S <= now:
        return "session_limit"
    seen_at = status.join_deadline
    if status.is_joined and holder is not None:
        if not _is_dead(holder, pool, now):
            return ""
        seen_at = max(seen_at, holder.heartbeat)
    return "abandoned" if seen_at + resume_s <= now else ""


def _is_dead(relay: Relay, pool: Pool, now: int) -> bool:
    """True when it has left the pool or fell silent while it was leaving, without a heartbeat since."""
    is_due = relay.state == "STOPPING" and relay.heartbeat <= now - relays.FRESH_S
    return is_due and (relay.id not in pool.slots.values() or is_silent(relay, pool, now))
