"""`end`: the client ends its session, or cancels its start."""

from __future__ import annotations

from functions.core.runtime.ports import Ports
from functions.core.runtime.refusal import Refusal
from protocol.control import ControlEnded, End
from records import relays, sessions
from records.connections import Connection


def end(ports: Ports, connection: Connection, message: End) -> None:
    """End the session in any state, and order its relay to end the call. Raises Refusal."""
    session = sessions.load(ports.table, message.session)
    if session is None or session.user != connection.user:
        raise Refusal("session_unknown")
    relay = sessions.cancel(ports.table, session.id, "client", ports.now())
    if relay:
        relays.order(ports.table, relay, f"end:{session.id}")
    i = sessions.next_reply_seq(ports.table, session.id)
    ports.replies.send(connection.id, ControlEnded(session.id, i))
