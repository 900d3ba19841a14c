"""The events that API Gateway hands to the functions of a WebSocket API, shape for shape.

Source: captured events in powertools-lambda-python, tests/events/apiGatewayWebSocketApi*.json; a
capture of an idle close (1001, "Going away", 604 s after $connect).
"""

import base64
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]

#: What $disconnect reports when the client's close frame carried no status.
NO_STATUS = (1005, "Client-side close frame status not set")


def new_id() -> str:
    """An id of API Gateway's form, as in connectionId `BFHPhfCWIAMCKlQ=`: 11 bytes, URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()


@dataclass(frozen=True, slots=True)
class Facts:
    """What stays the same in every event of one connection."""

    domain: str
    api_id: str
    stage: str
    source_ip: str
    user_agent: str | None
    connection_id: str = field(default_factory=new_id)
    connected_epoch_ms: int = field(default_factory=lambda: int(time.time() * 1000))

    def identity(self) -> dict[str, str]:
        """Who connected, as events and `GET @connections` show it."""
        agent = {"userAgent": self.user_agent} if self.user_agent else {}
        return {"sourceIp": self.source_ip, **agent}


def connect_event(
    facts: Facts, headers: Iterable[tuple[str, str]], query: Sequence[tuple[str, str]]
) -> Event:
    """The $connect event: the only one with the client's headers and query. It has no body."""
    # hop by hop: they end at the gateway, as does what a forwarder before this machine says of the client
    hidden = {"connection", "upgrade", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port"}
    hidden |= {"x-forwarded-proto"}
    sent = [(name, value) for name, value in headers if name.lower() not in hidden]
    sent += [
        ("X-Amzn-Trace-Id", f"Root=1-{int(time.time()):x}-{secrets.token_hex(12)}"),
        ("X-Forwarded-For", facts.source_ip),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ]
    event = {
        "headers": dict(sent),
        "multiValueHeaders": _grouped(sent),
        "requestContext": _context(facts, "$connect", "CONNECT"),
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = dict(query)
        event["multiValueQueryStringParameters"] = _grouped(query)
    return event


def message_event(facts: Facts, route_key: str, body: str) -> Event:
    """The event of one text message: no headers, no query."""
    context = _context(facts, route_key, "MESSAGE") | {"messageId": new_id()}
    return {"requestContext": context, "body": body, "isBase64Encoded": False}


def disconnect_event(facts: Facts, code: int, reason: str) -> Event:
    """The $disconnect event; `code` and `reason` say how the connection closed."""
    headers = [("Host", facts.domain), ("x-api-key", ""), ("X-Forwarded-For", ""), ("x-restapi", "")]
    context = _context(facts, "$disconnect", "DISCONNECT")
    context |= {"disconnectStatusCode": code, "disconnectReason": reason}
    return {
        "headers": dict(headers),
        "multiValueHeaders": _grouped(headers),
        "requestContext": context,
        "isBase64Encoded": False,
    }


def error_frame(message: str, facts: Facts, request_id: str) -> str:
    """What API Gateway itself tells a client, spaced as it was seen on the wire."""
    return f'{{"message": "{message}", "connectionId":"{facts.connection_id}", "requestId":"{request_id}"}}'


def _context(facts: Facts, route_key: str, kind: str) -> Event:
    now = time.time()
    request_id = new_id()
    return {
        "routeKey": route_key,
        "eventType": kind,
        "extendedRequestId": request_id,
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "messageDirection": "IN",
        "stage": facts.stage,
        "connectedAt": facts.connected_epoch_ms,
        "requestTimeEpoch": int(now * 1000),
        "identity": facts.identity(),
        "requestId": request_id,
        "domainName": facts.domain,
        "connectionId": facts.connection_id,
        "apiId": facts.api_id,
    }


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped
