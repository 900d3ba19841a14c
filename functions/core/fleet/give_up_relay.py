"""Gives up a relay that failed to start or was lost: frees its slot, sends its waiting clients an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from functions.core.runtime.entry import logger, metrics
from functions.core.runtime.ports import Dispatch
from protocol.codec import control_error
from records import lost_relays, relays, session_status, sessions, start_failures
from records.relays import Pool, Relay
from records.sessions import Session
from records.start_failures import NEVER_CAME, Cause

RETRY_MS = 5_000  #: `retry_after_ms` of the `capacity` error
LASTING = 2  #: starts that fail in a row: the next one would, too
NOTHING_SAID: Mapping[str, Cause] = {}


def free_lost_slots(
    ports: Dispatch,
    pool: Pool,
    known: Iterable[Relay],
    lost: Sequence[Relay],
    but: Session | None = None,
    causes: Mapping[str, Cause] = NOTHING_SAID,
) -> dict[str, str]:
    """Free the slots of lost relays, and of those without a record. Returns slot to relay id.

    `causes` is what ECS says about their tasks, by relay.
    """
    given_up = {relay.id for relay in lost if give_up(ports, relay, causes.get(relay.id, NEVER_CAME), but)}
    alive = {relay.id for relay in known} - given_up
    freed = {slot: relay for slot, relay in pool.slots.items() if relay not in alive}
    for slot, relay_id in freed.items():
        relays.free_slot(ports.table, slot, relay_id)
    return freed


def give_up(ports: Dispatch, relay: Relay, cause: Cause, but: Session | None = None) -> bool:
    """Remove the relay from the pool. If it was still starting, send an error to the clients waiting for it.

    `but` is the session of the request that this is part of, which gets its own reply while it is the newest.
    False when the relay came up, or its heart beat, since it was read: then nothing is done. The slot is the
    last to go: after a crash the next sweep finds it taken by a relay that is lost, and does the rest.
    """
    if not lost_relays.stop(ports.table, relay):
        return False
    logger.warning("relay lost", extra={"relay": relay.id, "state": relay.state})
    in_row = 0
    if relay.state == "STARTING":
        in_row = start_failures.note(ports.table, relay.home, cause, ports.now())
        metrics.add_metric("relays_given_up", "Count", 1)
    if relay.state == "STARTING" or not relay.heartbeat:
        _tell_waiting(ports, relay.id, cause, but, is_lasting=in_row >= LASTING and not cause.passes)
    relays.free_slot(ports.table, relay.slot, relay.id)
    return True


def _tell_waiting(
    ports: Dispatch, relay: str, cause: Cause, but: Session | None, *, is_lasting: bool
) -> None:
    """Send an error to the clients that wait for a relay which never came."""
    left = relays.load(ports.table, relay)
    for session in sorted(left.leases if left else ()):
        found = sessions.load(ports.table, session)
        if found is None or found.state != "OPEN" or found.relay != relay:
            continue
        if but is None or (found.id, found.request_seq) != (but.id, but.request_seq):
            _send_error(ports, found, cause, is_lasting=is_lasting)


def cancel_start(ports: Dispatch, seen: Session, code: str = "capacity") -> bool:
    """End a session that no client has joined, so that its `start` may be retried.

    False when it is not as seen any more: it moved, was answered, or has a newer request.
    """
    if not session_status.end_start(ports.table, seen, code, ports.now()):
        return False
    sessions.forget_request(ports.table, seen)
    return True


def _send_error(ports: Dispatch, session: Session, cause: Cause, is_lasting: bool) -> None:
    """A call that began elsewhere is not ended for a start that fails: it asks again while it may."""
    is_new = session.joined_epoch == 0
    code = "relay_failed" if is_new and is_lasting else "capacity"
    if is_new and not cancel_start(ports, session, code):
        return  # whoever has changed it answers its client
    ref = session.request if is_new else session.id
    retry_ms = 0 if code == "relay_failed" else RETRY_MS
    error = control_error(code, ref=ref, detail=cause.words, retry_after_ms=retry_ms, fatal=is_new)
    i = sessions.next_reply_seq(ports.table, session.id)
    ports.replies.send(session.connection, msgspec.structs.replace(error, i=i))
    logger.info("waiting session given up", extra={"session": session.id})
