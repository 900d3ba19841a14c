"""Warm-ups: when somebody connects, what a call will need is woken, once in a while for all who connect."""

from __future__ import annotations

from records.table import ConditionFailed, Key, Table

KEY = Key("WARM_UP")
EVERY_S = 60  #: functions and relays stay for longer than this once they are there


def claim(table: Table, now: int) -> bool:
    """Whether a warm-up is due, and the caller's to do. A put, which is all that `$connect` may."""
    item = {"at": now, "ttl": now + EVERY_S}
    try:
        table.put(KEY, item, "attribute_not_exists(PK) OR #at <= :before", before=now - EVERY_S)
    except ConditionFailed:
        return False
    return True
