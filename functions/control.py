"""The control road but for `$disconnect`: one function, which has started when a client's `start` comes."""

from __future__ import annotations

from typing import Any

from functions import connect, session


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`$connect` goes to `connect`; messages, and what relays ask for, to `session`."""
    asked = event.get("requestContext") or {}
    chosen = connect if asked.get("routeKey") == "$connect" else session
    answer: dict[str, Any] = chosen.handler(event, context)
    return answer
