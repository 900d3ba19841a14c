"""Status of a session without its setup and turns: enough to detect an orphan, whose client is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from records import minutes, open_sessions, relays, sessions
from records.attributes import Value
from records.relays import Relay
from records.sessions import Session
from records.table import ConditionFailed, Key, Table


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """State, owner and deadlines of a session. Times in epoch s."""

    id: str
    user: str
    state: Literal["OPEN", "ENDED"]
    epoch: int
    relay: str  #: empty while there is none
    joined_epoch: int  #: the epoch in which a client last reached the relay
    request_seq: int
    join_deadline: int  #: up to then a client may be joining
    ends_at: int
    created_at: int = 0
    reason: str = ""  #: why it ended

    @property
    def is_joined(self) -> bool:
        """True when a client has reached the relay that owns the session."""
        return self.epoch > 0 and self.joined_epoch == self.epoch


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that counts against its user's limit. Times in epoch s."""

    id: str
    agent: str
    since: int
    is_connected: bool  #: a client is on it, as of its relay's newest heartbeat
    ends_by: int  #: when it has ended by itself at the latest, if no client comes back to it


def list_open(table: Table, user: str, *, resume_s: int, now: int) -> list[OpenSession]:
    """A user's open sessions, oldest first. `resume_s`: how long one waits for a client that is gone."""
    counted = load_all(table, open_sessions.of_user(table, user)).values()
    opened = [each for each in counted if each.state == "OPEN" and each.ends_at > now]
    setups = table.get_all(Key(f"SES#{each.id}", "SETUP") for each in opened)
    agents = {item["PK"].removeprefix("SES#"): str(item["agent"]) for item in setups}
    holders = {each.relay for each in opened if each.relay}
    known = {relay.id: relay for relay in relays.load_all(table, holders)}
    listed = [_open(each, agents.get(each.id, ""), known.get(each.relay), resume_s, now) for each in opened]
    return sorted(listed, key=lambda each: (each.since, each.id))


def load_all(table: Table, ids: Iterable[str]) -> dict[str, SessionStatus]:
    """Status of each session that has a record, by id."""
    found = (_status(item) for item in table.get_all([sessions.key(id) for id in ids]))
    return {status.id: status for status in found}


def disowned(table: Table, held: Mapping[str, int]) -> dict[str, str]:
    """Sessions that a relay no longer owns, with the reason. `held` gives the epoch of each.

    The reason is `superseded`, or that of the session's end in that epoch.
    """
    found = load_all(table, held)
    ended = {id: now.reason for id, now in found.items() if now.state == "ENDED"}
    moved = {id: "superseded" for id, epoch in held.items() if id not in found or found[id].epoch != epoch}
    return ended | moved


def make_room(table: Table, user: str, *, now: int) -> bool:
    """Uncount sessions of a user that are over, and end those that no client has joined in time.

    False when there are none.
    """
    counted = open_sessions.of_user(table, user)
    found = load_all(table, counted)
    return any([_leaves(table, user, id, counted[id], found.get(id), now) for id in counted])  # noqa: C419


def _leaves(
    table: Table, user: str, session: str, until: int, status: SessionStatus | None, now: int
) -> bool:
    if status is not None and status.state == "OPEN" and until > now:
        is_late = status.join_deadline <= now - open_sessions.ABANDONED_S
        return is_late and not status.is_joined and end(table, status, "abandoned", now)
    open_sessions.leave(table, user, session)
    return True


def end(table: Table, seen: SessionStatus, reason: str, now: int) -> bool:
    """End a session whose status is as seen. False after a newer request, a join or an end.

    Releases what it has as `sessions.finish` does.
    """
    unchanged = "#epoch = :epoch AND #request_seq = :seq AND #joined_epoch = :joined"
    wanted: dict[str, Value] = {"epoch": seen.epoch, "seq": seen.request_seq, "joined": seen.joined_epoch}
    condition = f"{unchanged} AND #join_deadline = :deadline"
    return _end_if(table, seen, condition, reason, now, deadline=seen.join_deadline, **wanted)


def end_start(table: Table, seen: Session, reason: str, now: int) -> bool:
    """End a session that no client has ever joined and that is as seen.

    False after a newer request, a move, an answer by `ready`, a join or an end.
    """
    unchanged = "#epoch = :epoch AND #request_seq = :seq AND #answered_seq < :seq"
    wanted: dict[str, Value] = {"epoch": seen.epoch, "seq": seen.request_seq}
    return _end_if(table, seen, f"{unchanged} AND #joined_epoch = :never", reason, now, never=0, **wanted)


def _end_if(
    table: Table, seen: SessionStatus | Session, condition: str, reason: str, now: int, **values: Value
) -> bool:
    update = "SET #state = :ended, #reason = :reason, #ended_at = :now"
    values |= {"open": "OPEN", "ended": "ENDED", "reason": reason, "now": now}
    try:
        table.update(sessions.key(seen.id), update, f"#state = :open AND {condition}", None, **values)
    except ConditionFailed:
        return False
    minutes.settle(table, seen.id)
    if seen.relay:
        relays.release(table, seen.relay, seen.id)
    open_sessions.leave(table, seen.user, seen.id)  # the last: see `sessions.finish`
    return True


def _open(status: SessionStatus, agent: str, holder: Relay | None, resume_s: int, now: int) -> OpenSession:
    waits_until = _waits_until(status, holder, resume_s, now)
    ends_by = status.ends_at if waits_until is None else min(status.ends_at, max(waits_until, now + 1))
    return OpenSession(status.id, agent, status.created_at, waits_until is None, ends_by)


def _waits_until(status: SessionStatus, holder: Relay | None, resume_s: int, now: int) -> int | None:
    """Epoch s up to which a session waits for a client; None while one is on it."""
    if not status.is_joined or holder is None:
        return status.join_deadline + min(resume_s, open_sessions.ABANDONED_S)
    if holder.heartbeat <= now - relays.FRESH_S:
        return holder.heartbeat + max(resume_s, relays.LOST_S)
    left_at = holder.left_at.get(status.id)
    return None if left_at is None else left_at + resume_s


def _status(item: Mapping[str, Any]) -> SessionStatus:
    return SessionStatus(
        id=item["PK"].removeprefix("SES#"),
        user=item["user"],
        state=item["state"],
        epoch=item["epoch"],
        relay=item.get("relay", ""),
        joined_epoch=item["joined_epoch"],
        request_seq=item["request_seq"],
        join_deadline=item["join_deadline"],
        ends_at=item["ends_at"],
        created_at=item["created_at"],
        reason=item.get("reason", ""),
    )


def end_code(reason: str) -> str:
    """What a client is told of a session that ended for this `reason`: that there is no way to the model, or
    `session_ended` for any other."""
    return reason if reason == "key_refused" or reason.startswith("upstream_") else "session_ended"
