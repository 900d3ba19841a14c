"""Open sessions of a user, counted by the limit on concurrent sessions.

A map of session to the epoch s of its expiry, which bounds how long a crash can leak an entry.
"""

from __future__ import annotations

from collections.abc import Mapping

from records.table import ConditionFailed, Key, Step, Table, update_step

LISTED = "OPEN"  #: index partition of the users who have a session open; others are not indexed
ABANDONED_S = 120  #: after `join_deadline`; a client that has not joined by then is taken for gone


class Full(Exception):
    """Limit on concurrent sessions reached."""


def prepare(table: Table, user: str) -> None:
    """Have the map that `enter_step` writes to. Harmless when it is there."""
    if table.get(_key(user)) is None:
        try:
            table.put(_key(user), {"sessions": {}}, "attribute_not_exists(PK)")
        except ConditionFailed:
            pass  # a concurrent start made it


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
    """Remove a session. Harmless when it was not counted."""
    counted = "attribute_exists(#sessions.#session)"
    try:
        left = table.update(_key(user), "REMOVE #sessions.#session", counted, {"session": session})
    except ConditionFailed:
        return
    if not left["sessions"]:
        unlist(table, user)


def unlist(table: Table, user: str) -> None:
    """Take a user without sessions out of the index."""
    try:
        table.update(_key(user), "REMOVE #GSI1PK, #GSI1SK", "size(#sessions) = :none", none=0)
    except ConditionFailed:
        pass  # one was opened meanwhile


def listed(table: Table) -> dict[str, frozenset[str]]:
    """Sessions counted as open, by user. The index is eventually consistent: the newest may be missing."""
    users = table.query("#GSI1PK = :listed", index=True, listed=LISTED)
    items = table.get_all([Key(item["PK"], item["SK"]) for item in users])
    return {item["PK"].removeprefix("USER#"): frozenset(item["sessions"]) for item in items}


def of_user(table: Table, user: str) -> Mapping[str, int]:
    """Sessions that are counted for a user, with the epoch s of their expiry."""
    item = table.get(_key(user)) or {}
    entered: Mapping[str, int] = item.get("sessions", {})
    return entered


def _key(user: str) -> Key:
    return Key(f"USER#{user}", "OPEN")
