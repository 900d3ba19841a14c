"""Starts relays: one for each view of the pool, however many requests share that view."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from functions.core.fleet import give_up_relay
from functions.core.runtime.config import RelayConfig
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import Dispatch, LaunchFailed
from records import relays, suspension
from records.relays import Pool, Relay
from records.sessions import Session
from records.start_times import Home
from records.table import ConditionFailed

RELAUNCH_S = 10  #: RunTask is repeated when it was not confirmed by then


class Full(Exception):
    """All slots are taken."""


def register(ports: Dispatch, config: RelayConfig, seen: Pool, home: Home) -> Relay | None:
    """Register a relay that is to be launched. None when the pool has changed since. Raises Full."""
    slot = seen.free_slot(config.slots)
    if slot is None:
        raise Full
    relay = Relay(
        id=secrets.token_hex(8),
        slot=slot,
        revision=config.revision_of(home),
        capacity=config.capacity_of(home),
        state="STARTING",
        started_at=ports.now(),
        home=home,
    )
    try:
        ports.table.transact(*relays.start_steps(relay, seen))
    except ConditionFailed:
        return None
    return relay


def launch(ports: Dispatch, relay: Relay, asker: Session | None = None) -> None:
    """Start it, or wake it. Raises LaunchFailed, after an error to its waiting clients, except `asker`."""
    try:
        launched = ports.launcher.launch(relay)
    except LaunchFailed as failed:
        give_up_relay.give_up(ports, relay, failed.cause, but=asker)
        raise
    if launched is not None:
        relays.mark_vm(ports.table, relay.id, launched.vm, launched.address)
    relays.mark_launched(ports.table, relay.id)
    logger.info("relay started", extra={"relay": relay.id, "slot": relay.slot, "home": relay.home})


def wake(ports: Dispatch, relay: Relay) -> bool:
    """Wake a relay that sleeps, for nobody yet. False when another request has done so, or it cannot be."""
    if not suspension.wake(ports.table, relay.id, ports.now()):
        return False
    found = relays.load(ports.table, relay.id) or relay
    try:
        launch(ports, found)
    except LaunchFailed as failed:
        logger.warning("relay not woken", extra={"relay": relay.id, "cause": failed.cause.words})
        return False
    return True


def start(ports: Dispatch, config: RelayConfig, seen: Pool, missing: int, home: Home) -> Iterator[Relay]:
    """Start `missing` relays and give each; end at a concurrent start: there are more than were counted."""
    pool = seen
    for _ in range(missing):
        try:
            relay = register(ports, config, pool, home)
            if relay is None:
                return
            launch(ports, relay)
        except (Full, LaunchFailed):
            return
        yield relay
        # The pool's first start makes its generation 1, each later one adds 1.
        pool = Pool(pool.generation + 1, {**pool.slots, relay.slot: relay.id})


def relaunch(ports: Dispatch, relay: Relay, asker: Session | None = None) -> None:
    """Launch a relay whose registrant may have crashed before doing so. Raises LaunchFailed."""
    is_unconfirmed = relay.state == "STARTING" and not relay.launched
    if is_unconfirmed and relay.started_at <= ports.now() - RELAUNCH_S:
        launch(ports, relay, asker)
