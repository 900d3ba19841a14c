"""Relay tasks: their slots in the pool, the sessions they may hold, their heartbeat and their orders.

    STARTING --ready--> READY --stopping--> STOPPING
        |                 |                     |
        +---- leave ------+-- retire_if_idle ---+--> gone

A relay's capacity is a map of session ids, not a counter: to hold a place twice, or to give it back twice, is
then harmless. A place whose client never came is dropped by the relay's own heartbeat.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from records.table import ConditionFailed, Key, Step, StoreError, Table, put_step, update_step

State = Literal["STARTING", "READY", "STOPPING"]

FRESH_S = 15  #: a heartbeat older than this means the relay may be dead; three are due in that time
START_S = 180  #: a task that is not ready by then is given up
LOST_S = 120  #: silence after which a relay loses its place in the pool
KEEP_S = 86_400  #: how long the record of a relay outlives it

POOL = Key("POOL")
STARTS = Key("RELAYSTART")
DEFAULT_START_MS = 30_000  #: expected start of a task while none has been measured
SMOOTHING = 8  #: each start moves the expected duration by an eighth of the difference


@dataclass(frozen=True, slots=True)
class Relay:
    """One relay task as the table knows it."""

    id: str
    slot: str
    revision: str
    capacity: int
    state: State
    started_at: int  #: epoch s of the decision to start it
    heartbeat: int = 0  #: epoch s, 0 before the first
    address: str = ""  #: host:port for the edge, empty before `ready`
    launched: bool = False  #: the request to start its task was accepted
    reported_at: int = 0  #: epoch s at which a client said last that it cannot be reached, 0: none did
    places: Mapping[str, int] = field(default_factory=dict)  #: session to the epoch s it is held for a client

    def is_fresh(self, now: int) -> bool:
        """It can take a client now."""
        return self.state == "READY" and self.heartbeat > now - FRESH_S

    def is_coming(self, now: int) -> bool:
        """It can take a client soon."""
        return self.state == "STARTING" and self.started_at > now - START_S

    def is_lost(self, now: int) -> bool:
        """It will not be heard of again."""
        if self.state == "STARTING":
            return self.started_at <= now - START_S
        return self.heartbeat <= now - LOST_S

    @property
    def is_reported(self) -> bool:
        """A client could not reach it, and it was not heard of since."""
        return self.reported_at > 0 and self.reported_at >= self.heartbeat

    def has_room(self) -> bool:
        return len(self.places) < self.capacity


@dataclass(frozen=True, slots=True)
class Pool:
    """Who has which slot, in every revision. `generation` changes with every start."""

    generation: int
    slots: Mapping[str, str]  #: slot to relay id

    def free_slot(self, slots: int) -> str | None:
        """The lowest free one of so many slots."""
        return next((str(slot) for slot in range(slots) if str(slot) not in self.slots), None)


def key(relay: str) -> Key:
    return Key(f"RELAY#{relay}")


def load(table: Table, relay: str) -> Relay | None:
    """A relay by its id."""
    item = table.get(key(relay))
    return _relay(item) if item and "state" in item else None


def load_all(table: Table, relays: Iterable[str]) -> list[Relay]:
    """Those of the relays that have a record."""
    items = table.get_all(key(relay) for relay in set(relays))
    return [_relay(item) for item in items if "state" in item]


def pool(table: Table) -> Pool:
    """The pool as it is now."""
    item = table.get(POOL) or {}
    return Pool(item.get("generation", 0), item.get("slots", {}))


# ---- by who starts relays


def start_steps(relay: Relay, seen: Pool) -> tuple[Step, Step]:
    """Writes that register a relay as STARTING, if nobody has started one since `seen` was read.

    Of any number of openers with the same view of the pool one wins; the others look again and find it.
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
    """Make the record of a relay that nobody asked for (a warm one). False when it has one already.

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


def launched(table: Table, relay: str) -> None:
    """The task was asked for; nobody needs to ask again."""
    table.update(key(relay), "SET #launched = :true", "attribute_exists(PK)", true=True)


def hold_step(relay: str, session: str, *, state: State, until: int, now: int) -> Step:
    """Write that gives a session a place, if the relay is in that state, alive and not full.

    To hold a place again only moves `until`, the epoch s up to which it waits for its client.
    """
    alive = "#heartbeat > :oldest" if state == "READY" else "#started_at > :oldest"
    return update_step(
        key(relay),
        "SET #places.#session = :until",
        f"#state = :state AND {alive} AND (attribute_exists(#places.#session) OR size(#places) < #capacity)",
        {"session": session},
        until=until,
        state=state,
        oldest=now - (FRESH_S if state == "READY" else START_S),
    )


def release_step(relay: str, session: str) -> Step:
    """Write that gives a session's place back, to a relay that has a record."""
    return update_step(key(relay), "REMOVE #places.#session", "attribute_exists(PK)", {"session": session})


def release(table: Table, relay: str, session: str) -> None:
    """Give a session's place back. Harmless when it has none."""
    held = "attribute_exists(#places.#session)"
    try:
        table.update(key(relay), "REMOVE #places.#session", held, {"session": session})
    except ConditionFailed:
        pass


def order(table: Table, relay: str, order: str) -> None:
    """Leave an order that the relay reads at its next heartbeat.

    `end:<session>`, `rotate:<session>` (change its model leg at the next turn gap), `drain`.
    """
    try:
        table.update(key(relay), "ADD #orders :orders", "attribute_exists(PK)", orders=frozenset({order}))
    except ConditionFailed:
        pass  # a relay without a record has nobody to end


def report(table: Table, relay: str, now: int) -> None:
    """Note that a client could not reach a relay that is ready."""
    try:
        table.update(key(relay), "SET #reported_at = :now", "#state = :ready", now=now, ready="READY")
    except ConditionFailed:
        pass  # then nobody new is led there anyway


def drain(table: Table, only: str = "") -> list[str]:
    """Order every relay that is ready to leave, or `only` that one. Returns those that there were."""
    ready = [each.id for each in load_all(table, pool(table).slots.values()) if each.state == "READY"]
    told = sorted(each for each in ready if only in ("", each))
    for relay in told:
        order(table, relay, "drain")
    return told


def keep_warm(table: Table, relay: str, until: int) -> None:
    """Let a relay outlive its idle time up to `until` (epoch s): should nobody renew that, it ends itself."""
    try:
        table.update(key(relay), "SET #warm_until = :until", "attribute_exists(#state)", until=until)
    except ConditionFailed:
        pass


def eta_ms(table: Table, relay: Relay, now: int) -> int:
    """Expected ms until a starting relay is ready, at least a second."""
    mean_ms = (table.get(STARTS) or {}).get("mean_ms", DEFAULT_START_MS)
    return max(1000, int(mean_ms) - (now - relay.started_at) * 1000)


def leave(table: Table, relay: str) -> None:
    """Take a relay out of the pool for good: it ended, never started, or was silent for too long."""
    found = load(table, relay)
    if found is None:
        return
    table.update(key(relay), "SET #state = :stopping", "attribute_exists(PK)", stopping="STOPPING")
    free_slot(table, found.slot, relay)


def free_slot(table: Table, slot: str, relay: str) -> None:
    """Let another relay have the slot of this one. Harmless when another one has it."""
    try:
        table.update(POOL, "REMOVE #slots.#slot", "#slots.#slot = :relay", {"slot": slot}, relay=relay)
    except ConditionFailed:
        pass


# ---- by the relay


def ready(table: Table, relay: str, address: str, now: int) -> None:
    """The relay takes clients at `address` (host:port) from now on.

    Raises ConditionFailed when it was given up meanwhile; the task must then end.
    """
    item = table.update(
        key(relay),
        "SET #state = :ready, #address = :address, #heartbeat = :now, #ttl = :ttl",
        "#state IN (:starting, :ready)",
        ready="READY",
        starting="STARTING",
        address=address,
        now=now,
        ttl=now + KEEP_S,
    )
    with suppress(StoreError):  # a figure; the relay must not go for its sake
        _learn_start(table, (now - item["started_at"]) * 1000)


def heartbeat(table: Table, relay: str, used: int, now: int, held: Collection[str] | None = None) -> set[str]:
    """The relay lives, with `used` calls. Returns its orders and removes them.

    One that was given up meanwhile, for its silence, has the order `drain`: nobody is led to it any more.

    `held` are the sessions of those calls. Given them, or with no call at all, places are dropped that
    nobody uses and whose client had its time to come. Raises ConditionFailed when the record is gone.
    """
    item = table.update(
        key(relay),
        "SET #heartbeat = :now, #used = :used, #ttl = :ttl",
        "attribute_exists(#state)",
        now=now,
        used=used,
        ttl=now + KEEP_S,
    )
    if held is not None or used == 0:
        _drop_unused(table, relay, item["places"], held or (), now)
    orders: frozenset[str] = item.get("orders", frozenset())
    if orders:
        with suppress(StoreError):  # it may be done all the same: to read an order twice is harmless
            table.update(key(relay), "DELETE #orders :orders", orders=orders)
    was_given_up = {"drain"} if item["state"] == "STOPPING" else set()
    return set(orders) | was_given_up


def retire_if_idle(table: Table, relay: str, now: int) -> bool:
    """True when the relay may exit: nobody was in it or on the way, and it takes nobody from now on.

    One that is kept warm stays.
    """
    cold = "(attribute_not_exists(#warm_until) OR #warm_until <= :now)"
    idle = f"#state = :ready AND size(#places) = :none AND {cold}"
    try:
        item = table.update(
            key(relay), "SET #state = :stopping", idle, ready="READY", stopping="STOPPING", none=0, now=now
        )
    except ConditionFailed:
        return False
    free_slot(table, item["slot"], relay)
    return True


def stopping(table: Table, relay: str) -> None:
    """The relay takes nobody new; those it has stay. It calls `leave` when the last is gone."""
    try:
        table.update(key(relay), "SET #state = :stopping", "attribute_exists(#state)", stopping="STOPPING")
    except ConditionFailed:
        pass


def _drop_unused(
    table: Table, relay: str, places: Mapping[str, int], held: Collection[str], now: int
) -> None:
    for session, until in places.items():
        if until <= now and session not in held:
            drop_place(table, relay, session, until)


def drop_place(table: Table, relay: str, session: str, until: int) -> bool:
    """Give back a place that was seen to be held until then.

    False when an opener has moved `until` since: its client is on the way.
    """
    same = "#places.#session = :until"
    try:
        table.update(key(relay), "REMOVE #places.#session", same, {"session": session}, until=until)
    except ConditionFailed:
        return False
    return True


def _learn_start(table: Table, took_ms: int) -> None:
    """Two relays that become ready at once may lose one sample; the mean survives that."""
    known = (table.get(STARTS) or {}).get("mean_ms")
    mean_ms = took_ms if known is None else known + (took_ms - known) // SMOOTHING
    table.put(STARTS, {"mean_ms": mean_ms})


def _item(relay: Relay) -> dict[str, Any]:
    return {
        "slot": relay.slot,
        "revision": relay.revision,
        "capacity": relay.capacity,
        "state": relay.state,
        "started_at": relay.started_at,
        "heartbeat": relay.heartbeat,
        "launched": relay.launched,
        "places": relay.places,
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
        heartbeat=item["heartbeat"],
        address=item.get("address", ""),
        launched=item["launched"],
        reported_at=item.get("reported_at", 0),
        places=item["places"],
    )
