"""Notifies waiting clients that their relay has become ready."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from functions.core.fleet.allocate import HOLD_S, Placement
from functions.core.runtime.entry import logger, place_of
from functions.core.runtime.ports import Ports, VmGone
from functions.core.runtime.refusal import Refusal, StaleRequest
from functions.core.sessions import ready_reply
from records import connections, relays, sessions
from records.relays import Relay
from records.table import StoreError

WORKERS = 8  #: concurrent notifications: each takes half a dozen round trips, for dozens of sessions

Result = Literal["told", "left", "none"]


@dataclass(frozen=True, slots=True)
class Notified:
    """Result of one round."""

    told: int
    left: int  #: sessions for which there was no time: the relay invokes again


def relay_ready(ports: Ports, relay: str, has_time: Callable[[], bool]) -> Notified:
    """Send `ready` to every session with a lease there, without a client, whose request is unanswered."""
    found = relays.load(ports.table, relay)
    if found is None or not found.is_fresh(ports.now()):
        return Notified(0, 0)

    def notify(session: str) -> Result:
        return _notify(ports, found, session) if has_time() else "left"

    with ThreadPoolExecutor(WORKERS) as workers:
        results = list(workers.map(notify, sorted(found.leases)))
    done = Notified(results.count("told"), results.count("left"))
    logger.info("waiting sessions notified", extra={"relay": relay, "sessions": done.told, "left": done.left})
    return done


def _notify(ports: Ports, relay: Relay, session: str) -> Result:
    try:
        return _send_ready(ports, relay, session)
    except StaleRequest:
        return "none"  # its own request has answered it meanwhile, or a newer one will
    except (Refusal, StoreError) as error:
        # A session that cannot be notified must not block the others; its client will retry.
        logger.warning("waiting session not notified", extra={"session": session, **place_of(error)})
        return "none"


def _send_ready(ports: Ports, relay: Relay, session: str) -> Result:
    now = ports.now()
    found = sessions.load(ports.table, session)
    if found is None or found.state == "ENDED" or found.relay != relay.id:
        return "none"
    if found.is_joined or found.is_answered:
        return "none"
    connection = connections.load(ports.table, found.connection, now)
    if connection is None or not sessions.renew_lease(ports.table, found, until=now + HOLD_S, now=now):
        return "none"
    try:
        ready_reply.send(ports, Placement(found, relay), origin=connection.origin)
    except VmGone:
        relays.report_unreachable(ports.table, relay.id, now)
        ready_reply.lead(ports, found, origin=connection.origin, avoid=relay.id)
    return "told"
