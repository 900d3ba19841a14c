"""A relay has become ready: tell those who wait for it."""

from __future__ import annotations

from functions.core import offers
from functions.core.capacity import HOLD_S, Placed
from functions.core.entry import logger, place_of
from functions.core.ports import Ports
from functions.core.refusal import Overtaken, Refusal
from records import connections, relays, sessions
from records.relays import Relay
from records.table import StoreError


def relay_ready(ports: Ports, relay: str) -> int:
    """Send `ready` to every session that has a place there and no client yet. Returns how many were told."""
    found = relays.load(ports.table, relay)
    if found is None or not found.is_fresh(ports.now()):
        return 0
    told = 0
    for session in sorted(found.places):
        try:
            told += _tell(ports, found, session)
        except (Overtaken, Refusal, StoreError) as error:
            # One that cannot be told must not keep the others waiting; its client will ask again.
            logger.warning("waiting session not told", extra={"session": session, **place_of(error)})
    logger.info("waiting sessions told", extra={"relay": relay, "sessions": told})
    return told


def _tell(ports: Ports, relay: Relay, session: str) -> bool:
    now = ports.now()
    found = sessions.load(ports.table, session)
    if found is None or found.state == "ENDED" or found.relay != relay.id or found.is_claimed:
        return False
    connection = connections.load(ports.table, found.connection, now)
    if connection is None or not sessions.stay(ports.table, found, until=now + HOLD_S, now=now):
        return False
    offers.answer(ports, Placed(found, relay), used_hash=found.key_hash, origin=connection.origin)
    return True
