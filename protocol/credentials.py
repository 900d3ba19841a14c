"""Credentials as WebSocket subprotocol entries, or as an Authorization header; never in a URL.

A browser can set no header on a WebSocket but `Sec-WebSocket-Protocol`, so a second entry carries the secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from .errors import LocalProtocolError, RemoteProtocolError
from .limits import JWT_ENTRY_BYTES, SUBPROTOCOL

Kind = Literal["jwt", "ticket"]
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+\Z")  # what a subprotocol entry may hold, less what URLs dislike


def offer(kind: Kind, secret: str, besides: Sequence[str] = ()) -> list[str]:
    """The subprotocols a client offers; `besides` are entries that `ready` asks for.

    Raises LocalProtocolError("auth_invalid") for a secret that no subprotocol entry can hold, and
    LocalProtocolError("too_large") above JWT_ENTRY_BYTES.
    """
    if not _TOKEN.match(secret):
        raise LocalProtocolError("auth_invalid")
    if len(secret) > JWT_ENTRY_BYTES:
        raise LocalProtocolError("too_large")
    return [SUBPROTOCOL, f"{SUBPROTOCOL}.{kind}.{secret}", *besides]


def offered(header: str | None) -> list[str]:
    """The entries of a Sec-WebSocket-Protocol header."""
    return [entry.strip() for entry in (header or "").split(",") if entry.strip()]


def is_from_native(kind: Kind, subprotocols: list[str]) -> bool:
    """No page can have presented this credential: it came in `Authorization`, which no page's script can set.

    To be asked of a handshake in which `credential` has found one. Its `Origin` then says nothing: React
    Native makes one up from the address it connects to.
    """
    return not any(entry.startswith(f"{SUBPROTOCOL}.{kind}.") for entry in subprotocols)


def credential(kind: Kind, subprotocols: list[str], authorization: str | None) -> str:
    """The secret a peer presented, from its subprotocols or its `Authorization: Bearer`.

    Raises RemoteProtocolError: `auth_missing`, or `auth_invalid` when two different ones are offered.
    """
    prefix = f"{SUBPROTOCOL}.{kind}."
    found = {entry.removeprefix(prefix) for entry in subprotocols if entry.startswith(prefix)}
    scheme, _, bearer = (authorization or "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        found.add(bearer.strip())
    if not found:
        raise RemoteProtocolError("auth_missing")
    if len(found) > 1 or not _TOKEN.match(secret := found.pop()):
        raise RemoteProtocolError("auth_invalid")
    return secret
