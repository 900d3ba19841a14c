"""Control connections: the user behind an API Gateway connection id."""

from __future__ import annotations

from dataclasses import dataclass

from records.attributes import Item
from records.table import ConditionFailed, Key, Table

KEEP_S = 3 * 3600  #: API Gateway closes a connection after two hours


@dataclass(frozen=True, slots=True)
class Connection:
    """Identity from `$connect`, the only event that carries headers."""

    id: str
    user: str  #: the JWT's subject
    expires_at: int  #: epoch s at which the JWT expires; may lie in the past
    origin: str  #: of the page, empty for a native client


def put(table: Table, connection: Connection, now: int) -> None:
    """Store a connection."""
    held = {
        "user": connection.user,
        "expires_at": connection.expires_at,
        "origin": connection.origin,
        "connected_at": now,
        "ttl": now + KEEP_S,
    }
    table.put(_key(connection.id), held)


def load(table: Table, connection: str, now: int) -> Connection | None:
    """The connection, unless it is unknown or too old to be open."""
    item = table.get(_key(connection))
    if item is None or item["ttl"] <= now:
        return None
    return _connection(connection, item)


def count_message(table: Table, connection: str, now: int) -> tuple[Connection, int] | None:
    """The connection, as `load` gives it, and how many messages it has sent, this one counted."""
    try:
        item = table.update(
            _key(connection), "ADD #messages :one", "attribute_exists(PK) AND #ttl > :now", one=1, now=now
        )
    except ConditionFailed:
        return None
    return _connection(connection, item), int(item["messages"])


def forget(table: Table, connection: str) -> None:
    """Drop a connection that closed, or that API Gateway says is gone."""
    table.delete(_key(connection))


def _connection(connection: str, item: Item) -> Connection:
    return Connection(connection, item["user"], item["expires_at"], item["origin"])


def _key(connection: str) -> Key:
    return Key(f"CONN#{connection}")
