"""Replies that send a client to its relay: `starting` and `ready`."""

from __future__ import annotations

import secrets

from functions.core.fleet import allocate
from functions.core.fleet.allocate import Placement
from functions.core.fleet.give_up_relay import RETRY_MS
from functions.core.runtime.ports import LaunchFailed, Ports, VmGone
from functions.core.runtime.refusal import Refusal, StaleRequest
from protocol.control import Limits, Media, Ready, Starting
from records import keyring, relays, routes, sessions, start_times, tickets
from records.relays import Relay
from records.session_status import end_code
from records.sessions import Session
from records.table import ConditionFailed

TRIES = 3  #: relays that are tried when MicroVMs have ended; then something else is wrong


def new_key() -> str:
    """A resume key of 256 bits."""
    return secrets.token_urlsafe(32)


def send_admitted(ports: Ports, session: Session, key: str) -> None:
    """Send `starting` with stage `admitted`, before a relay is allocated."""
    i = sessions.next_reply_seq(ports.table, session.id)
    ports.replies.send(session.connection, Starting(session.id, key, "admitted", i))


def record_request(ports: Ports, session: Session, connection: str, used_hash: str = "") -> Session:
    """Count a request for an existing session from this connection, perhaps by a resume key.

    Raises Refusal(`session_ended`).
    """
    try:
        return sessions.add_request(ports.table, session, connection, ports.now() + relays.START_S, used_hash)
    except ConditionFailed as failed:
        raise Refusal(end_code(failed.item.get("reason", "")), session=session.id) from None


def lead(ports: Ports, session: Session, *, origin: str, key: str = "", avoid: str = "") -> Placement:
    """Allocate a relay that is there, but not `avoid`, and send the client to it.

    A relay whose MicroVM turns out to have ended is reported as a client would, and the next one is tried.
    Raises as `allocate.place` and `send` do.
    """
    for _ in range(TRIES):
        placed = allocate.place(ports, session, avoid)
        try:
            send(ports, placed, origin=origin, key=key)
        except VmGone:
            relays.report_unreachable(ports.table, placed.relay.id, ports.now())
            session, avoid = placed.session, placed.relay.id
        else:
            return placed
    raise _no_capacity(session)


def send(ports: Ports, placed: Placement, *, origin: str, key: str = "") -> None:
    """Send `ready` with the address of the relay, or `starting` with its ETA.

    `key` is the client's resume key, if known: `starting` repeats it. Raises VmGone, with nothing sent;
    StaleRequest, also when this request was answered elsewhere; Refusal: `session_ended`, `capacity`.
    """
    if placed.relay.state == "READY":
        _send_ready(ports, placed, origin)
    else:
        _send_starting(ports, placed, key)


def _send_starting(ports: Ports, placed: Placement, key: str) -> None:
    session, now = placed.session, ports.now()
    if key:
        i = sessions.next_reply_seq(ports.table, session.id)
    else:
        key = new_key()
        i = _issue_key(ports, session, key, now + relays.START_S, final=False)
    relay = placed.relay
    eta_ms = start_times.eta_ms(ports.table, relay.home, relay.started_at, now)
    ports.replies.send(session.connection, Starting(session.id, key, "relay", i, eta_ms))


def _send_ready(ports: Ports, placed: Placement, origin: str) -> None:
    session, relay, key, ticket = placed.session, placed.relay, new_key(), tickets.new()
    bound = tickets.Ticket(session.id, session.epoch, relay.id, origin)
    protocols = _protocols(ports, session, relay)  # first: a request is answered by one `ready` at most
    expires_at = tickets.put(ports.table, ticket, bound, ports.now())
    i = _issue_key(ports, session, key, expires_at, final=True)
    media = _media(ports, relay, ticket, expires_at, protocols)
    longest_ms = (session.ends_at - session.created_at) * 1000
    limits = Limits(longest_ms, ports.config.limits.resume_s * 1000)
    ports.replies.send(session.connection, Ready(session.id, key, media, limits, i))


def _media(ports: Ports, relay: Relay, ticket: str, expires_at: int, protocols: list[str]) -> Media:
    """Where the relay is reached: a task by a signed route of the edge, a MicroVM at its own endpoint."""
    if relay.home == "microvm":
        return Media(_websocket(relay.address), ticket, expires_at * 1000, protocols)
    key_of_route = keyring.read(ports.route_key()).current.encode()
    # In the resume window a late client gets its error from the relay: the edge could only refuse it.
    route_until = expires_at + ports.config.limits.resume_s
    path = routes.sign_route(key_of_route, relay.slot, relay.address, route_until)
    return Media(ports.config.media_url + path, ticket, expires_at * 1000)


def _protocols(ports: Ports, session: Session, relay: Relay) -> list[str]:
    """What the proxy before the relay wants. Raises VmGone, and Refusal(`capacity`): not known now."""
    if relay.home != "microvm" or ports.admittance is None:
        return []
    try:
        return ports.admittance.protocols(relay.vm)
    except LaunchFailed:
        raise _no_capacity(session) from None


def _no_capacity(session: Session) -> Refusal:
    return Refusal("capacity", session=session.id, retry_after_ms=RETRY_MS)


def _websocket(endpoint: str) -> str:
    """The endpoint of a MicroVM as a WebSocket's URL; without a scheme it is https."""
    scheme, _, place = endpoint.rpartition("://")
    return f"{'ws' if scheme == 'http' else 'wss'}://{place.rstrip('/')}/r"


def _issue_key(ports: Ports, session: Session, key: str, until: int, *, final: bool) -> int:
    """Issue a resume key. Returns the reply's `i`."""
    try:
        return sessions.issue_key(ports.table, session, sessions.hash_key(key), until=until, final=final)
    except ConditionFailed as failed:
        if failed.item.get("state") == "OPEN":
            raise StaleRequest from None
        raise Refusal(end_code(failed.item.get("reason", "")), session=session.id) from None
