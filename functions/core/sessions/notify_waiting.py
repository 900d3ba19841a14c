"""A relay has become ready: tell those who wait for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from functions.core.fleet.allocate import HOLD_S, Placed
from functions.core.runtime.entry import logger, place_of
from functions.core.runtime.ports import Ports
from functions.core.runtime.refusal import Overtaken, Refusal
from functions.core.sessions import ready_reply as offers
from records import connections, relays, sessions
from records.relays import Relay
from records.table import StoreError

TELLERS = 8  #: told at a time: each takes half a dozen round trips, and a relay has dozens who wait

Result = Literal["told", "left", "none"]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one try."""

    told: int
    left: int  #: for whom there was no time: the relay asks again


def relay_ready(ports: Ports, relay: str, has_time: Callable[[], bool]) -> Told:
    """Send `ready` to every session that has a place there, no client yet, and was not told before."""
    found = relays.load(ports.table, relay)
    if found is None or not found.is_fresh(ports.now()):
        return Told(0, 0)

    def tell(session: str) -> Result:
        return _tell(ports, found, session) if has_time() else "left"

    with ThreadPoolExecutor(TELLERS) as tellers:
        results = list(tellers.map(tell, sorted(found.leases)))
    told = Told(results.count("told"), results.count("left"))
    logger.info("waiting sessions told", extra={"relay": relay, "sessions": told.told, "left": told.left})
    return told


def _tell(ports: Ports, relay: Relay, session: str) -> Result:
    try:
        return _offer(ports, relay, session)
    except Overtaken:
        return "none"  # its own request has told it meanwhile, or a newer one will
    except (Refusal, StoreError) as error:
        # One that cannot be told must not keep the others waiting; its client will ask again.
        logger.warning("waiting session not told", extra={"session": session, **place_of(error)})
        return "none"


def _offer(ports: Ports, relay: Relay, session: str) -> Result:
    now = ports.now()
    found = sessions.load(ports.table, session)
    if found is None or found.state == "ENDED" or found.relay != relay.id:
        return "none"
    if found.is_joined or found.is_answered:
        return "none"
    connection = connections.load(ports.table, found.connection, now)
    if connection is None or not sessions.renew_lease(ports.table, found, until=now + HOLD_S, now=now):
        return "none"
    offers.answer(ports, Placed(found, relay), origin=connection.origin)
    return "told"
