"""Relay tasks: pool slots, leases of sessions, heartbeats and orders.

    STARTING --ready--> READY --stopping--> STOPPING
        |                 |                     |
        +---- leave ------+-- retire_if_idle ---+--> gone

A relay that lives in a MicroVM can sleep in between: records/suspension.py.

A relay's leases are a map of session ids, not a counter: to acquire one twice, or to release it twice, is
then harmless. The relay's own heartbeat drops a lease whose client never joined.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from records import start_times
from records.start_times import Home
from records.table import ConditionFailed, Key, Step, StoreError, Table, put_step, update_step

State = Literal["STARTING", "READY", "STOPPING", "SUSPENDING", "SUSPENDED"]

FRESH_S = 15  #: a relay with an older heartbeat gets no new clients; three are due in that time
START_S = 180  #: start timeout of a task
LOST_S = 120  #: without a heartbeat, after which a relay is removed from the pool
KEEP_S = 86_400  #: retention of a relay's record after its end

POOL = Key("POOL")


@dataclass(frozen=True, slots=True)
class Relay:
    """One relay task as stored."""

    id: str
    slot: str
    revision: str
    capacity: int
    state: State
    started_at: int  #: epoch s of the decision to start or to wake it
    home: Home = "fargate"
    vm: str = ""  #: id of its MicroVM, once that was launched
    heartbeat: int = 0  #: epoch s, 0 before the first
    address: str = (
        ""  #: host:port for the edge, empty before `ready`; its MicroVM's endpoint, from the launch
    )
    launched: bool = False  #: the request to start its task was accepted
    reported_at: int = 0  #: epoch s of the newest report by a client, 0: none since its last heartbeat
    leases: Mapping[str, int] = field(default_factory=dict)  #: session to epoch s of expiry, unless joined
    left_at: Mapping[str, int] = field(default_factory=dict)  #: session whose client is gone, since epoch s

    def is_fresh(self, now: int) -> bool:
        """True when it can take a client now: its heartbeat is in time, and no client missed it since."""
        return self.state == "READY" and self.heartbeat > now - FRESH_S and not self.reported_at

    def is_coming(self, now: int) -> bool:
        """True when it is starting, within the start timeout."""
        return self.state == "STARTING" and self.started_at > now - START_S

    def has_room(self) -> bool:
        return len(self.leases) < self.capacity


@dataclass(frozen=True, slots=True)
class Pool:
    """Owner of each slot, over all revisions. `generation` changes with every start."""

    generation: int
    slots: Mapping[str, str]  #: slot to relay id
    swept_at: tuple[int, ...] = ()  #: epoch s of the latest sweeps: the table was available then

    def free_slot(self, slots: int) -> str | None:
        """Lowest free one of `slots` slots, or None."""
        return next((str(slot) for slot in range(slots) if str(slot) not in self.slots), None)


def key(relay: str) -> Key:
    return Key(f"RELAY#{relay}")


def load(table: Table, relay: str) -> Relay | None:
    """A relay by its id."""
    item = table.get(key(relay))
    return _relay(item) if item and "state" in item else None


def load_all(table: Table, relays: Iterable[str]) -> list[Relay]:
    """Relays that have a record."""
    items = table.get_all(key(relay) for relay in set(relays))
    return [_relay(item) for item in items if "state" in item]


def pool(table: Table) -> Pool:
    """The current pool."""
    item = table.get(POOL) or {}
    swept_at = tuple(item[name] for name in ("swept_at", "swept_before") if name in item)
    return Pool(item.get("generation", 0), item.get("slots", {}), swept_at)


def note_sweep(table: Table, seen: Pool, now: int) -> None:
    """Note that the table is available. Nothing is written where no relay has a slot: then nobody asks."""
    if seen.slots:
        before = max(seen.swept_at, default=0)
        table.update(POOL, "SET #swept_at = :now, #swept_before = :before", now=now, before=before)


# ---- writes of the functions, which start relays


def start_steps(relay: Relay, seen: Pool) -> tuple[Step, Step]:
    """Writes that register a relay as STARTING, if none was started since `seen` was read.

    Of any number of writers with the same view of the pool one wins; the others reload and find it.
    """
    if seen.generation:
        update = "SET #generation = :next, #slots.#slot = :relay"
        condition = "#generation = :seen AND attribute_not_exists(#slots.#slot)"
        enter = update_step(
            POOL,
            update,
            condition,
            {"slot": relay.slot},
            next=seen.generation + 1,
            seen=seen.generation,
            relay=relay.id,
        )
    else:
        first = {"generation": 1, "slots": {relay.slot: relay.id}}
        enter = put_step(POOL, first, "attribute_not_exists(PK)")
    return enter, put_step(key(relay.id), _item(relay), "attribute_not_exists(PK)")


def register(
    table: Table, relay: str, *, slot: str, revision: str, capacity: int, now: int, launched: bool = True
) -> bool:
    """Register a relay that no session requested (a warm one). False when it has a record already.

    Raises ConditionFailed when another relay has the slot.
    """
    if load(table, relay) is not None:
        return False
    fresh = Relay(relay, slot, revision, capacity, "STARTING", now, launched=launched)
    for _ in range(8):
        seen = pool(table)
        try:
            table.transact(*start_steps(fresh, seen))
            return True
        except ConditionFailed:
            if pool(table).generation == seen.generation:
                raise
    raise ConditionFailed


def mark_launched(table: Table, relay: str) -> None:
    """Note that RunTask was accepted, so that it is not repeated."""
    table.update(key(relay), "SET #launched = :true", "attribute_exists(PK)", true=True)


def mark_vm(table: Table, relay: str, vm: str, address: str) -> None:
    """Note which MicroVM it lives in, and where that is reached. The relay is not ready before."""
    table.update(
        key(relay), "SET #vm = :vm, #address = :address", "attribute_exists(PK)", vm=vm, address=address
    )


def lease_step(relay: str, session: str, *, state: State, until: int, now: int) -> Step:
    """Write that acquires a lease for a session, if the relay is in that state, alive and not full.

    Acquiring it again only moves `until`, the epoch s by which the client must join.
    """
    fresh = "#heartbeat > :oldest AND attribute_not_exists(#reported_at)"
    alive = fresh if state == "READY" else "#started_at > :oldest"
    return update_step(
        key(relay),
        "SET #leases.#session = :until",
        f"#state = :state AND {alive} AND (attribute_exists(#leases.#session) OR size(#leases) < #capacity)",
        {"session": session},
        until=until,
        state=state,
        oldest=now - (FRESH_S if state == "READY" else START_S),
    )


def release_step(relay: str, session: str) -> Step:
    """Write that releases a session's lease, on a relay that has a record."""
    return update_step(key(relay), "REMOVE #leases.#session", "attribute_exists(PK)", {"session": session})


def release(table: Table, relay: str, session: str) -> None:
    """Release a session's lease. Harmless when it has none."""
    held = "attribute_exists(#leases.#session)"
    try:
        table.update(key(relay), "REMOVE #leases.#session", held, {"session": session})
    except ConditionFailed:
        pass


def order(table: Table, relay: str, order: str) -> None:
    """Queue an order, which the relay reads at its next heartbeat.

    `end:<session>`, `rotate:<session>` (change its model leg at the next turn gap), `drain`.
    """
    try:
        table.update(key(relay), "ADD #orders :orders", "attribute_exists(PK)", orders=frozenset({order}))
    except ConditionFailed:
        pass  # a relay without a record has no sessions


def report_unreachable(table: Table, relay: str, now: int) -> None:
    """Record that a client could not reach a ready relay: until its heartbeat nobody else is led there."""
    try:
        table.update(key(relay), "SET #reported_at = :now", "#state = :ready", now=now, ready="READY")
    except ConditionFailed:
        pass  # a relay that is not ready gets no new sessions anyway


def drain(table: Table, only: str = "") -> list[str]:
    """Order all READY relays, or `only` that one, to drain. Returns the ids of those ordered."""
    ready = [each.id for each in load_all(table, pool(table).slots.values()) if each.state == "READY"]
    ordered = sorted(each for each in ready if only in ("", each))
    for relay in ordered:
        order(table, relay, "drain")
    return ordered


def keep_warm(table: Table, relay: str, until: int) -> None:
    """Exempt a relay from its idle timeout up to `until` (epoch s), unless renewed."""
    try:
        table.update(key(relay), "SET #warm_until = :until", "attribute_exists(#state)", until=until)
    except ConditionFailed:
        pass


def leave(table: Table, relay: str) -> None:
    """Remove a relay from the pool for good: it ended, never started, or its heartbeat timed out."""
    found = load(table, relay)
    if found is None:
        return
    table.update(key(relay), "SET #state = :stopping", "attribute_exists(PK)", stopping="STOPPING")
    free_slot(table, found.slot, relay)


def free_slot(table: Table, slot: str, relay: str) -> None:
    """Free the slot of a relay. Harmless when another relay has it."""
    try:
        table.update(POOL, "REMOVE #slots.#slot", "#slots.#slot = :relay", {"slot": slot}, relay=relay)
    except ConditionFailed:
        pass


# ---- writes of the relay itself


def ready(table: Table, relay: str, address: str, now: int) -> None:
    """Mark a relay as READY at `address` (host:port); without one, where its MicroVM is.

    Raises ConditionFailed when it was given up meanwhile; the task must then end. Also when it is to be where
    its MicroVM is, and that is not known yet.
    """
    placed = (", #address = :address", "") if address else ("", " AND attribute_exists(#vm)")
    item = table.update(
        key(relay),
        f"SET #state = :ready, #heartbeat = :now, #ttl = :ttl{placed[0]} REMOVE #reported_at",
        f"#state IN (:starting, :ready){placed[1]}",
        None,
        ready="READY",
        starting="STARTING",
        now=now,
        ttl=now + KEEP_S,
        **({"address": address} if address else {}),
    )
    with suppress(StoreError):  # only a statistic; its loss must not stop the relay
        start_times.learn(table, item.get("home", "fargate"), (now - item["started_at"]) * 1000)


def heartbeat(
    table: Table,
    relay: str,
    used: int,
    now: int,
    held: Collection[str] | None = None,
    left_at: Mapping[str, int] | None = None,
) -> set[str]:
    """Record a heartbeat with `used` calls. Returns the relay's orders; removes them and clients' reports.

    A relay that was given up meanwhile, for a missed heartbeat, has the order `drain`: it gets no sessions.

    `held` are the sessions of those calls. With them, or with no call at all, leases are dropped that have
    expired without a call. `left_at` are those whose client is gone, since when (epoch s). Raises
    ConditionFailed when there is no record.
    """
    item = table.update(
        key(relay),
        "SET #heartbeat = :now, #used = :used, #left_at = :left_at, #ttl = :ttl REMOVE #reported_at",
        "attribute_exists(#state)",
        now=now,
        used=used,
        left_at=left_at or {},
        ttl=now + KEEP_S,
    )
    if held is not None or used == 0:
        _drop_unused(table, relay, item["leases"], held or (), now)
    orders: frozenset[str] = item.get("orders", frozenset())
    if orders:
        with suppress(StoreError):  # the write may be applied; to read an order twice is harmless
            table.update(key(relay), "DELETE #orders :orders", orders=orders)
    was_given_up = {"drain"} if item["state"] == "STOPPING" else set()
    return set(orders) | was_given_up


def retire_if_idle(table: Table, relay: str, now: int) -> bool:
    """Stop an idle relay. True when it may exit: it had no lease, and can acquire none from now on.

    False for one that is kept warm.
    """
    cold = "(attribute_not_exists(#warm_until) OR #warm_until <= :now)"
    idle = f"#state = :ready AND size(#leases) = :none AND {cold}"
    try:
        item = table.update(
            key(relay), "SET #state = :stopping", idle, ready="READY", stopping="STOPPING", none=0, now=now
        )
    except ConditionFailed:
        return False
    free_slot(table, item["slot"], relay)
    return True


def stopping(table: Table, relay: str) -> None:
    """Stop new leases; existing calls go on. The relay calls `leave` after the last of them."""
    try:
        table.update(key(relay), "SET #state = :stopping", "attribute_exists(#state)", stopping="STOPPING")
    except ConditionFailed:
        pass


def _drop_unused(
    table: Table, relay: str, leases: Mapping[str, int], held: Collection[str], now: int
) -> None:
    for session, until in leases.items():
        if until <= now and session not in held:
            drop_lease(table, relay, session, until)


def drop_lease(table: Table, relay: str, session: str, until: int) -> bool:
    """Release a lease whose expiry is as seen.

    False when it was renewed since: its client is joining.
    """
    same = "#leases.#session = :until"
    try:
        table.update(key(relay), "REMOVE #leases.#session", same, {"session": session}, until=until)
    except ConditionFailed:
        return False
    return True


def _item(relay: Relay) -> dict[str, Any]:
    return {
        "slot": relay.slot,
        "revision": relay.revision,
        "capacity": relay.capacity,
        "state": relay.state,
        "started_at": relay.started_at,
        "home": relay.home,
        "heartbeat": relay.heartbeat,
        "launched": relay.launched,
        "leases": relay.leases,
        "ttl": relay.started_at + KEEP_S,
    }


def _relay(item: Mapping[str, Any]) -> Relay:
    return Relay(
        id=item["PK"].removeprefix("RELAY#"),
        slot=item["slot"],
        revision=item["revision"],
        capacity=item["capacity"],
        state=item["state"],
        started_at=item["started_at"],
        home=item.get("home", "fargate"),
        vm=item.get("vm", ""),
        heartbeat=item["heartbeat"],
        address=item.get("address", ""),
        launched=item["launched"],
        reported_at=item.get("reported_at", 0),
        leases=item["leases"],
        left_at=item.get("left_at", {}),
    )
