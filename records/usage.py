"""Usage: tokens and seconds of a session. A repeated report is counted once."""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec

from protocol.media import Tokens
from records.sessions import KEEP_S
from records.table import ConditionFailed, Fenced, Key, Step, Table, check_step, update_step

_FIELDS = msgspec.structs.fields(Tokens)


@dataclass(frozen=True, slots=True)
class Usage:
    """The sum of a session's reports."""

    tokens: Tokens
    seconds: float


def add(
    table: Table,
    session: str,
    epoch: int,
    seq: int,
    tokens: Tokens,
    seconds: float,
    now: float | None = None,
) -> bool:
    """Add the usage since the last report. `seq` counts the reports of an epoch from 1.

    False when this report, or a later one, was counted already. `now`: epoch s, by default the clock's.
    Raises Fenced.
    """
    at = int(time.time() if now is None else now)
    try:
        table.transact(
            check_step(Key(f"SES#{session}"), "#epoch = :epoch", epoch=epoch),
            _session_step(session, epoch, seq, Usage(tokens, seconds), at),
        )
    except ConditionFailed as failed:
        if failed.step == 0:
            raise Fenced(session) from None
        return False
    return True


def _session_step(session: str, epoch: int, seq: int, used: Usage, at: int) -> Step:
    return update_step(
        _key(session),
        f"SET #epoch = :epoch, #seq = :seq, #ttl = :ttl ADD #seconds :seconds, {_sums()}",
        "attribute_not_exists(#seq) OR #epoch < :epoch OR (#epoch = :epoch AND #seq < :seq)",
        epoch=epoch,
        seq=seq,
        ttl=at + KEEP_S,
        seconds=used.seconds,
        **msgspec.structs.asdict(used.tokens),
    )


def load(table: Table, session: str) -> Usage:
    """Usage of a session so far."""
    item = table.get(_key(session)) or {}
    used = {member.name: item.get(member.name, 0) for member in _FIELDS}
    return Usage(Tokens(**used), float(item.get("seconds", 0.0)))


def _sums() -> str:
    return ", ".join(f"#{member.name} :{member.name}" for member in _FIELDS)


def _key(session: str) -> Key:
    return Key(f"SES#{session}", "USAGE")
