"""`start`: open a session, within the user's limits, once per request."""

from __future__ import annotations

import re
import secrets

from agents.catalogue import Agent, Override, catalogue
from functions.core import capacity, offers, stranded
from functions.core.ports import Ports
from functions.core.refusal import Refusal
from protocol.codec import common_version
from protocol.control import Config, Start
from protocol.limits import VERSIONS
from records import limits, minutes, open_sessions, sessions
from records.connections import Connection
from records.sessions import Draft, Session
from records.table import ConditionFailed

_USUAL = Config()
_CHOICES: tuple[Override, ...] = ("voice", "language", "turns")  #: fields of a Config
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")  # it reaches the model's instructions


def start(ports: Ports, connection: Connection, message: Start) -> None:
    """Open the session and lead the client to a relay. Raises Refusal, RemoteProtocolError."""
    common_version(message.versions, VERSIONS)
    if _repeat(ports, connection, message):
        return
    key = offers.new_key()
    try:
        session = _open(ports, connection, message, sessions.hash_key(key))
    except ConditionFailed:
        # The same request has come twice at once: the other one was faster.
        if _repeat(ports, connection, message):
            return
        raise
    offers.admitted(ports, session, key)
    placed = _place_new(ports, session)
    offers.answer(ports, placed, origin=connection.origin, key=key)


def _repeat(ports: Ports, connection: Connection, message: Start) -> bool:
    """Answer a request that has opened its session already. False when it has not."""
    session = _opened(ports, connection, message)
    if session is None:
        return False
    placed = capacity.place(ports, offers.asked(ports, session, connection.id))
    offers.answer(ports, placed, origin=connection.origin)
    return True


def _opened(ports: Ports, connection: Connection, message: Start) -> Session | None:
    """The session that this request has opened already."""
    found = sessions.opened(ports.table, connection.user, message.request, ports.now())
    session = None if found is None else sessions.load(ports.table, found)
    if session is None:
        return None
    if session.state == "ENDED" or session.ends_at <= ports.now():
        raise Refusal("session_ended", session=session.id)
    return session


def _open(ports: Ports, connection: Connection, message: Start, key_hash: str) -> Session:
    agent = catalogue().get(message.agent)
    if agent is None:
        raise Refusal("agent_unknown")
    check_overrides(agent, message)
    now = ports.now()
    seconds = _reserve(ports, connection.user, agent)
    draft = Draft(
        id=secrets.token_hex(16),
        user=connection.user,
        request=message.request,
        agent=agent.name,
        config=message.config,
        tools=message.tools,
        metadata=message.metadata,
        connection=connection.id,
        origin=connection.origin,
        ends_at=now + seconds,
        key_hash=key_hash,
        reserved_s=seconds,
    )
    try:
        return sessions.create(ports.table, draft, limit=ports.config.limits.sessions, now=now)
    except open_sessions.Full as full:
        minutes.give_back(ports.table, connection.user, seconds, now)
        raise Refusal("quota_sessions", retry_after_ms=full.retry_after_s * 1000) from None
    except ConditionFailed:
        minutes.give_back(ports.table, connection.user, seconds, now)
        raise


def _reserve(ports: Ports, user: str, agent: Agent) -> int:
    """Seconds that the session may last, taken from its user's minutes. Raises Refusal when none are left."""
    quota, now = ports.config.limits, ports.now()
    wait_ms = limits.hit(ports.table, "start", user, limit=quota.starts, window_s=60, now=now)
    if wait_ms:
        raise Refusal("quota_starts", retry_after_ms=wait_ms)
    longest = min(quota.session_minutes, agent.limits.session_minutes or quota.session_minutes)
    limit_s = quota.day_minutes * 60
    seconds = minutes.reserve(ports.table, user, want_s=longest * 60, limit_s=limit_s, now=now)
    if not seconds:
        raise Refusal("quota_minutes", retry_after_ms=(minutes.DAY_S - now % minutes.DAY_S) * 1000)
    return seconds


def check_overrides(agent: Agent, message: Start) -> None:
    """Raises Refusal(`config_refused`) with the field that this agent does not leave to a client."""
    asked = [name for name in _CHOICES if getattr(message.config, name) != getattr(_USUAL, name)]
    for name in asked:
        if name not in agent.allow:
            raise Refusal("config_refused", ref=f"config.{name}")
    if message.config.language and not _LANGUAGE.match(message.config.language):
        raise Refusal("config_refused", ref="config.language")
    names = [tool.name for tool in agent.tools] + [tool.name for tool in message.tools]
    if (message.tools and "tools" not in agent.allow) or len(set(names)) < len(names):
        raise Refusal("config_refused", ref="tools")


def _place_new(ports: Ports, session: Session) -> capacity.Placed:
    """A session that gets no relay never came to be: its request may be sent again."""
    try:
        return capacity.place(ports, session)
    except Refusal as refusal:
        if refusal.code == "capacity":
            stranded.never_came(ports, session)
        raise
