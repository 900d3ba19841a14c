"""Gives up a relay that failed to start or was lost: frees its slot, sends its waiting clients an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from functions.core.runtime.entry import logger, metrics
from functions.core.runtime.ports import Dispatch
from protocol.codec import control_error
from records import relays, sessions
from records.relays import Pool, Relay
from records.sessions import Session

RETRY_MS = 5_000  #: `retry_after_ms` of the `capacity` error


def free_lost_slots(
    ports: Dispatch, pool: Pool, known: Iterable[Relay], lost: Sequence[Relay], but: str = ""
) -> dict[str, str]:
    """Free the slots of lost relays, and of those without a record. Returns slot to relay id."""
    for relay in lost:
        logger.warning("relay lost", extra={"relay": relay.id, "state": relay.state})
        give_up(ports, relay, but)
    alive = {relay.id for relay in known} - {relay.id for relay in lost}
    freed = {slot: relay for slot, relay in pool.slots.items() if relay not in alive}
    for slot, relay_id in freed.items():
        relays.free_slot(ports.table, slot, relay_id)
    return freed


def give_up(ports: Dispatch, relay: Relay, but: str = "") -> None:
    """Remove the relay from the pool. If it was still starting, send an error to the clients waiting for it.

    `but` is the requesting session, which gets its own reply.
    """
    relays.leave(ports.table, relay.id)
    if relay.state != "STARTING":
        return
    metrics.add_metric("relays_given_up", "Count", 1)
    left = relays.load(ports.table, relay.id)
    for session in sorted(set(left.leases if left else ()) - {but}):
        found = sessions.load(ports.table, session)
        if found is not None and found.state == "OPEN" and found.relay == relay.id:
            _send_capacity_error(ports, found)


def cancel_start(ports: Dispatch, session: Session, code: str = "capacity") -> None:
    """End a session that no client has joined, so that its `start` may be retried."""
    sessions.cancel(ports.table, session.id, code, ports.now())
    sessions.forget_request(ports.table, session)


def _send_capacity_error(ports: Dispatch, session: Session) -> None:
    is_new = session.joined_epoch == 0
    if is_new:
        cancel_start(ports, session)
    ref = session.request if is_new else session.id
    error = control_error("capacity", ref=ref, retry_after_ms=RETRY_MS, fatal=is_new)
    i = sessions.next_reply_seq(ports.table, session.id)
    ports.replies.send(session.connection, msgspec.structs.replace(error, i=i))
    logger.info("waiting session given up", extra={"session": session.id})
