"""Sessions that nobody ends: their relay died, their client never came, their time is over."""

from __future__ import annotations

from collections import Counter

from functions.core.runtime.entry import logger, place_of
from functions.core.runtime.ports import SweepPorts
from records import open_sessions, relays, session_status
from records.relays import Relay
from records.session_status import SessionStatus
from records.table import StoreError

OVERTIME_S = 60  #: what a relay gets to end a session whose time is over


def end(ports: SweepPorts, counts: Counter[str]) -> None:
    """End them, and give back the places of those that have ended already."""
    opened = open_sessions.listed(ports.table)
    ids = {session for entered in opened.values() for session in entered}
    found = session_status.load_all(ports.table, ids)
    holders = {status.relay for status in found.values() if status.relay}
    known = {relay.id: relay for relay in relays.load_all(ports.table, holders)}
    for user, entered in opened.items():
        for session in sorted(entered):
            status = found.get(session)
            try:
                if status is None or status.state == "ENDED":
                    open_sessions.leave(ports.table, user, session)
                    counts["places_freed"] += 1
                else:
                    _judge(ports, status, known.get(status.relay), counts)
            except StoreError as error:
                # One that cannot be ended now must not keep the others.
                logger.warning("session not swept", extra={"session": session, **place_of(error)})


def free_places(ports: SweepPorts, relays_alive: list[Relay], counts: Counter[str]) -> None:
    """Give back places whose session is elsewhere or over: what a crash between two writes has left."""
    held = {session for relay in relays_alive for session in relay.leases}
    found = session_status.load_all(ports.table, held)
    for relay in relays_alive:
        for session, until in relay.leases.items():
            status = found.get(session)
            is_there = status is not None and status.state == "OPEN" and status.relay == relay.id
            if not is_there and relays.drop_lease(ports.table, relay.id, session, until):
                counts["places_freed"] += 1


def _judge(ports: SweepPorts, status: SessionStatus, holder: Relay | None, counts: Counter[str]) -> None:
    """`holder` is the relay that has it, as far as there is a record of one."""
    now = ports.now()
    reason = _reason(status, holder, now, ports.config.resume_s)
    if not reason or not session_status.end(ports.table, status, reason, now):
        return
    counts["sessions_ended"] += 1
    logger.warning("session swept", extra={"session": status.id, "reason": reason})
    if holder is not None:
        relays.order(ports.table, holder.id, f"end:{status.id}")


def _reason(status: SessionStatus, holder: Relay | None, now: int, resume_s: int) -> str:
    """Why it is over; empty while it is not, or while its relay sees to that."""
    if status.ends_at + OVERTIME_S <= now:
        return "session_limit"
    seen_at = status.join_deadline
    if status.is_joined and holder is not None:
        if not _is_dead(holder, now):
            return ""
        seen_at = max(seen_at, holder.heartbeat)
    return "abandoned" if seen_at + resume_s <= now else ""


def _is_dead(relay: Relay, now: int) -> bool:
    """Given up, by whoever noticed; and it has not been heard of since."""
    return relay.state == "STOPPING" and relay.heartbeat <= now - relays.FRESH_S
