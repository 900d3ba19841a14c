"""Sessions: one user's conversation, and the epoch that says which relay owns it.

A session is two items. `META` is small and changes often; `SETUP` holds what the client sent at `start`, may
be a hundred kilobytes, and never changes: the price of a write goes by the size of the item.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from protocol.control import ClientTool, Config
from records import minutes, open_sessions, relays
from records.table import ConditionFailed, Fenced, Key, Step, Table, check_step, put_step, update_step

KEEP_S = 30 * 86_400  #: how long a session and its turns outlive it
KEYS_KEPT = 16  #: resume keys that are valid at a time, however often a client asks without using a new one
ALSO = 4  #: writes that open a session, before those that are given to `create`
HANDLE_BYTES = 16 * 1024  #: of a resumption handle; each read of the session pays for it

_config = msgspec.json.Decoder(Config)
_tools = msgspec.json.Decoder(list[ClientTool])
_metadata = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True)
class Draft:
    """What a session is opened with."""

    id: str
    user: str
    request: str  #: the client's own id for its `start`
    agent: str
    config: Config
    tools: list[ClientTool]
    metadata: Mapping[str, str]
    connection: str
    origin: str
    ends_at: int  #: epoch s
    key_hash: str  #: `hash_key` of the first resume key
    reserved_s: int = 0  #: of its user's minutes, until it has ended


@dataclass(frozen=True, slots=True)
class Session:
    """A session as the table knows it."""

    id: str
    user: str
    request: str
    agent: str
    config: Config
    tools: list[ClientTool]
    metadata: Mapping[str, str]
    state: Literal["OPEN", "ENDED"]
    epoch: int  #: 0 until a relay is found; each change of relay adds 1
    relay: str  #: that owns it, empty while there is none
    claimed: int  #: the epoch in which a client last reached the relay
    connection: str  #: control connection that last asked for it
    asks: int  #: how often it was asked for; only the newest asker is answered
    answered: int  #: the newest of these that was told where to go
    moved: int  #: the one that brought it to the relay that it has
    origin: str
    created_at: int  #: epoch s
    ends_at: int  #: epoch s of its longest duration
    next_turn: int  #: 1 + the highest turn in the table
    handle: str | None  #: newest resumption handle of the model
    keys: Mapping[str, int] = field(repr=False)  #: hashes of the valid resume keys, and the ask of each

    @property
    def is_claimed(self) -> bool:
        """A client has reached the relay that owns it."""
        return self.epoch > 0 and self.claimed == self.epoch

    @property
    def is_answered(self) -> bool:
        """Whoever asked for it last was told where to go."""
        return self.answered == self.asks

    def has_moved_since(self, key_hash: str) -> bool:
        """It was led elsewhere after this valid resume key was issued; its client may not know that."""
        return self.keys[key_hash] < self.moved

    def knows_key(self, key_hash: str) -> bool:
        """Whether it is a valid resume key. Compares with each in constant time."""
        return sum(hmac.compare_digest(known, key_hash) for known in self.keys) > 0


def hash_key(resume_key: str) -> str:
    """What is stored of a resume key."""
    return hashlib.sha256(resume_key.encode()).hexdigest()


def key(session: str) -> Key:
    return Key(f"SES#{session}")


def opened(table: Table, user: str, request: str, now: int) -> str | None:
    """The session that this request of this user has opened already."""
    item = table.get(_request_key(user, request))
    return None if item is None or item["ttl"] <= now else str(item["session"])


def create(table: Table, draft: Draft, *, limit: int, now: int, also: Sequence[Step] = ()) -> Session:
    """Open a session, if its user has fewer than `limit` open; `also` is written with it or not at all.

    Raises `open_sessions.Full`; ConditionFailed: from step ALSO on of `also`, before it of the same request.
    """
    open_sessions.make_room(table, draft.user, limit=limit, now=now)
    steps = (
        put_step(
            _request_key(draft.user, draft.request),
            {"session": draft.id, "ttl": now + KEEP_S},
            "attribute_not_exists(PK) OR #ttl <= :now",
            now=now,
        ),
        open_sessions.enter_step(draft.user, draft.id, until=draft.ends_at, limit=limit),
        put_step(key(draft.id), _meta(draft, now), "attribute_not_exists(PK)"),
        put_step(Key(f"SES#{draft.id}", "SETUP"), _setup(draft)),
        *also,
    )
    try:
        table.transact(*steps)
    except ConditionFailed as failed:
        if failed.step == 1:
            raise open_sessions.Full from None
        raise
    return _session({"PK": f"SES#{draft.id}", **_meta(draft, now), **_setup(draft)}, 1)


def load(table: Table, session: str) -> Session | None:
    """The session, however it stands; `ends_at` is for the caller to look at."""
    pk = f"SES#{session}"
    found = {
        item["SK"]: item
        for item in table.query(
            "#PK = :pk AND #SK BETWEEN :first AND :last", pk=pk, first="META", last="SETUP"
        )
    }
    if "META" not in found or "SETUP" not in found:
        return None
    return _session(found["META"] | found["SETUP"], _next_turn(table, pk))


def place(
    table: Table,
    session: Session,
    relay: str,
    *,
    state: relays.State,
    until: int,
    now: int,
    leave: bool = True,
) -> int:
    """Move a session to a relay in that state, at once. Returns the new epoch.

    It leaves its place on the relay that it had in the same transaction, unless that one has no record any
    more (`leave` is False). Raises ConditionFailed: step 0, the relay cannot take it; step 1, the session
    moved, ended, or was asked for again meanwhile.
    """
    move = update_step(
        key(session.id),
        "SET #relay = :relay, #epoch = :next, #moved = :ask",
        "#epoch = :seen AND #asks = :ask AND #state = :open",
        relay=relay,
        next=session.epoch + 1,
        seen=session.epoch,
        ask=session.asks,
        open="OPEN",
    )
    hold = relays.hold_step(relay, session.id, state=state, until=until, now=now)
    if leave and session.relay and session.relay != relay:
        table.transact(hold, move, relays.release_step(session.relay, session.id))
    else:
        table.transact(hold, move)
    return session.epoch + 1


def stay(table: Table, session: Session, *, until: int, now: int) -> bool:
    """Hold the place of a session on the relay that it has, for a client that comes back there.

    False when the relay cannot take it, or the session moved or ended meanwhile.
    """
    hold = relays.hold_step(session.relay, session.id, state="READY", until=until, now=now)
    owned = check_step(key(session.id), "#epoch = :seen AND #state = :open", seen=session.epoch, open="OPEN")
    try:
        table.transact(hold, owned)
    except ConditionFailed:
        return False
    return True


def ask(table: Table, session: Session, connection: str, until: int, used_hash: str = "") -> Session:
    """Note that a client asks for its session again, on which connection, and waits until `until` (epoch s).

    A resume key that it has used voids those before it. Raises ConditionFailed when the session has ended.
    """
    void = _void_keys(session.keys, used_hash)
    names = {f"void{number}": key_hash for number, key_hash in enumerate(void)}
    remove = "REMOVE " + ", ".join(f"#keys.#{name}" for name in names) if names else ""
    item = table.update(
        key(session.id),
        f"SET #connection = :connection, #held_until = :until ADD #asks :one {remove}",
        "#state = :open",
        names,
        connection=connection,
        until=until,
        one=1,
        open="OPEN",
    )
    return dataclasses.replace(session, connection=connection, asks=item["asks"], keys=item["keys"])


def _void_keys(keys: Mapping[str, int], used_hash: str) -> list[str]:
    """Those issued before the used one; and, of too many, the oldest but the last used."""
    oldest_first = sorted(keys, key=lambda known: (keys[known], known != used_hash))
    since = oldest_first.index(used_hash) if used_hash in keys else 0
    last_used, *others = oldest_first[since:]
    kept = {last_used, *others[-(KEYS_KEPT - 2) :]}  # the answer brings one more
    return [known for known in keys if known not in kept]


def issue_key(table: Table, session: Session, new_hash: str, *, until: int, final: bool) -> int:
    """Make one more resume key valid. Returns the `i` of the reply that brings it.

    `final`: the reply says where to go; an ask gets one such reply, whoever is fastest, and none after it.
    The client has until `until` (epoch s) to reach its relay. Raises ConditionFailed when the session has
    ended, was asked for again, or when this ask was answered: then its client has a key.
    """
    answered = ", #answered = :ask" if final else ""
    item = table.update(
        key(session.id),
        f"SET #keys.#new = :ask, #held_until = :until{answered} ADD #posts :one",
        "#state = :open AND #asks = :ask AND #answered < :ask",
        {"new": new_hash},
        until=until,
        one=1,
        open="OPEN",
        ask=session.asks,
    )
    return int(item["posts"])


def count_post(table: Table, session: str) -> int:
    """The `i` of one more reply about a session."""
    try:
        item = table.update(key(session), "ADD #posts :one", "attribute_exists(PK)", one=1)
    except ConditionFailed:
        return 0
    return int(item["posts"])


def save_handle(table: Table, session: str, epoch: int, handle: str, now: int) -> bool:
    """Keep the model's newest resumption handle. Raises Fenced.

    False when it is too large. Then none is kept: by an old one the model would miss turns and nobody would
    know; without one it is told them.
    """
    fits, same = len(handle.encode()) <= HANDLE_BYTES, "#epoch = :epoch"
    try:
        if fits:
            update = "SET #handle = :handle, #handle_at = :now"
            table.update(key(session), update, same, handle=handle, now=now, epoch=epoch)
        else:
            table.update(key(session), "REMOVE #handle, #handle_at", same, epoch=epoch)
    except ConditionFailed:
        raise Fenced(session) from None
    return fits


def finish(table: Table, session: str, epoch: int, reason: str, now: int) -> None:
    """End a session, and give back its place on the relay and among its user's open ones.

    Harmless when it has ended. Raises Fenced when another relay owns it. What follows the first write may
    be lost with the process: heartbeats and `open_sessions` find both leftovers.
    """
    try:
        item = table.update(
            key(session),
            "SET #state = :ended, #reason = if_not_exists(#reason, :reason),"
            " #ended_at = if_not_exists(#ended_at, :now)",
            "#epoch = :epoch",
            ended="ENDED",
            reason=reason,
            now=now,
            epoch=epoch,
        )
    except ConditionFailed:
        raise Fenced(session) from None
    open_sessions.leave(table, item["user"], session)
    if item.get("relay"):
        relays.release(table, item["relay"], session)
    minutes.settle(table, session)


def cancel(table: Table, session: str, reason: str, now: int) -> str:
    """End a session in whatever epoch it is. Returns the relay that has it, empty when none does.

    Raises Fenced when it is unknown, or changes relays faster than it can be ended.
    """
    for _ in range(4):
        item = table.get(key(session)) or {}
        try:
            finish(table, session, item.get("epoch", 0), reason, now)
        except Fenced:
            continue
        return str(item.get("relay", ""))
    raise Fenced(session)


def forget_request(table: Table, session: Session) -> None:
    """Let the same request open another session: this one never came to be. Harmless when it has."""
    try:
        table.delete(_request_key(session.user, session.request), "#session = :session", session=session.id)
    except ConditionFailed:
        pass


def of_user(table: Table, user: str, limit: int) -> list[str]:
    """Ids of a user's newest sessions. By the index, so the newest of all may be missing for a moment."""
    found = table.query("#GSI1PK = :user", index=True, newest_first=True, limit=limit, user=f"USER#{user}")
    return [str(item["PK"]).removeprefix("SES#") for item in found]


def _request_key(user: str, request: str) -> Key:
    return Key(f"REQ#{user}#{request}")


def _next_turn(table: Table, pk: str) -> int:
    last = next(
        table.query("#PK = :pk AND begins_with(#SK, :turn)", newest_first=True, limit=1, pk=pk, turn="TURN#"),
        None,
    )
    return 1 if last is None else int(last["SK"].removeprefix("TURN#")) + 1


def _meta(draft: Draft, now: int) -> dict[str, Any]:
    return {
        "GSI1PK": f"USER#{draft.user}",
        "GSI1SK": f"{now:012d}#{draft.id}",
        "user": draft.user,
        "request": draft.request,
        "reserved_s": draft.reserved_s or None,
        "state": "OPEN",
        "epoch": 0,
        "claimed": 0,
        "posts": 0,
        "asks": 1,
        "answered": 0,
        "moved": 0,
        "held_until": now + relays.START_S,
        "connection": draft.connection,
        "keys": {draft.key_hash: 1},
        "created_at": now,
        "ends_at": draft.ends_at,
        "ttl": draft.ends_at + KEEP_S,
    }


def _setup(draft: Draft) -> dict[str, Any]:
    return {
        "agent": draft.agent,
        "config": msgspec.json.encode(draft.config).decode(),
        "tools": msgspec.json.encode(draft.tools).decode(),
        "metadata": msgspec.json.encode(draft.metadata).decode(),
        "origin": draft.origin,
        "ttl": draft.ends_at + KEEP_S,
    }


def _session(item: Mapping[str, Any], next_turn: int) -> Session:
    return Session(
        id=item["PK"].removeprefix("SES#"),
        user=item["user"],
        request=item["request"],
        agent=item["agent"],
        config=_config.decode(item["config"]),
        tools=_tools.decode(item["tools"]),
        metadata=_metadata.decode(item["metadata"]),
        state=item["state"],
        epoch=item["epoch"],
        relay=item.get("relay", ""),
        claimed=item["claimed"],
        connection=item["connection"],
        asks=item["asks"],
        answered=item["answered"],
        moved=item["moved"],
        origin=item["origin"],
        created_at=item["created_at"],
        ends_at=item["ends_at"],
        next_turn=next_turn,
        handle=item.get("handle"),
        keys=item["keys"],
    )
