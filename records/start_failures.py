"""Starts of relays that failed, one after the other, and why the last one did.

They lie beside the measured duration of starts; a relay that becomes ready overwrites both.
"""

from __future__ import annotations

from dataclasses import dataclass

from records.start_times import Home, key
from records.table import Table

KEEP_S = 600  #: a failure that is older says nothing about the next start
SAID_CHARACTERS = 500  #: kept of ECS's own words


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a task did not become a relay."""

    words: str  #: ends a sentence to a caller: no names, no ids
    said: str = ""  #: ECS's own words, for the operator
    passes: bool = False  #: by waiting, as a lack of capacity does; not kept in the record


NEVER_CAME = Cause("it did not come up in time")


@dataclass(frozen=True, slots=True)
class StartFailure:
    """The newest failure."""

    cause: Cause
    count: int  #: in a row, without a relay that became ready between
    at: int  #: epoch s


def note(table: Table, home: Home, cause: Cause, now: int) -> int:
    """Count a failed start. Returns how many have failed in a row. Two at once may be counted as one."""
    before = last(table, home)
    count = before.count + 1 if before is not None and now - before.at < KEEP_S else 1
    table.update(
        key(home),
        "SET #failed = :count, #failed_at = :now, #words = :words, #said = :said",
        count=count,
        now=now,
        words=cause.words,
        said=cause.said[:SAID_CHARACTERS],
    )
    return count


def last(table: Table, home: Home) -> StartFailure | None:
    """The newest failure, if no relay became ready since."""
    item = table.get(key(home)) or {}
    if "failed" not in item:
        return None
    return StartFailure(Cause(item["words"], item["said"]), int(item["failed"]), int(item["failed_at"]))
