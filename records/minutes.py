"""Minutes of a user's day: reserved when a session starts, settled when it ends.

Time counts while a session's model is connected, spoken or not. A relay reports it periodically, per epoch
and as a sum, so that a report may be repeated and a relay that crashes loses a minute at most. Each report is
deducted from its session's reservation: concurrent starts cannot all take the remainder, and a report after
the end, or by a fenced relay, is counted like the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

from records.attributes import Item
from records.table import ConditionFailed, Key, Step, Table, Unavailable, check_step, update_step

DAY_S = 86_400
KEEP_S = 2 * DAY_S  #: retention of both counters: per day, and per session and epoch
TRIES = 8  #: attempts of a write that conflicts with others to the same item
DIGITS = 3  #: seconds are kept in ms: sums of them are then exact, and a condition can compare them


def reserve_step(user: str, seconds: int, *, limit_s: int, now: int) -> Step:
    """Write that reserves `seconds` of today (UTC), if `limit_s` allows. A part of opening a session."""
    return update_step(
        _day_key(user, now),
        "SET #ttl = :ttl ADD #seconds :seconds",
        "attribute_not_exists(#seconds) OR #seconds <= :room",
        ttl=now + KEEP_S,
        seconds=seconds,
        room=limit_s - seconds,
    )


def seconds_today(table: Table, user: str, now: int) -> float:
    """Seconds of this day (UTC) that a user's sessions have used or reserved."""
    item = table.get(_day_key(user, now)) or {}
    return float(item.get("seconds", 0.0))


def note_connected(table: Table, session: str, epoch: int, seconds: float, now: int) -> float:
    """Record the model's connected time in this epoch so far. Returns the part that was not counted yet.

    Not fenced: a relay that lost its session had a model connected all the same, and a session may have been
    ended elsewhere before its relay could report the rest. Raises Unavailable.
    """
    for _ in range(TRIES):
        before_s = float((table.get(_connected_key(session, epoch)) or {}).get("seconds", 0.0))
        more_s = round(seconds - before_s, DIGITS)
        owner = table.get(Key(f"SES#{session}"))
        if more_s <= 0 or owner is None:
            return 0.0
        note = update_step(
            _connected_key(session, epoch),
            "SET #seconds = :seconds, #ttl = :ttl",
            "attribute_not_exists(#seconds) OR #seconds = :before",
            seconds=round(seconds, DIGITS),
            before=before_s,
            ttl=now + KEEP_S,
        )
        try:
            table.transact(note, *_count_steps(session, owner, more_s))
        except ConditionFailed:
            continue  # a concurrent report or settlement won
        return more_s
    raise Unavailable("note")


def _count_steps(session: str, owner: Item, more_s: float) -> Sequence[Step]:
    """Deduct from the reservation, which the day has counted already; without one, add to the day."""
    meta = Key(f"SES#{session}")
    if "reserved_s" in owner:
        return [update_step(meta, "ADD #reserved_s :less", "attribute_exists(#reserved_s)", less=-more_s)]
    day = update_step(_day_key(owner["user"], owner["created_at"]), "ADD #seconds :more", more=more_s)
    return check_step(meta, "attribute_not_exists(#reserved_s)"), day


def settle(table: Table, session: str) -> None:
    """Return the unused reservation of an ended session, once. Raises Unavailable."""
    for _ in range(TRIES):
        item = table.get(Key(f"SES#{session}")) or {}
        if "reserved_s" not in item or item["state"] != "ENDED":
            return
        unused = item["reserved_s"]
        try:
            table.transact(
                update_step(
                    Key(f"SES#{session}"), "REMOVE #reserved_s", "#reserved_s = :unused", unused=unused
                ),
                update_step(_day_key(item["user"], item["created_at"]), "ADD #seconds :less", less=-unused),
            )
        except ConditionFailed:
            continue  # a concurrent report or settlement won
        return
    raise Unavailable("settle")


def _day_key(user: str, now: int) -> Key:
    return Key(f"USER#{user}", f"DAY#{now // DAY_S}")


def _connected_key(session: str, epoch: int) -> Key:
    return Key(f"SES#{session}", f"CONNECTED#{epoch:06d}")
