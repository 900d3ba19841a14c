"""A relay that will not come, or come back: its slot is freed, and those who wait for it are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from functions.core.runtime.entry import logger, metrics
from functions.core.runtime.ports import Dispatch
from protocol.codec import control_error
from records import relays, sessions
from records.relays import Pool, Relay
from records.sessions import Session

RETRY_MS = 5_000  #: what a client is told to wait when there is no capacity


def clear(
    ports: Dispatch, pool: Pool, known: Iterable[Relay], lost: Sequence[Relay], but: str = ""
) -> dict[str, str]:
    """Free the slots of the lost, and of those without a record. Returns these slots and who had them."""
    for relay in lost:
        logger.warning("relay lost", extra={"relay": relay.id, "state": relay.state})
        give_up(ports, relay, but)
    alive = {relay.id for relay in known} - {relay.id for relay in lost}
    gone = {slot: relay for slot, relay in pool.slots.items() if relay not in alive}
    for slot, relay_id in gone.items():
        relays.free_slot(ports.table, slot, relay_id)
    return gone


def give_up(ports: Dispatch, relay: Relay, but: str = "") -> None:
    """Take the relay out of the pool. If it was still starting, nobody else tells those who wait there.

    The session `but` is the one that asks; it gets its own answer.
    """
    relays.leave(ports.table, relay.id)
    if relay.state != "STARTING":
        return
    metrics.add_metric("relays_given_up", "Count", 1)
    left = relays.load(ports.table, relay.id)
    for session in sorted(set(left.leases if left else ()) - {but}):
        found = sessions.load(ports.table, session)
        if found is not None and found.state == "OPEN" and found.relay == relay.id:
            _tell(ports, found)


def never_came(ports: Dispatch, session: Session) -> None:
    """End a session that no client ever reached, so that its request may be sent again."""
    sessions.cancel(ports.table, session.id, "capacity", ports.now())
    sessions.forget_request(ports.table, session)


def _tell(ports: Dispatch, session: Session) -> None:
    is_new = session.joined_epoch == 0
    if is_new:
        never_came(ports, session)
    ref = session.request if is_new else session.id
    error = control_error("capacity", ref=ref, retry_after_ms=RETRY_MS, fatal=is_new)
    i = sessions.next_reply_seq(ports.table, session.id)
    ports.replies.send(session.connection, msgspec.structs.replace(error, i=i))
    logger.info("waiting session given up", extra={"session": session.id})
