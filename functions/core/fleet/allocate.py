"""Finds a relay for a session: its own, a place on a ready one, a place on a coming one, or a new task.

Every decision is a conditional write; what was read before it only says what to try. When a write fails
somebody else was faster, and we look again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from functions.core.fleet import give_up_relay as stranded
from functions.core.fleet import start_relay as fleet
from functions.core.runtime.ports import LaunchFailed, Ports
from functions.core.runtime.refusal import Overtaken, Refusal
from records import relays, sessions
from records.relays import Pool, Relay
from records.sessions import Session
from records.table import ConditionFailed
from records.tickets import LIFETIME_S

ROUNDS = 12  #: looks at the pool; each one lost means that another opener got on
HOLD_S = LIFETIME_S + 15  #: a place waits for its client a little longer than the ticket is good


@dataclass(frozen=True, slots=True)
class Placed:
    """A session and the relay it now belongs to, which may still be starting."""

    session: Session
    relay: Relay


def place(ports: Ports, session: Session, avoid: str = "") -> Placed:
    """A relay for the session, but not the one to `avoid`, which its client could not reach.

    Raises Overtaken, Refusal: `capacity`, or `session_ended` when it ended meanwhile.
    """
    for _ in range(ROUNDS):
        placed = _keep(ports, session, avoid) or _take(ports, session, avoid)
        if placed is not None:
            return placed
        session = _reload(ports, session)
    raise _none(session)


def _keep(ports: Ports, session: Session, avoid: str) -> Placed | None:
    """The relay it has, while that one is alive: same epoch, and the conversation goes on where it is."""
    if not session.relay or session.relay == avoid:
        return None
    now = ports.now()
    relay = relays.load(ports.table, session.relay)
    if relay is None:
        return None
    if relay.is_coming(now) and session.id in relay.leases:
        _launch(ports, session, relay, fleet.relaunch)
        return Placed(session, relay)
    if relay.is_fresh(now) and sessions.renew_lease(ports.table, session, until=now + HOLD_S, now=now):
        return Placed(session, relay)
    return None


def _take(ports: Ports, session: Session, avoid: str) -> Placed | None:
    """A place on another relay; None when it is worth looking again."""
    now = ports.now()
    pool = relays.pool(ports.table)
    known = relays.load_all(ports.table, pool.slots.values())
    leave = session.relay in {relay.id for relay in known}
    candidates = _candidates(ports, known, avoid, now)
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
        _launch(ports, placed, relay, fleet.relaunch)
        return Placed(placed, relay)
    if not candidates:  # else they changed while we looked: one that became ready has room all the same
        _start(ports, session, pool, known, now)
    return None


def _candidates(ports: Ports, known: Iterable[Relay], avoid: str, now: int) -> list[Relay]:
    """Ready ones first, the fullest of them first: that lets the others run empty and end.

    One that a client could not reach and that was not heard of since comes last of the ready ones: it may be
    well all the same, and a new one takes long. It is none for a client that has met a dead one itself.
    """
    usable = [
        relay
        for relay in known
        if relay.revision == ports.config.relay.revision
        and relay.id != avoid
        and not (avoid and relay.is_reported)
        and relay.has_room()
        and (relay.is_fresh(now) or relay.is_coming(now))
    ]
    return sorted(usable, key=_rank)


def _rank(relay: Relay) -> tuple[bool, bool, int, int]:
    return relay.state != "READY", relay.is_reported, -len(relay.leases), relay.started_at


def _start(ports: Ports, session: Session, pool: Pool, known: Sequence[Relay], now: int) -> None:
    """Start one task, unless somebody has changed the pool since it was read."""
    lost = [relay for relay in known if relay.is_lost(now)]
    if stranded.clear(ports, pool, known, lost, but=session.id):
        return  # there are free slots now: look again
    try:
        relay = fleet.register(ports, ports.config.relay, pool)
    except fleet.Full:
        raise _none(session) from None
    if relay is not None:
        _launch(ports, session, relay, fleet.launch)


def _launch(ports: Ports, session: Session, relay: Relay, how: Callable[[Ports, Relay, str], None]) -> None:
    try:
        how(ports, relay, session.id)
    except LaunchFailed:
        raise _none(session) from None


def _none(session: Session) -> Refusal:
    return Refusal("capacity", session=session.id, retry_after_ms=stranded.RETRY_MS)


def _reload(ports: Ports, session: Session) -> Session:
    """The session as it is now. Raises Overtaken, Refusal(`session_ended`)."""
    found = sessions.load(ports.table, session.id)
    if found is None or found.state == "ENDED":
        raise Refusal("session_ended", session=session.id)
    if found.request_seq != session.request_seq:
        raise Overtaken
    return found
