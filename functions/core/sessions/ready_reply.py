"""The two replies that lead a client to its relay: `starting` and `ready`."""

from __future__ import annotations

import secrets

from functions.core.fleet.allocate import Placed
from functions.core.runtime.ports import Ports
from functions.core.runtime.refusal import Overtaken, Refusal
from protocol.control import Limits, Media, Ready, Starting
from records import keyring, relays, routes, sessions, tickets
from records.sessions import Session
from records.table import ConditionFailed


def new_key() -> str:
    """A resume key of 256 bits."""
    return secrets.token_urlsafe(32)


def admitted(ports: Ports, session: Session, key: str) -> None:
    """Say that the session is open, before a relay is looked for."""
    i = sessions.next_reply_seq(ports.table, session.id)
    ports.replies.send(session.connection, Starting(session.id, key, "admitted", i))


def asked(ports: Ports, session: Session, connection: str, used_hash: str = "") -> Session:
    """Note that this connection asks for a session that there is already, perhaps by a resume key.

    Raises Refusal(`session_ended`).
    """
    try:
        return sessions.add_request(ports.table, session, connection, ports.now() + relays.START_S, used_hash)
    except ConditionFailed:
        raise Refusal("session_ended", session=session.id) from None


def answer(ports: Ports, placed: Placed, *, origin: str, key: str = "") -> None:
    """Tell a client where its relay is, or how long it will take.

    `key` is the resume key that it has, where that is known: `starting` repeats it. Raises Overtaken, also
    when this ask was answered by somebody else, and Refusal(`session_ended`).
    """
    if placed.relay.state == "READY":
        _ready(ports, placed, origin)
    else:
        _starting(ports, placed, key)


def _starting(ports: Ports, placed: Placed, key: str) -> None:
    session, now = placed.session, ports.now()
    if key:
        i = sessions.next_reply_seq(ports.table, session.id)
    else:
        key = new_key()
        i = _issue(ports, session, key, now + relays.START_S, final=False)
    eta_ms = relays.eta_ms(ports.table, placed.relay, now)
    ports.replies.send(session.connection, Starting(session.id, key, "relay", i, eta_ms))


def _ready(ports: Ports, placed: Placed, origin: str) -> None:
    session, relay, key, ticket = placed.session, placed.relay, new_key(), tickets.new()
    bound = tickets.Ticket(session.id, session.epoch, relay.id, origin)
    expires_at = tickets.put(ports.table, ticket, bound, ports.now())
    i = _issue(ports, session, key, expires_at, final=True)
    key_of_route = keyring.read(ports.route_key()).current.encode()
    # While the session waits for its client, a late one is told so by the relay: the edge could only refuse.
    told_until = expires_at + ports.config.limits.resume_s
    path = routes.sign_route(key_of_route, relay.slot, relay.address, told_until)
    media = Media(ports.config.media_url + path, ticket, expires_at * 1000)
    longest_ms = (session.ends_at - session.created_at) * 1000
    limits = Limits(longest_ms, ports.config.limits.resume_s * 1000)
    ports.replies.send(session.connection, Ready(session.id, key, media, limits, i))


def _issue(ports: Ports, session: Session, key: str, until: int, *, final: bool) -> int:
    """The reply's `i`."""
    try:
        return sessions.issue_key(ports.table, session, sessions.hash_key(key), until=until, final=final)
    except ConditionFailed as failed:
        if failed.item.get("state") == "OPEN":
            raise Overtaken from None
        raise Refusal("session_ended", session=session.id) from None
