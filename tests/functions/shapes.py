"""API Gateway's WebSocket events, as captured ones look."""

import json
import time


def connect_event(connection="c1=", **headers):
    named = {
        "Host": "api.example",
        "Sec-WebSocket-Key": "a2V5",
        "Sec-WebSocket-Version": "13",
        "X-Forwarded-For": "192.0.2.7",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return {
        "headers": named,
        "multiValueHeaders": {name: [value] for name, value in named.items()},
        "requestContext": _context(connection, "$connect", "CONNECT"),
        "isBase64Encoded": False,
    }


def message_event(connection, body):
    text = body if isinstance(body, str) else json.dumps(body)
    kind = body.get("type") if isinstance(body, dict) else None
    route = kind if kind in ("start", "resume", "end") else "$default"
    context = _context(connection, route, "MESSAGE") | {"messageId": "GB1yBdZ8IAMCJCQ="}
    return {"requestContext": context, "body": text, "isBase64Encoded": False}


def disconnect_event(connection):
    context = _context(connection, "$disconnect", "DISCONNECT")
    context |= {"disconnectStatusCode": 1005, "disconnectReason": "Client-side close frame status not set"}
    named = {"Host": "api.example", "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    return {
        "headers": named,
        "multiValueHeaders": {name: [value] for name, value in named.items()},
        "requestContext": context,
        "isBase64Encoded": False,
    }


def _context(connection, route, kind):
    now_ms = int(time.time() * 1000)
    return {
        "routeKey": route,
        "eventType": kind,
        "extendedRequestId": "GB1yBdZ8IAMFQ8w=",
        "requestTime": "22/Nov/2026:12:00:00 +0000",
        "messageDirection": "IN",
        "stage": "v1",
        "connectedAt": now_ms - 50,
        "requestTimeEpoch": now_ms,
        "identity": {"sourceIp": "192.0.2.7", "userAgent": "test"},
        "requestId": "GB1yBdZ8IAMFQ8w=",
        "domainName": "api.example",
        "connectionId": connection,
        "apiId": "abcdef1234",
    }
