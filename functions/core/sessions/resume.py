"""`resume`: one way back into a session, after any kind of break."""

from __future__ import annotations

from functions.core.fleet import allocate as capacity
from functions.core.runtime.ports import Ports
from functions.core.runtime.refusal import Refusal
from functions.core.sessions import ready_reply as offers
from protocol.control import Resume
from records import limits, relays, sessions
from records.connections import Connection
from records.sessions import Session

REPORTS = 4  #: of relays that cannot be reached, by one user in a minute; more are not held against a relay


def resume(ports: Ports, connection: Connection, message: Resume) -> None:
    """The same relay while it lives and the client could reach it, else another at once. Raises Refusal."""
    used_hash = sessions.hash_key(message.resume_key)
    session = _own(ports, connection, message.session)
    if not session.knows_key(used_hash):
        raise Refusal("resume_refused", session=session.id)
    if session.state == "ENDED" or session.ends_at <= ports.now():
        raise Refusal("session_ended", session=session.id)
    # Asked again for want of an answer, it has been led elsewhere already.
    has_failed = message.media_failed and not session.has_moved_since(used_hash)
    avoid = _reported(ports, session) if has_failed else ""
    try:
        asked = offers.asked(ports, session, connection.id, used_hash)
        placed = capacity.place(ports, asked, avoid)
    except Refusal as refusal:
        refusal.fatal = refusal.code != "capacity"  # the conversation waits for the next try
        raise
    offers.answer(ports, placed, origin=connection.origin, key=message.resume_key)


def _reported(ports: Ports, session: Session) -> str:
    """The relay that the client could not reach. Others are warned of it, within reason."""
    now = ports.now()
    if session.relay and not limits.hit(
        ports.table, "report", session.user, limit=REPORTS, window_s=60, now=now
    ):
        relays.report_unreachable(ports.table, session.relay, now)
    return session.relay


def _own(ports: Ports, connection: Connection, session: str) -> Session:
    """Another user's session and none at all look the same."""
    found = sessions.load(ports.table, session)
    if found is None or found.user != connection.user:
        raise Refusal("session_unknown")
    return found
