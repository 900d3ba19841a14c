"""Limits on what one client, and one user, may ask of the control road.

A `start` has a quota of its own. A `resume`, or the same `start` again, costs a lease, a key and a ticket,
and whatever else is sent an invocation: a loop of it would be paid for, and slow the requests of others.
"""

from __future__ import annotations

from functions.core.runtime.entry import logger
from functions.core.runtime.ports import Ports
from functions.core.runtime.refusal import Refusal
from protocol.codec import control_error
from protocol.limits import CONTROL_MESSAGES
from records import connections, limits
from records.connections import Connection

REPEATS = 6  #: requests for open sessions by one user in a minute, for each start that is allowed
WINDOW_S = 60


class Flooded(Exception):
    """Message to be dropped: its connection was told so, and closed, for the number of them."""


def count_message(ports: Ports, connection: str) -> Connection:
    """Count one more message of a connection, and return who that is. Raises Flooded, Refusal."""
    counted = connections.count_message(ports.table, connection, ports.now())
    if counted is None:
        raise Refusal("auth_missing")
    known, messages = counted
    if messages <= CONTROL_MESSAGES:
        return known
    if messages == CONTROL_MESSAGES + 1:
        logger.warning("connection flooded", extra={"connection": connection})
        rule = f"a control connection takes {CONTROL_MESSAGES}"
        ports.replies.send(connection, control_error("rate_limited", detail=rule))
    ports.replies.close(connection)
    raise Flooded


def count_repeat(ports: Ports, user: str, session: str) -> None:
    """Count one more request for an open session of this user. Raises Refusal."""
    limit = ports.config.limits.starts * REPEATS
    wait_ms = limits.hit(ports.table, "repeat", user, limit=limit, window_s=WINDOW_S, now=ports.now())
    if wait_ms:
        raise Refusal("rate_limited", session=session, retry_after_ms=wait_ms, fatal=False)
