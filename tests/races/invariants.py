"""What must hold of the records, as plain predicates: each gives what is wrong, or ""."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from records import sessions
from tests.races.world import World


def metas(world: World) -> Iterator[tuple[str, Any]]:
    """Id and record of each session."""
    for (pk, sk), item in world.items.items():
        if pk.startswith("SES#") and sk == "META":
            yield pk.removeprefix("SES#"), item


def fleet(world: World) -> Iterator[tuple[str, Any]]:
    """Id and record of each relay."""
    for (pk, _), item in world.items.items():
        if pk.startswith("RELAY#"):
            yield pk.removeprefix("RELAY#"), item


def inboxes(world: World) -> Iterator[tuple[str, list[Any]]]:
    """Connection, and the messages that it got, in the order of their `i`."""
    for (_, connection), held in world.named("inbox").items():
        told = [json.loads(message) for message in held]
        yield connection, sorted(told, key=lambda message: message.get("i", 0))


def one_relay_owns_a_session(world: World) -> str:
    """An owned session has its lease there, or its client is on it; no ready relay is over its capacity."""
    for id, relay in fleet(world):
        if len(relay["leases"]["M"]) > int(relay["capacity"]["N"]):
            return f"relay {id} has more leases than places"
    for id, session in metas(world):
        if int(session["joined_epoch"]["N"]) > int(session["epoch"]["N"]):
            return f"session {id} is joined in an epoch that is not yet"
    return ""


def slots_are_consistent(world: World) -> str:
    """A relay that can be led to has its slot."""
    slots = world.items.get(("POOL", "META"), {}).get("slots", {"M": {}})["M"]
    owners = {held["S"] for held in slots.values()}
    for id, relay in fleet(world):
        if relay["state"]["S"] in ("READY", "STARTING", "SUSPENDED") and id not in owners:
            return f"relay {id} is {relay['state']['S']} and has no slot"
    return ""


def every_told_key_works(world: World) -> str:
    """Whichever answer came to a client: its key resumes an open session."""
    for connection, told in inboxes(world):
        for message in told:
            if "resume_key" not in message:
                continue
            item = world.items[f"SES#{message['session']}", "META"]
            if (
                item["state"]["S"] == "OPEN"
                and sessions.hash_key(message["resume_key"]) not in item["keys"]["M"]
            ):
                return f"a key that {connection} was told does not work"
    return ""


def one_ready_for_each_request(world: World) -> str:
    """A connection gets at most one `ready` for its request."""
    for connection, told in inboxes(world):
        if sum(message["type"] == "ready" for message in told) > 1:
            return f"{connection} got two ready"
    return ""


def is_told(*connections: str) -> Callable[[World], str]:
    """Each of these got the end of its request: `ready`, an error, or `ended`."""

    def invariant(world: World) -> str:
        told = dict(inboxes(world))
        for connection in connections:
            last = told.get(connection, [{"type": "nothing"}])
            if not any(message["type"] in ("ready", "error", "ended") for message in last):
                return f"{connection} waits, and was told {last[-1]['type']}"
        return ""

    return invariant


def is_told_or_over(connection: str) -> Callable[[World], str]:
    """It was told the end of its request, or its session has ended: its next copy is answered."""

    def invariant(world: World) -> str:
        newest = {
            session["connection"]["S"] for _, session in metas(world) if session["state"]["S"] == "OPEN"
        }
        return is_told(connection)(world) if connection in newest else ""

    return invariant


def newest_is_told(*connections: str) -> Callable[[World], str]:
    """The connection that asked last, as the session's record has it, got the end of its request.

    Or it waits for a relay that still comes: by that it is told, or by the sweep.
    """

    def invariant(world: World) -> str:
        for id, session in metas(world):
            newest = session["connection"]["S"]
            wrong = is_told(newest)(world) if newest in connections else ""
            if wrong and not _waits_for_a_relay(world, id, session):
                return wrong
        return ""

    return invariant


def _waits_for_a_relay(world: World, id: str, session: Any) -> bool:
    relay = dict(fleet(world)).get(session.get("relay", {}).get("S", ""), {})
    is_coming = relay.get("state", {}).get("S") == "STARTING" and id in relay["leases"]["M"]
    return bool(session["state"]["S"] == "OPEN" and is_coming)


def ended_by_its_owner(reason: str, epoch: int) -> Callable[[World], str]:
    """A session that was ended for this reason is in that epoch."""

    def invariant(world: World) -> str:
        for id, session in metas(world):
            is_ended = session["state"]["S"] == "ENDED" and session["reason"]["S"] == reason
            if is_ended and int(session["epoch"]["N"]) != epoch:
                return f"session {id} was ended by a relay that does not own it"
        return ""

    return invariant


def no_live_call_is_ended(*reasons: str) -> Callable[[World], str]:
    """No session that a client has joined is ended for one of these reasons."""

    def invariant(world: World) -> str:
        for id, session in metas(world):
            is_joined = int(session["epoch"]["N"]) == int(session["joined_epoch"]["N"]) > 0
            if is_joined and session["state"]["S"] == "ENDED" and session["reason"]["S"] in reasons:
                return f"session {id} was ended under its client: {session['reason']['S']}"
        return ""

    return invariant


def at_most(count: int) -> Callable[[World], str]:
    """The quota of open sessions holds."""

    def invariant(world: World) -> str:
        if sum(session["state"]["S"] == "OPEN" for _, session in metas(world)) > count:
            return f"more than {count} open sessions"
        return ""

    return invariant


def at_least(count: int) -> Callable[[World], str]:
    """So many sessions are open."""

    def invariant(world: World) -> str:
        is_open = sum(session["state"]["S"] == "OPEN" for _, session in metas(world))
        return "" if is_open >= count else f"{is_open} open sessions of {count}"

    return invariant


def not_told(connection: str, *codes: str) -> Callable[[World], str]:
    """A connection is told none of these errors."""

    def invariant(world: World) -> str:
        told = {message.get("code") for message in dict(inboxes(world)).get(connection, [])}
        return "".join(f"{connection} was told {code}" for code in codes if code in told)

    return invariant


def are_kept(*relays: str) -> Callable[[World], str]:
    """These relays stay what they are."""

    def invariant(world: World) -> str:
        found = dict(fleet(world))
        return "".join(f"relay {id} was given up" for id in relays if found[id]["state"]["S"] != "READY")

    return invariant


def led_to_a_task(world: World) -> str:
    """Whoever was told `ready` was led to a relay whose task is there."""
    for id, session in metas(world):
        is_answered = session["answered_seq"]["N"] == session["request_seq"]["N"]
        if session["state"]["S"] == "OPEN" and is_answered and not world.get("task", session["relay"]["S"]):
            return f"session {id} was led to a relay that is gone"
    return ""


def minutes_are_counted_once(world: World) -> str:
    """What is counted of a day is what was reserved and not settled, and what was connected."""
    items = world.items
    connected = sum(
        float(item["seconds"]["N"]) for (_, sk), item in items.items() if sk.startswith("CONNECTED#")
    )
    reserved = sum(
        float(session["reserved_s"]["N"]) for _, session in metas(world) if "reserved_s" in session
    )
    counted = sum(float(item["seconds"]["N"]) for (_, sk), item in items.items() if sk.startswith("DAY#"))
    return "" if counted == reserved + connected else f"{counted} s counted, {reserved} and {connected} there"


def minutes_within(limit_s: int) -> Callable[[World], str]:
    """What is reserved and used of a day, together, is within the quota."""

    def invariant(world: World) -> str:
        for (_, sk), item in world.items.items():
            if sk.startswith("DAY#") and float(item["seconds"]["N"]) > limit_s:
                return f"{item['seconds']['N']} s of a day that has {limit_s}"
        return ""

    return invariant


def no_internal_error(world: World) -> str:
    """Nobody is told of an error that the code does not know."""
    for connection, told in inboxes(world):
        if any(message.get("code") == "internal" for message in told):
            return f"{connection} was told internal"
    return ""
