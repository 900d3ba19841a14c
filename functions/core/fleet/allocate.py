"""Allocates a relay to a session: its own, a lease on a ready one, on a starting one, or a new task.

Every decision is a conditional write; earlier reads only select the candidate. A write fails when a
concurrent one won: the pool is then read again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from functions.core.fleet import give_up_relay, start_relay
from functions.core.runtime.ports import LaunchFailed, Ports
from functions.core.runtime.refusal import Refusal, StaleRequest
from records import lost_relays, relays, sessions
from records.relays import Pool, Relay
from records.session_status import end_code
from records.sessions import Session
from records.start_times import Home
from records.table import ConditionFailed
from records.tickets import LIFETIME_S

ROUNDS = 12  #: reads of the pool; each lost round means that a concurrent request succeeded
HOLD_S = LIFETIME_S + 15  #: a lease outlives the ticket a little


@dataclass(frozen=True, slots=True)
class Placement:
    """A session and the relay it now belongs to, which may still be starting."""

    session: Session
    relay: Relay


def place(ports: Ports, session: Session, avoid: str = "") -> Placement:
    """Allocate a relay to the session, but not `avoid`, which its client could not reach.

    Raises StaleRequest, Refusal: `capacity`, or `session_ended` when it ended meanwhile.
    """
    homes = list(ports.config.relay.homes)
    for _ in range(ROUNDS):
        placed = _keep_relay(ports, session, avoid) or _assign_relay(ports, session, avoid, homes)
        if placed is not None:
            return placed
        session = reload(ports, session)
    raise _no_capacity(session)


def _keep_relay(ports: Ports, session: Session, avoid: str) -> Placement | None:
    """Keep its relay, while that one is alive: same epoch, and the call continues in place."""
    if not session.relay or session.relay == avoid:
        return None
    now = ports.now()
    relay = relays.load(ports.table, session.relay)
    if relay is None:
        return None
    if relay.is_coming(now) and session.id in relay.leases:
        _launch(ports, session, relay, start_relay.relaunch)
        return Placement(session, relay)
    if relay.is_fresh(now) and sessions.renew_lease(ports.table, session, until=now + HOLD_S, now=now):
        return Placement(session, relay)
    return None


def _assign_relay(ports: Ports, session: Session, avoid: str, homes: list[Home]) -> Placement | None:
    """Lease on another relay; None when the pool should be read again.

    `homes` are those to start one in; one that takes none now is removed.
    """
    now = ports.now()
    pool = relays.pool(ports.table)
    known = relays.load_all(ports.table, pool.slots.values())
    leave = session.relay in {relay.id for relay in known}
    candidates = _candidates(ports, known, avoid, now, homes)
    for relay in candidates:
        until = now + (HOLD_S if relay.state == "READY" else relays.START_S)
        try:
            epoch = sessions.place(
                ports.table, session, relay.id, state=relay.state, until=until, now=now, leave=leave
            )
        except ConditionFailed as failed:
            if failed.step == 0:
                continue
            return None
        placed = dataclasses.replace(session, relay=relay.id, epoch=epoch)
        if relay.state == "SUSPENDED":
            return _wake(ports, placed, relay)
        _launch(ports, placed, relay, start_relay.relaunch)
        return Placement(placed, relay)
    if not candidates:  # else a candidate has changed meanwhile: one that became ready still has room
        _start(ports, session, pool, known, homes)
    return None


def _candidates(
    ports: Ports, known: Iterable[Relay], avoid: str, now: int, homes: Sequence[Home]
) -> list[Relay]:
    """Relays with room. Ready ones first, the fullest of them first: that lets the others run empty and end.

    One that any client could not reach is none of them until its next heartbeat. It may be healthy and a new
    one takes long, but relays that are lost are often lost together, and callers went from one to the next.
    """
    usable = [
        relay
        for relay in known
        if relay.revision == ports.config.relay.revision_of(relay.home)
        and relay.home in ports.config.relay.homes
        and relay.id != avoid
        and relay.has_room()
        and (relay.is_fresh(now) or relay.is_coming(now) or relay.state == "SUSPENDED")
    ]
    if "microvm" in homes:  # a new one of those is there long before a task that starts
        usable = [relay for relay in usable if relay.home == "microvm" or relay.state == "READY"]
    return sorted(usable, key=_rank)


def _rank(relay: Relay) -> tuple[int, bool, int, int]:
    """The soonest first; of those a task before a MicroVM, which can then end; then the fullest."""
    soonest = ("READY", "STARTING", "SUSPENDED").index(relay.state)
    return soonest, relay.home == "microvm", -len(relay.leases), relay.started_at


def _wake(ports: Ports, session: Session, relay: Relay) -> Placement | None:
    """Wake the relay that the session was placed on; None when it cannot be woken, and the next is tried."""
    found = relays.load(ports.table, relay.id) or relay
    try:
        start_relay.launch(ports, found, session)
    except LaunchFailed:
        return None
    return Placement(session, found)


def _start(ports: Ports, session: Session, pool: Pool, known: Sequence[Relay], homes: list[Home]) -> None:
    """Start one relay in the first of `homes`, unless the pool has changed since it was read."""
    lost = [relay for relay in known if lost_relays.is_lost(relay, pool, ports.now())]
    if give_up_relay.free_lost_slots(ports, pool, known, lost, but=session):
        return  # slots were freed: read the pool again
    if not homes:
        raise _no_capacity(session)
    try:
        relay = start_relay.register(ports, ports.config.relay, pool, homes[0])
        if relay is not None:
            start_relay.launch(ports, relay, session)
    except start_relay.Full:
        raise _no_capacity(session) from None
    except LaunchFailed as failed:
        del homes[0]
        if not homes:
            raise _no_capacity(session, failed.cause.words) from None


def _launch(
    ports: Ports, session: Session, relay: Relay, how: Callable[[Ports, Relay, Session], None]
) -> None:
    try:
        how(ports, relay, session)
    except LaunchFailed as failed:
        raise _no_capacity(session, failed.cause.words) from None


def _no_capacity(session: Session, why: str = "") -> Refusal:
    return Refusal("capacity", session=session.id, detail=why, retry_after_ms=give_up_relay.RETRY_MS)


def reload(ports: Ports, session: Session) -> Session:
    """Reload the session. Raises StaleRequest, Refusal(`session_ended`)."""
    found = sessions.load(ports.table, session.id)
    if found is None or found.state == "ENDED":
        raise Refusal(end_code(found.reason if found else ""), session=session.id)
    if found.request_seq != session.request_seq:
        raise StaleRequest
    return found
