"""Money of sessions: held before it is spent, counted as it is spent, given back at the end.

Whole micro-dollars. A budget is of one session, of one user's day or of the deployment's day (UTC, of the
session's start). What is `committed` of a day is what was spent and what sessions hold: a session can hold no
more than is left, by a condition, so that no number of sessions together pass it. A relay reports the sum of
its epoch, as it does of seconds: a report may be repeated, comes also from a relay that was fenced or after
the end, and is the difference to the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from records.attributes import Item
from records.table import ConditionFailed, Key, Step, Table, Unavailable, put_step, update_step

DAY_S = 86_400
KEEP_S = 100 * DAY_S  #: retention of what was used on a day: for `vivavoce usage`
KEEP_SESSION_S = 2 * DAY_S  #: retention of what one session holds and has spent
TRIES = 8  #: attempts of a write that conflicts with others to the same items
FIRST_HOLD = 20_000  #: micro-dollars that `mint` holds for a session: the first turns of most

Scope = Literal["session", "user", "deployment"]
SCOPES: tuple[Scope, ...] = ("session", "user", "deployment")


@dataclass(frozen=True, slots=True)
class Limits:
    """Micro-dollars that may be spent. 0: no limit."""

    session: int = 0
    user: int = 0  #: a day
    deployment: int = 0  #: a day


@dataclass(frozen=True, slots=True)
class Spent:
    """What one epoch of a session has used so far."""

    reported: int = 0  #: micro-dollars, by the model's own figures
    estimated: int = 0  #: micro-dollars of what the model has not told
    connected_ms: int = 0  #: with an open model leg

    @property
    def total(self) -> int:
        """Micro-dollars."""
        return self.reported + self.estimated

    def minus(self, other: Spent) -> Spent:
        return Spent(
            self.reported - other.reported,
            self.estimated - other.estimated,
            self.connected_ms - other.connected_ms,
        )


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a session may spend from now on."""

    held: int  #: micro-dollars that are reserved for it
    is_last: bool  #: no more is to be had
    scope: Scope  #: the budget that is nearest to its end
    used: Mapping[Scope, int]  #: percent of each budget that is spent, by whichever session
    resets_in_s: int  #: until the day of these budgets is over; 0: it is
    elsewhere: int = 0  #: micro-dollars that the session has spent in other epochs


NO_LIMIT = Allowance(1 << 50, is_last=False, scope="session", used={}, resets_in_s=0)


@dataclass(frozen=True, slots=True)
class Used:
    """What one user's sessions with one agent have used on one day."""

    day: int  #: since the epoch
    user: str
    agent: str
    sessions: int
    spent: Spent


# ---- writes of the functions


def open_steps(
    session: str, user: str, agent: str, limits: Limits, *, ends_at: int, now: int
) -> tuple[Step, Step]:
    """Writes that begin a session's account. A part of opening it."""
    day = now // DAY_S
    money = {
        "user": user,
        "agent": agent,
        "day": day,
        "held": 0,
        "spent": 0,
        **{f"{scope}_limit": getattr(limits, scope) for scope in SCOPES},
        "ttl": ends_at + KEEP_SESSION_S,
    }
    return put_step(_session_key(session), money), _use_step(user, agent, day, sessions=1)


def exhausted(table: Table, user: str, limits: Limits, now: int) -> Scope | None:
    """The budget of which this day has nothing left to hold; None: a session may be opened."""
    day = now // DAY_S
    for scope, key in _day_keys(user, day):
        limit = getattr(limits, scope)
        if limit and int((table.get(key) or {}).get("committed", 0)) >= limit:
            return scope
    return None


def hold(table: Table, session: str, now: int, wants: int = FIRST_HOLD) -> Allowance:
    """Reserve what a session may spend first. Raises Unavailable."""
    return _note(table, session, None, Spent(), wants, now)


def settle(table: Table, session: str) -> None:
    """Give back what an ended session holds, once. Raises Unavailable."""
    for _ in range(TRIES):
        money = table.get(_session_key(session)) or {}
        if "held" not in money:
            return
        held = int(money["held"])
        steps = [update_step(_session_key(session), "REMOVE #held", "#held = :held", held=held)]
        steps += [_day_step(key, -held, 0) for _, key in _limited_days(money) if held]
        try:
            table.transact(*steps)
        except ConditionFailed:
            continue  # a concurrent report won
        return
    raise Unavailable("settle")


# ---- writes of the relay


def note(table: Table, session: str, epoch: int, spent: Spent, *, wants: int, now: int) -> Allowance:
    """Count what an epoch has used so far, and hold `wants` micro-dollars for what comes, or what is left.

    Not fenced: it was paid for. Raises Unavailable.
    """
    return _note(table, session, epoch, spent, wants, now)


def _note(table: Table, session: str, epoch: int | None, spent: Spent, wants: int, now: int) -> Allowance:
    for _ in range(TRIES):
        money = table.get(_session_key(session))
        if money is None:
            return NO_LIMIT
        before = Spent() if epoch is None else _spent(table.get(_epoch_key(session, epoch)))
        days = {scope: table.get(key) or {} for scope, key in _limited_days(money)}
        change = _Change(money, days, spent, spent.minus(before), wants)
        steps = list(change.steps(session))
        if epoch is not None and spent != before:
            steps += [_epoch_step(session, epoch, before, spent, now), change.use_step()]
        try:
            if steps:
                table.transact(*steps)
        except ConditionFailed:
            continue  # a concurrent report, hold or settlement won
        return change.allowance(now)
    raise Unavailable("note")


@dataclass(frozen=True, slots=True)
class _Change:
    """What a report changes, founded on what was read."""

    money: Item
    days: Mapping[Scope, Item]  #: of budgets that have a limit
    spent: Spent  #: in this epoch
    more: Spent  #: than was counted
    wants: int

    @property
    def is_settled(self) -> bool:
        """The session has ended: it holds nothing any more."""
        return "held" not in self.money

    @property
    def left(self) -> int:
        """Of what was held; negative: more was spent."""
        return int(self.money.get("held", 0)) - self.more.total

    @property
    def over(self) -> int:
        """Spent beyond what was held: the days have not counted it."""
        return self.more.total if self.is_settled else max(0, -self.left)

    @property
    def granted(self) -> int:
        """What is held in addition."""
        asked = 0 if self.is_settled else max(0, self.wants - max(0, self.left))
        return max(0, min([asked, *self._rooms().values()]))

    def _rooms(self) -> dict[Scope, int]:
        """What may still be held of each budget that has a limit."""
        rooms: dict[Scope, int] = {}
        if limit := self._limit("session"):
            rooms["session"] = limit - self._spent_by_session - max(0, self.left)
        for scope, day in self.days.items():
            rooms[scope] = self._limit(scope) - int(day.get("committed", 0)) - self.over
        return rooms

    def _limit(self, scope: Scope) -> int:
        return int(self.money.get(f"{scope}_limit", 0))

    @property
    def _spent_by_session(self) -> int:
        return int(self.money["spent"]) + self.more.total

    def steps(self, session: str) -> Iterator[Step]:
        """Writes of the session's account and of the days."""
        if not self.more.total and not self.granted:
            return
        key, more = _session_key(session), self.more.total
        if self.is_settled:
            yield update_step(key, "ADD #spent :more", "attribute_not_exists(#held)", more=more)
        else:
            held = max(0, self.left) + self.granted
            update = "SET #held = :held ADD #spent :more"
            yield update_step(key, update, "#held = :seen", held=held, more=more, seen=self.money["held"])
        for scope, day in _limited_days(self.money):
            room = self._limit(scope) - self.over - self.granted if self.granted else None
            yield _day_step(day, self.over + self.granted, more, room)

    def use_step(self) -> Step:
        """What is listed by `vivavoce usage`."""
        return _use_step(self.money["user"], self.money["agent"], int(self.money["day"]), self.more)

    def allowance(self, now: int) -> Allowance:
        """What the session may spend once this is written."""
        asked = max(0, self.wants - max(0, self.left))
        rooms = self._rooms()
        spent: dict[Scope, int] = {"session": self._spent_by_session}
        spent |= {scope: int(day.get("spent", 0)) + self.more.total for scope, day in self.days.items()}
        return Allowance(
            held=0 if self.is_settled else max(0, self.left) + self.granted,
            is_last=self.granted < asked,
            scope=min(rooms, key=lambda scope: rooms[scope], default="session"),
            used={scope: spent[scope] * 100 // limit for scope in SCOPES if (limit := self._limit(scope))},
            resets_in_s=max(0, (int(self.money["day"]) + 1) * DAY_S - now),
            elsewhere=self._spent_by_session - self.spent.total,
        )


# ---- reading


def of_session(table: Table, session: str) -> int:
    """Micro-dollars that a session has spent, over all relays."""
    return int((table.get(_session_key(session)) or {}).get("spent", 0))


def of_day(table: Table, day: int) -> Iterator[Used]:
    """What was used on a day (UTC), by user and agent. Days are counted since the epoch."""
    for item in table.query("#PK = :pk", pk=f"USED#{day}"):
        yield Used(day, item["user"], item["agent"], int(item.get("sessions", 0)), _spent(item))


def committed(table: Table, user: str, now: int) -> dict[Scope, int]:
    """Micro-dollars of today that are spent or held: of this user, and of the deployment."""
    found = {scope: table.get(key) or {} for scope, key in _day_keys(user, now // DAY_S)}
    return {scope: int(item.get("committed", 0)) for scope, item in found.items()}


# ---- items


def _spent(item: Item | None) -> Spent:
    held = item or {}
    return Spent(
        int(held.get("reported", 0)), int(held.get("estimated", 0)), int(held.get("connected_ms", 0))
    )


def _epoch_step(session: str, epoch: int, before: Spent, spent: Spent, now: int) -> Step:
    return update_step(
        _epoch_key(session, epoch),
        "SET #reported = :reported, #estimated = :estimated, #connected_ms = :connected_ms, #ttl = :ttl",
        "attribute_not_exists(#reported) OR (#reported = :reported_before AND #estimated = :estimated_before"
        " AND #connected_ms = :connected_before)",
        reported=spent.reported,
        estimated=spent.estimated,
        connected_ms=spent.connected_ms,
        reported_before=before.reported,
        estimated_before=before.estimated,
        connected_before=before.connected_ms,
        ttl=now + KEEP_SESSION_S,
    )


def _day_step(key: Key, committed: int, spent: int, room: int | None = None) -> Step:
    """Count on a day's budget; with `room`, only where no more is committed than that."""
    update, ttl = "SET #ttl = :ttl ADD #committed :committed, #spent :spent", _ttl_of(key)
    if room is None:
        return update_step(key, update, committed=committed, spent=spent, ttl=ttl)
    fits = "attribute_not_exists(#committed) OR #committed <= :room"
    return update_step(key, update, fits, committed=committed, spent=spent, ttl=ttl, room=room)


def _use_step(user: str, agent: str, day: int, more: Spent | None = None, sessions: int = 0) -> Step:
    more = more or Spent()
    return update_step(
        Key(f"USED#{day}", f"{agent}#{user}"),
        "SET #user = :user, #agent = :agent, #ttl = :ttl"
        " ADD #sessions :sessions, #reported :reported, #estimated :estimated, #connected_ms :connected_ms",
        user=user,
        agent=agent,
        ttl=day * DAY_S + KEEP_S,
        sessions=sessions,
        reported=more.reported,
        estimated=more.estimated,
        connected_ms=more.connected_ms,
    )


def _limited_days(money: Item) -> list[tuple[Scope, Key]]:
    """Budgets of the session's day that have a limit."""
    keys = _day_keys(money["user"], int(money["day"]))
    return [(scope, key) for scope, key in keys if money.get(f"{scope}_limit")]


def _day_keys(user: str, day: int) -> tuple[tuple[Scope, Key], ...]:
    return ("user", Key(f"USER#{user}", f"MONEY#{day}")), ("deployment", Key("DEPLOYMENT", f"MONEY#{day}"))


def _ttl_of(day: Key) -> int:
    return int(day.sk.removeprefix("MONEY#")) * DAY_S + KEEP_S


def _session_key(session: str) -> Key:
    return Key(f"SES#{session}", "MONEY")


def _epoch_key(session: str, epoch: int) -> Key:
    return Key(f"SES#{session}", f"SPENT#{epoch:06d}")
