"""How a session stands, without what was said in it: what it takes to see that nobody will come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from records import minutes, open_sessions, relays, sessions
from records.table import ConditionFailed, Table


@dataclass(frozen=True, slots=True)
class Standing:
    """Times in epoch s."""

    id: str
    user: str
    state: Literal["OPEN", "ENDED"]
    epoch: int
    relay: str  #: empty while there is none
    claimed: int  #: the epoch in which a client last reached the relay
    asks: int
    held_until: int  #: up to then a client may be on its way
    ends_at: int
    reason: str = ""  #: why it ended

    @property
    def is_claimed(self) -> bool:
        """A client has reached the relay that owns it."""
        return self.epoch > 0 and self.claimed == self.epoch


def load_all(table: Table, ids: Iterable[str]) -> dict[str, Standing]:
    """Those of the sessions that have a record, by id."""
    found = (_standing(item) for item in table.get_all([sessions.key(id) for id in ids]))
    return {standing.id: standing for standing in found}


def disowned(table: Table, held: Mapping[str, int]) -> dict[str, str]:
    """Those of the sessions, each held by a relay in an epoch, that are not its own any more, and why.

    The reason is `superseded`, or the one for which the session ended in that epoch.
    """
    found = load_all(table, held)
    ended = {id: now.reason for id, now in found.items() if now.state == "ENDED"}
    moved = {id: "superseded" for id, epoch in held.items() if id not in found or found[id].epoch != epoch}
    return ended | moved


def end(table: Table, seen: Standing, reason: str, now: int) -> bool:
    """End a session that stands as it was seen. False when anybody has asked for it, come to it or ended it.

    Its places are given back as by `sessions.finish`.
    """
    unchanged = "#state = :open AND #epoch = :epoch AND #asks = :asks AND #claimed = :claimed"
    try:
        table.update(
            sessions.key(seen.id),
            "SET #state = :ended, #reason = :reason, #ended_at = :now",
            f"{unchanged} AND #held_until = :held",
            open="OPEN",
            ended="ENDED",
            reason=reason,
            now=now,
            epoch=seen.epoch,
            asks=seen.asks,
            claimed=seen.claimed,
            held=seen.held_until,
        )
    except ConditionFailed:
        return False
    open_sessions.leave(table, seen.user, seen.id)
    if seen.relay:
        relays.release(table, seen.relay, seen.id)
    minutes.settle(table, seen.id)
    return True


def _standing(item: Mapping[str, Any]) -> Standing:
    return Standing(
        id=item["PK"].removeprefix("SES#"),
        user=item["user"],
        state=item["state"],
        epoch=item["epoch"],
        relay=item.get("relay", ""),
        claimed=item["claimed"],
        asks=item["asks"],
        held_until=item["held_until"],
        ends_at=item["ends_at"],
        reason=item.get("reason", ""),
    )
