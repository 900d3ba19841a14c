"""Which sessions a user has open: what the limit on concurrent sessions counts.

A map of session to the epoch s after which it cannot be open any more: no crash leaks a place for longer.
"""

from __future__ import annotations

from collections.abc import Mapping

from records.table import ConditionFailed, Key, Step, Table, update_step

LISTED = "OPEN"  #: in the index, the users who have a session open; the others are not in it
ABANDONED_S = 120  #: a client that did not come for so long after its ticket lapsed will not come


class Full(Exception):
    """The user has as many sessions open as are allowed. `retry_after_s` is when the first must end."""

    def __init__(self, retry_after_s: int = 60) -> None:
        super().__init__("sessions")
        self.retry_after_s = retry_after_s


def make_room(table: Table, user: str, *, limit: int, now: int) -> None:
    """Drop what is not open any more, when it would be in the way. Raises Full when nothing is."""
    item = table.get(_key(user))
    if item is None:
        _create(table, user)
        return
    entered: Mapping[str, int] = item["sessions"]
    if len(entered) < limit:
        return
    gone = {session for session in entered if entered[session] <= now} or _dead(table, entered, now)
    if not gone:
        raise Full(max(1, min(entered.values(), default=now) - now))
    for session in gone:
        leave(table, user, session)


def enter_step(user: str, session: str, *, until: int, limit: int) -> Step:
    """Write that counts a session as open until it leaves, or `until` (epoch s)."""
    return update_step(
        _key(user),
        "SET #sessions.#session = :until, #GSI1PK = :listed, #GSI1SK = :user",
        "size(#sessions) < :limit",
        {"session": session},
        until=until,
        limit=limit,
        listed=LISTED,
        user=user,
    )


def leave(table: Table, user: str, session: str) -> None:
    """A session is not open any more. Harmless when it was not counted."""
    counted = "attribute_exists(#sessions.#session)"
    try:
        left = table.update(_key(user), "REMOVE #sessions.#session", counted, {"session": session})
        if not left["sessions"]:
            table.update(_key(user), "REMOVE #GSI1PK, #GSI1SK", "size(#sessions) = :none", none=0)
    except ConditionFailed:
        pass


def listed(table: Table) -> dict[str, frozenset[str]]:
    """The sessions that count as open, by user. By the index, so the newest may be missing for a moment."""
    users = table.query("#GSI1PK = :listed", index=True, listed=LISTED)
    items = table.get_all([Key(item["PK"], item["SK"]) for item in users])
    return {item["PK"].removeprefix("USER#"): frozenset(item["sessions"]) for item in items}


def _create(table: Table, user: str) -> None:
    try:
        table.put(_key(user), {"sessions": {}}, "attribute_not_exists(PK)")
    except ConditionFailed:
        pass


def _dead(table: Table, entered: Mapping[str, int], now: int) -> set[str]:
    """Those whose record says that they ended, or that no client ever came."""
    alive = {
        str(item["PK"]).removeprefix("SES#")
        for item in table.get_all(Key(f"SES#{session}") for session in entered)
        if item["state"] == "OPEN"
        and (item["claimed"] == item["epoch"] > 0 or item["held_until"] > now - ABANDONED_S)
    }
    return set(entered) - alive


def _key(user: str) -> Key:
    return Key(f"USER#{user}", "OPEN")
