"""Minutes of a user's day: reserved when a session starts, settled when it ends.

What counts is the time in which a session's model is connected, spoken or not. A relay notes it as it goes,
per epoch and as a sum, so that a note may be repeated and a relay that dies loses a minute at most. Until the
end the whole reservation counts: several starts at once cannot all have what is left.
"""

from __future__ import annotations

from records.table import ConditionFailed, Fenced, Key, Table, check_step, put_step, update_step

DAY_S = 86_400
KEEP_S = 2 * DAY_S  #: of what is counted, and of what a session was connected
TRIES = 8  #: of a reservation that other starts of the same user get ahead of


def reserve(table: Table, user: str, *, want_s: int, limit_s: int, now: int) -> int:
    """Take up to `want_s` of what is left of `limit_s` today (UTC). Returns the seconds; 0: none are."""
    for _ in range(TRIES):
        seconds = min(want_s, int(limit_s - seconds_today(table, user, now)))
        if seconds <= 0:
            return 0
        try:
            table.update(
                _day_key(user, now),
                "SET #ttl = :ttl ADD #seconds :seconds",
                "attribute_not_exists(#seconds) OR #seconds <= :room",
                ttl=now + KEEP_S,
                seconds=seconds,
                room=limit_s - seconds,
            )
        except ConditionFailed:
            continue
        return seconds
    return 0


def give_back(table: Table, user: str, seconds: float, reserved_at: int) -> None:
    """Undo a reservation for which no session was opened."""
    table.update(_day_key(user, reserved_at), "ADD #seconds :less", less=-seconds)


def seconds_today(table: Table, user: str, now: int) -> float:
    """Seconds of this day (UTC) that a user's sessions have used, or hold reserved."""
    item = table.get(_day_key(user, now)) or {}
    return float(item.get("seconds", 0.0))


def note_connected(table: Table, session: str, epoch: int, seconds: float, now: int) -> None:
    """Note how long the model was connected in this epoch so far. Raises Fenced."""
    try:
        table.transact(
            check_step(Key(f"SES#{session}"), "#epoch = :epoch", epoch=epoch),
            put_step(_connected_key(session, epoch), {"seconds": seconds, "ttl": now + KEEP_S}),
        )
    except ConditionFailed:
        raise Fenced(session) from None


def connected(table: Table, session: str) -> float:
    """Seconds that a session's model was connected, over all its relays, as far as they have noted it."""
    noted = table.query("#PK = :pk AND begins_with(#SK, :noted)", pk=f"SES#{session}", noted="CONNECTED#")
    return sum(float(item["seconds"]) for item in noted)


def settle(table: Table, session: str) -> None:
    """Count what an ended session has used and free the rest of its reservation. Once only."""
    item = table.get(Key(f"SES#{session}")) or {}
    reserved_s = item.get("reserved_s")
    if not reserved_s or item["state"] != "ENDED":
        return
    more_s = connected(table, session) - float(reserved_s)
    try:
        table.transact(
            update_step(
                Key(f"SES#{session}"), "REMOVE #reserved_s", "#reserved_s = :reserved", reserved=reserved_s
            ),
            update_step(_day_key(item["user"], item["created_at"]), "ADD #seconds :more", more=more_s),
        )
    except ConditionFailed:
        pass  # somebody else has settled it


def _day_key(user: str, now: int) -> Key:
    return Key(f"USER#{user}", f"DAY#{now // DAY_S}")


def _connected_key(session: str, epoch: int) -> Key:
    return Key(f"SES#{session}", f"CONNECTED#{epoch:06d}")
