"""Sessions: one user's conversation, and the epoch that says which relay owns it.

A session is two items. `META` is small and changes often; `SETUP` holds what the client sent at `start`, may
be thirty kilobytes, and never changes: a write is billed by the size of the item.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from protocol.control import ClientTool, Config
from records import budgets, minutes, open_sessions, relays, suspension
from records.table import ConditionFailed, Fenced, Key, Step, Table, check_step, put_step, update_step

KEEP_S = 30 * 86_400  #: retention of a session and its turns after its end
KEYS_KEPT = 16  #: resume keys that are valid at a time, however many requests use an old one
ALSO = 4  #: index of the first caller-supplied write in the transaction of `create`

_config = msgspec.json.Decoder(Config)
_tools = msgspec.json.Decoder(list[ClientTool])
_metadata = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True)
class Draft:
    """Parameters of a new session."""

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
    reserved_s: int = 0  #: part of its user's daily quota, until it has ended


@dataclass(frozen=True, slots=True)
class Session:
    """A session as stored."""

    id: str
    user: str
    request: str
    agent: str
    config: Config
    tools: list[ClientTool]
    metadata: Mapping[str, str]
    state: Literal["OPEN", "ENDED"]
    epoch: int  #: 0 until a relay is assigned; each change of relay adds 1
    relay: str  #: its owner, empty while there is none
    joined_epoch: int  #: the epoch in which a client last reached the relay
    connection: str  #: control connection of the newest request
    request_seq: int  #: counts `start` and `resume` requests; only the newest is answered
    answered_seq: int  #: newest request that was answered by `ready`
    moved_seq: int  #: request by which it was assigned to its current relay
    origin: str
    created_at: int  #: epoch s
    ends_at: int  #: epoch s of its longest duration
    next_turn: int  #: 1 + the highest turn in the table
    handle: str | None  #: newest resumption handle of the model
    keys: Mapping[str, int] = field(repr=False)  #: hash of a valid resume key to the request that issued it
    model: str = ""  #: of the agent's models, the one that it fell back to; empty: the first
    message_n: int = 0  #: highest number of a client's message that a turn in the table has answered
    question: str = ""  #: what was said in `question_turn`, and was not answered when it was written
    question_turn: int = 0
    question_seq: tuple[int, int] = (0, -1)  #: the first and the last microphone frame of it
    uplink_seq: int = -1  #: highest number of a microphone frame that a turn in the table has answered
    reason: str = ""  #: why it ended

    @property
    def is_joined(self) -> bool:
        """True when a client has reached the relay that owns the session."""
        return self.epoch > 0 and self.joined_epoch == self.epoch

    @property
    def is_answered(self) -> bool:
        """True when the newest request was answered by `ready`."""
        return self.answered_seq == self.request_seq

    @property
    def unanswered(self) -> str:
        """What was said and is in no turn of the table, because its relay died; empty for nothing."""
        return self.question if self.question_turn >= self.next_turn else ""

    def has_moved_since(self, key_hash: str) -> bool:
        """True when the relay changed after this valid key was issued; its client may not know that."""
        return self.keys[key_hash] < self.moved_seq

    def knows_key(self, key_hash: str) -> bool:
        """True for a valid resume key. Compares with each in constant time."""
        return sum(hmac.compare_digest(known, key_hash) for known in self.keys) > 0


def hash_key(resume_key: str) -> str:
    """SHA-256 of a resume key: the key itself is not stored."""
    return hashlib.sha256(resume_key.encode()).hexdigest()


def key(session: str) -> Key:
    return Key(f"SES#{session}")


def find_by_request(table: Table, user: str, request: str, now: int) -> str | None:
    """Id of the session that an earlier copy of this request has opened."""
    item = table.get(_request_key(user, request))
    return None if item is None or item["ttl"] <= now else str(item["session"])


def create(table: Table, draft: Draft, *, limit: int, now: int, also: Sequence[Step] = ()) -> Session:
    """Open a session, if its user has fewer than `limit` open; `also` is written with it or not at all.

    Raises `open_sessions.Full`; ConditionFailed: step >= ALSO by `also`, below it by the same request.
    """
    open_sessions.prepare(table, draft.user)
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
    return _session({"PK": f"SES#{draft.id}", **_meta(draft, now), **_setup(draft)}, next_turn=1)


def load(table: Table, session: str) -> Session | None:
    """The session in any state; the caller must check `ends_at`."""
    pk = f"SES#{session}"
    found = {
        item["SK"]: item
        for item in table.query(
            "#PK = :pk AND #SK BETWEEN :first AND :last", pk=pk, first="META", last="SETUP"
        )
    }
    if "META" not in found or "SETUP" not in found:
        return None
    return _session(found["META"] | found["SETUP"], **_position(table, pk))


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
    """Move a session to a relay in that state; one that is SUSPENDED starts. Returns the new epoch.

    The same transaction releases the lease on the former relay, unless that one has no record any more
    (`leave` is False). Raises ConditionFailed: step 0, the relay cannot take it; step 1, the session moved,
    ended, or has a newer request.
    """
    move = update_step(
        key(session.id),
        "SET #relay = :relay, #epoch = :next, #moved_seq = :seq",
        "#epoch = :seen AND #request_seq = :seq AND #state = :open",
        relay=relay,
        next=session.epoch + 1,
        seen=session.epoch,
        seq=session.request_seq,
        open="OPEN",
    )
    if state == "SUSPENDED":
        lease = suspension.wake_step(relay, session.id, until=until, now=now)
    else:
        lease = relays.lease_step(relay, session.id, state=state, until=until, now=now)
    if leave and session.relay and session.relay != relay:
        table.transact(lease, move, relays.release_step(session.relay, session.id))
    else:
        table.transact(lease, move)
    return session.epoch + 1


def renew_lease(table: Table, session: Session, *, until: int, now: int) -> bool:
    """Renew a session's lease on its current relay, for a client that reconnects there.

    False when the relay cannot take it, or the session has moved or ended.
    """
    lease = relays.lease_step(session.relay, session.id, state="READY", until=until, now=now)
    owned = check_step(key(session.id), "#epoch = :seen AND #state = :open", seen=session.epoch, open="OPEN")
    try:
        table.transact(lease, owned)
    except ConditionFailed:
        return False
    return True


def add_request(table: Table, session: Session, connection: str, until: int, used_hash: str = "") -> Session:
    """Count one more request for a session; its client is awaited on `connection` until `until` (epoch s).

    A used resume key voids older keys. Raises ConditionFailed when the session has ended.
    """
    void = _void_keys(session.keys, used_hash)
    names = {f"void{number}": key_hash for number, key_hash in enumerate(void)}
    remove = "REMOVE " + ", ".join(f"#keys.#{name}" for name in names) if names else ""
    item = table.update(
        key(session.id),
        f"SET #connection = :connection, #join_deadline = :until ADD #request_seq :one {remove}",
        "#state = :open",
        names,
        connection=connection,
        until=until,
        one=1,
        open="OPEN",
    )
    return replace(session, connection=connection, request_seq=item["request_seq"], keys=item["keys"])


def _void_keys(keys: Mapping[str, int], used_hash: str) -> list[str]:
    """Hashes issued before the used one; above KEYS_KEPT also the oldest, but never the last used."""
    oldest_first = sorted(keys, key=lambda known: (keys[known], known != used_hash))
    since = oldest_first.index(used_hash) if used_hash in keys else 0
    last_used, *others = oldest_first[since:]
    kept = {last_used, *others[-(KEYS_KEPT - 2) :]}  # the reply issues one more
    return [known for known in keys if known not in kept]


def issue_key(table: Table, session: Session, new_hash: str, *, until: int, final: bool) -> int:
    """Make one more resume key valid. Returns the `i` of the reply that carries it.

    `final`: the reply is `ready`; a request gets at most one, from any invocation, and no reply after it.
    The client has until `until` (epoch s) to join its relay. Raises ConditionFailed when the session has
    ended, has a newer request, or when this request was answered: then its client has a key.
    """
    answered = ", #answered_seq = :seq" if final else ""
    item = table.update(
        key(session.id),
        f"SET #keys.#new = :seq, #join_deadline = :until{answered} ADD #reply_seq :one",
        "#state = :open AND #request_seq = :seq AND #answered_seq < :seq",
        {"new": new_hash},
        until=until,
        one=1,
        open="OPEN",
        seq=session.request_seq,
    )
    return int(item["reply_seq"])


def next_reply_seq(table: Table, session: str) -> int:
    """Count one more reply about a session. Returns its `i`, 0 for an unknown session."""
    try:
        item = table.update(key(session), "ADD #reply_seq :one", "attribute_exists(PK)", one=1)
    except ConditionFailed:
        return 0
    return int(item["reply_seq"])


def finish(table: Table, session: str, epoch: int, reason: str, now: int) -> None:
    """End a session; settle its minutes and its money, release its lease and its slot among its user's.

    Harmless when it has ended. Raises Fenced when another relay owns it. A crash loses what is after the
    first write: the sweep does it for a session that is counted still, so that is the last."""
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
    minutes.settle(table, session)
    budgets.settle(table, session)
    if item.get("relay"):
        relays.release(table, item["relay"], session)
    open_sessions.leave(table, item["user"], session)


def cancel(table: Table, session: str, reason: str, now: int) -> str:
    """End a session in its current epoch. Returns its relay, empty when it has none.

    Raises Fenced when it is unknown, or when each of four tries met a change of relay.
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
    """Let the same request open another session, in place of this failed one. Harmless when it has."""
    try:
        table.delete(_request_key(session.user, session.request), "#session = :session", session=session.id)
    except ConditionFailed:
        pass


def of_user(table: Table, user: str, limit: int) -> list[str]:
    """Ids of a user's newest sessions. The index is eventually consistent: the newest may be missing."""
    found = table.query("#GSI1PK = :user", index=True, newest_first=True, limit=limit, user=f"USER#{user}")
    return [str(item["PK"]).removeprefix("SES#") for item in found]


def _request_key(user: str, request: str) -> Key:
    return Key(f"REQ#{user}#{request}")


def _position(table: Table, pk: str) -> dict[str, int]:
    """Number of the next turn, and of the last message and the last frame that a turn has answered."""
    is_turn = "#PK = :pk AND begins_with(#SK, :turn)"
    last = next(table.query(is_turn, newest_first=True, limit=1, pk=pk, turn="TURN#"), {})
    answered = {"message_n": last.get("message_n", 0), "uplink_seq": last.get("uplink_seq", -1)}
    return {"next_turn": int(last.get("SK", "TURN#0").removeprefix("TURN#")) + 1, **answered}


def _meta(draft: Draft, now: int) -> dict[str, Any]:
    return {
        "GSI1PK": f"USER#{draft.user}",
        "GSI1SK": f"{now:012d}#{draft.id}",
        "user": draft.user,
        "request": draft.request,
        "reserved_s": draft.reserved_s or None,
        "state": "OPEN",
        "epoch": 0,
        "joined_epoch": 0,
        "reply_seq": 0,
        "request_seq": 1,
        "answered_seq": 0,
        "moved_seq": 0,
        "join_deadline": now + relays.START_S,
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


def _session(item: Mapping[str, Any], **position: int) -> Session:
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
        joined_epoch=item["joined_epoch"],
        connection=item["connection"],
        request_seq=item["request_seq"],
        answered_seq=item["answered_seq"],
        moved_seq=item["moved_seq"],
        origin=item["origin"],
        created_at=item["created_at"],
        ends_at=item["ends_at"],
        handle=item.get("handle"),
        keys=item["keys"],
        model=item.get("model", ""),
        question=item.get("question", ""),
        question_turn=int(item.get("question_turn", 0)),
        reason=item.get("reason", ""),
        question_seq=(int(item.get("question_first", 0)), int(item.get("question_last", -1))),
        **position,
    )
