"""Control road: one message in, replies out, and an `error` for a request that is refused."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from functions.core.runtime.entry import logger, place_of
from functions.core.runtime.ports import Ports
from functions.core.runtime.refusal import Refusal, StaleRequest
from functions.core.sessions.end import end
from functions.core.sessions.floods import Flooded, count_message
from functions.core.sessions.resume import resume
from functions.core.sessions.start import start
from protocol.codec import asked_by, control_error, control_requests
from protocol.control import ControlRequest, End, Resume, Start
from protocol.errors import RemoteProtocolError
from records import sessions
from records.connections import Connection
from records.table import StoreError


def handle(ports: Ports, event: dict[str, Any]) -> None:
    """Answer one MESSAGE event. Raises only when the reply cannot be posted."""
    connection = event["requestContext"]["connectionId"]
    body, message = event.get("body") or "", None
    try:
        known = count_message(ports, connection)
        message = control_requests.decode(body)
        _execute(ports, known, message)
    except Flooded:
        pass
    except RemoteProtocolError as error:
        _send_error(ports, connection, _refused(error, body))
    except StaleRequest:
        logger.info("stale request dropped", extra={"ref": _ref(message)})
    except Refusal as refusal:
        refusal.ref = refusal.ref or _ref(message) or asked_by(body)
        _send_error(ports, connection, refusal)
    except StoreError as error:
        logger.error("store failed", extra=place_of(error))
        ref = _ref(message) or asked_by(body)
        _send_error(ports, connection, Refusal("store_unavailable", ref=ref, retry_after_ms=1000))
    except Exception as error:
        logger.error("request failed", extra=place_of(error))
        _send_error(ports, connection, Refusal("internal", ref=_ref(message)))


def _execute(ports: Ports, connection: Connection, message: ControlRequest) -> None:
    match message:
        case Start():
            start(ports, _require_valid(ports, connection), message)
        case Resume():
            resume(ports, _require_valid(ports, connection), message)
        case End():
            end(ports, connection, message)
        case _:
            assert_never(message)
    logger.info("request granted", extra={"type": type(message).__name__, "ref": _ref(message)})


def _require_valid(ports: Ports, connection: Connection) -> Connection:
    """Refuse `start` and `resume` after the credential has expired; `end` is always allowed."""
    if connection.expires_at <= ports.now():
        raise Refusal("auth_expired")
    return connection


def _refused(error: RemoteProtocolError, body: str) -> Refusal:
    """Refusal of a message that cannot be read, or of a `start` without a common version.

    It ends the request, which `ref` names if it has a name. A type of a newer protocol asked for nothing.
    """
    is_known = error.code != "unknown_type"
    ref = (asked_by(body) if is_known else "") or error.ref
    return Refusal(error.code, ref=ref, detail=error.detail, fatal=is_known)


def _send_error(ports: Ports, connection: str, refusal: Refusal) -> None:
    logger.info("request refused", extra={"code": refusal.code, "connection": connection})
    error = control_error(
        refusal.code,
        ref=refusal.ref,
        detail=refusal.detail,
        retry_after_ms=refusal.retry_after_ms,
        fatal=refusal.fatal,
        sessions=refusal.sessions,
    )
    if refusal.session:
        i = sessions.next_reply_seq(ports.table, refusal.session)
        error = msgspec.structs.replace(error, i=i)
    ports.replies.send(connection, error)


def _ref(message: ControlRequest | None) -> str:
    match message:
        case Start():
            return message.request
        case Resume() | End():
            return message.session
        case _:
            return ""
