"""`resume`: the one way to reconnect to a session, after any kind of break."""

from __future__ import annotations

from functions.core.runtime.ports import Ports
from functions.core.runtime.refusal import Refusal
from functions.core.sessions import ready_reply
from functions.core.sessions.floods import count_repeat
from protocol.control import Resume
from records import limits, relays, sessions
from records.connections import Connection
from records.session_status import end_code
from records.sessions import Session

REPORTS = 4  #: reports of unreachable relays by one user in a minute; more are ignored


def resume(ports: Ports, connection: Connection, message: Resume) -> None:
    """Send the client to its relay while that one is alive and reachable, else to another. Raises Refusal."""
    used_hash = sessions.hash_key(message.resume_key)
    session = _load_own(ports, connection, message.session)
    if not session.knows_key(used_hash):
        raise Refusal("resume_refused", session=session.id)
    if session.state == "ENDED" or session.ends_at <= ports.now():
        raise Refusal(end_code(session.reason), session=session.id)
    count_repeat(ports, connection.user, session.id)
    # A retry, whose first copy has moved the session already, does not report the new relay.
    has_failed = message.media_failed and not session.has_moved_since(used_hash)
    avoid = _report_unreachable(ports, session) if has_failed else ""
    try:
        asked = ready_reply.record_request(ports, session, connection.id, used_hash)
        ready_reply.lead(ports, asked, origin=connection.origin, key=message.resume_key, avoid=avoid)
    except Refusal as refusal:
        refusal.fatal = refusal.code != "capacity"  # the session waits for the next attempt
        raise


def _report_unreachable(ports: Ports, session: Session) -> str:
    """Relay that the client could not reach. It is reported as such, up to REPORTS a minute."""
    now = ports.now()
    if session.relay and not limits.hit(
        ports.table, "report", session.user, limit=REPORTS, window_s=60, now=now
    ):
        relays.report_unreachable(ports.table, session.relay, now)
    return session.relay


def _load_own(ports: Ports, connection: Connection, session: str) -> Session:
    """Load a session of this user. Another user's is refused like an unknown one."""
    found = sessions.load(ports.table, session)
    if found is None or found.user != connection.user:
        raise Refusal("session_unknown")
    return found
