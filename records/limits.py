"""Rate limits by fixed-window counters: events of a kind, by one user, in each window of time."""

from __future__ import annotations

from records.table import ConditionFailed, Key, Table


def hit(table: Table, kind: str, who: str, *, limit: int, window_s: int, now: int) -> int:
    """Count one event. Returns 0 when it is allowed, else the ms until the window ends.

    A refused event is not counted. Two windows meet at a seam where up to twice the limit can pass.
    """
    window = now // window_s
    ends_at = (window + 1) * window_s
    try:
        table.update(
            Key(f"LIMIT#{kind}#{who}#{window}"),
            "ADD #hits :one SET #ttl = :ttl",
            "attribute_not_exists(#hits) OR #hits < :limit",
            one=1,
            limit=limit,
            ttl=ends_at + window_s,
        )
    except ConditionFailed:
        return (ends_at - now) * 1000
    return 0
