"""`start`: open a session, within the user's limits, once per request."""

from __future__ import annotations

import math
import re
import secrets
from collections import Counter
from dataclasses import replace

from agents.catalogue import Agent, Override, catalogue
from functions.core.fleet import allocate, give_up_relay
from functions.core.runtime.config import CENT
from functions.core.runtime.ports import Ports
from functions.core.runtime.refusal import Refusal, StaleRequest
from functions.core.sessions import ready_reply
from functions.core.sessions.floods import count_repeat
from functions.core.sessions.model_check import mint_ahead, refuse_without_model
from protocol.codec import common_version
from protocol.control import Config, OpenSession, Start
from protocol.limits import VERSIONS
from records import budgets, limits, minutes, open_sessions, session_status, sessions
from records.budgets import Limits
from records.connections import Connection
from records.session_status import end_code
from records.sessions import Draft, Session
from records.table import ConditionFailed, Unavailable

LISTED = 32  #: open sessions that a refusal names, the newest: fewer than fill a message
_DEFAULTS = Config()
_CHOICES: tuple[Override, ...] = ("voice", "language", "turns")  #: fields of a Config
#: language, script and region; no variants of BCP 47, which may be words: it reaches the model's instructions
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?\Z")


def start(ports: Ports, connection: Connection, message: Start) -> None:
    """Open the session and send its client to a relay. Raises Refusal, RemoteProtocolError."""
    common_version(message.versions, VERSIONS)
    if _answer_retry(ports, connection, message):
        return
    key = ready_reply.new_key()
    try:
        session = open_session(ports, connection, message, sessions.hash_key(key))
    except (ConditionFailed, Refusal):
        # A concurrent copy of the same request won, and uses up the quota.
        if _answer_retry(ports, connection, message):
            return
        raise
    ready_reply.send_admitted(ports, session, key)
    placed = _lead_or_cancel(ports, session, key)
    mint_ahead(ports, placed)
    refuse_without_model(ports, placed)


def _answer_retry(ports: Ports, connection: Connection, message: Start) -> bool:
    """Answer a retried request, whose session is open already. False when there is none."""
    session = _find_opened(ports, connection, message)
    if session is None:
        return False
    count_repeat(ports, connection.user, session.id)
    asked = ready_reply.record_request(ports, session, connection.id)
    ready_reply.lead(ports, asked, origin=connection.origin)
    return True


def _find_opened(ports: Ports, connection: Connection, message: Start) -> Session | None:
    """Session that an earlier copy of this request has opened."""
    found = sessions.find_by_request(ports.table, connection.user, message.request, ports.now())
    session = None if found is None else sessions.load(ports.table, found)
    if session is None:
        return None
    if session.state == "ENDED" or session.ends_at <= ports.now():
        raise Refusal(end_code(session.reason), session=session.id)
    return session


def open_session(ports: Ports, connection: Connection, message: Start, key_hash: str) -> Session:
    agent = catalogue().get(message.agent)
    if agent is None:
        raise Refusal("agent_unknown")
    check_overrides(agent, message)
    quota, now, user = ports.config.limits, ports.now(), connection.user
    wait_ms = limits.hit(ports.table, "start", user, limit=quota.starts, window_s=60, now=now)
    if wait_ms:
        raise Refusal("quota_starts", retry_after_ms=wait_ms)
    money = _money(ports, user, agent)
    for _ in range(minutes.TRIES):
        seconds = _seconds_left(ports, user, agent, now)
        draft = _draft(connection, message, key_hash, now=now, seconds=seconds)
        reserve = minutes.reserve_step(user, seconds, limit_s=quota.day_minutes * 60, now=now)
        account = budgets.open_steps(draft.id, user, agent.name, money, ends_at=draft.ends_at, now=now)
        try:
            also = [reserve, *account]
            return sessions.create(ports.table, draft, limit=quota.sessions, now=now, also=also)
        except open_sessions.Full:
            if not session_status.make_room(ports.table, user, now=now):
                raise _too_many(ports, user) from None
        except ConditionFailed as failed:
            if failed.step < sessions.ALSO:
                raise
    raise Unavailable("reserve")  # concurrent starts of this user won each time


def _money(ports: Ports, user: str, agent: Agent) -> Limits:
    """What the session may cost. Raises Refusal when nothing is left of this day's."""
    money, now = ports.config.limits.money, ports.now()
    if budgets.exhausted(ports.table, user, money, now):
        raise Refusal("quota_exceeded", retry_after_ms=(minutes.DAY_S - now % minutes.DAY_S) * 1000)
    own = (agent.limits.session_cents or 0) * CENT
    return replace(money, session=min(filter(None, (own, money.session)), default=0))


def _too_many(ports: Ports, user: str) -> Refusal:
    """Refusal with the user's open sessions, and when the first of them will have ended by itself."""
    now = ports.now()
    opened = session_status.list_open(ports.table, user, resume_s=ports.config.limits.resume_s, now=now)
    wait_s = min((each.ends_by for each in opened), default=now + 1) - now
    listed = [OpenSession(each.id, each.agent, each.since * 1000, each.is_connected) for each in opened]
    return Refusal("quota_sessions", retry_after_ms=wait_s * 1000, sessions=listed[-LISTED:])


def _draft(connection: Connection, message: Start, key_hash: str, *, now: int, seconds: int) -> Draft:
    return Draft(
        id=secrets.token_hex(16),
        user=connection.user,
        request=message.request,
        agent=message.agent,
        config=message.config,
        tools=message.tools,
        metadata=message.metadata,
        connection=connection.id,
        origin=connection.origin,
        ends_at=now + seconds,
        key_hash=key_hash,
        reserved_s=seconds,
    )


def _seconds_left(ports: Ports, user: str, agent: Agent, now: int) -> int:
    """Longest duration of a session, within the unreserved rest of its user's day. Raises Refusal."""
    quota = ports.config.limits
    # Rounded down to whole seconds: more than is left could not be reserved.
    left_s = math.floor(quota.day_minutes * 60 - minutes.seconds_today(ports.table, user, now))
    if left_s <= 0:
        raise Refusal("quota_minutes", retry_after_ms=(minutes.DAY_S - now % minutes.DAY_S) * 1000)
    longest = min(quota.session_minutes, agent.limits.session_minutes or quota.session_minutes)
    return min(longest * 60, left_s)


def check_overrides(agent: Agent, message: Start) -> None:
    """Raise Refusal(`config_refused`) with the field that this agent does not let a client set, or not so."""
    asked = [name for name in _CHOICES if getattr(message.config, name) != getattr(_DEFAULTS, name)]
    for name in asked:
        if name not in agent.allow:
            raise _config_refused(f"config.{name}", "is not left to clients by the agent's file")
    if message.config.language and not _LANGUAGE.match(message.config.language):
        raise _config_refused("config.language", "is no language tag of BCP 47, such as de-CH")
    if message.tools and "tools" not in agent.allow:
        raise _config_refused("tools", "are not left to clients by the agent's file")
    names = Counter([tool.name for tool in agent.tools] + [tool.name for tool in message.tools])
    if twice := [name for name in names if names[name] > 1]:
        raise _config_refused("tools", f"have the name {twice[0]} twice, those of the agent's file counted")


def _config_refused(field: str, rule: str) -> Refusal:
    return Refusal("config_refused", ref=field, detail=f"{field} {rule}")


def _lead_or_cancel(ports: Ports, session: Session, key: str) -> allocate.Placement:
    """Send it to a relay; without capacity, cancel the session, so that its request may be retried."""
    try:
        return ready_reply.lead(ports, session, origin=session.origin, key=key)
    except Refusal as refusal:
        if refusal.code == "capacity" and not give_up_relay.cancel_start(
            ports, allocate.reload(ports, session)
        ):
            raise StaleRequest from None  # it was answered meanwhile, or a newer request is
        raise
