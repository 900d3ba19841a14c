"""Admission of control connections: a genuine credential, from an allowed origin.

A genuine credential that has expired is admitted and recorded as expired: a browser cannot read the status of
a refused handshake, but it can read the `error` that answers its `start`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jwt

from protocol.credentials import credential, is_from_native, offered
from protocol.errors import RemoteProtocolError
from protocol.limits import SUBPROTOCOL

SUBJECT_CHARS = 256  #: a longer `sub` would not fit the record's keys
LEEWAY_S = 30  #: how far two clocks may disagree about `nbf`


class Refused(Exception):
    """Connection not admitted. `status` answers the handshake."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class KeySource(Protocol):
    """Source of the key that must have signed a token."""

    @property
    def algorithms(self) -> Collection[str]:
        """Accepted algorithms, whatever the token says."""

    def key_for(self, token: str) -> Any:
        """The key. Raises jwt.PyJWTError when there is none for this token."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims that a credential must have beside its subject."""

    issuer: str = ""  #: empty: not checked
    audience: str = ""  #: empty: not checked


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified credential."""

    user: str
    expires_at: int  #: epoch s; may lie in the past


def verify(token: str, keys: KeySource, claims: Claims, now: int) -> Identity:
    """Verify a token. Raises Refused(401) for anything forged, malformed or not yet valid."""
    try:
        found = jwt.decode(
            token,
            keys.key_for(token),
            algorithms=list(keys.algorithms),
            audience=claims.audience or None,
            issuer=claims.issuer or None,
            options={
                "require": ["sub", "exp"],
                "verify_aud": bool(claims.audience),
                # Times are checked below, by the caller's clock: see `now`.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except (jwt.PyJWTError, TypeError):
        # TypeError: the token names an algorithm of another family than that of its key.
        raise Refused(401) from None
    return _identity(found, now)


def page_of(headers: Mapping[str, str], allowed: Collection[str]) -> str:
    """The origin of the page that connects; "" for a native client. Raises Refused(403) for one not allowed.

    `allowed` holds origins; `*` is any, and `:*` at the end of one is any port of it.
    """
    origin = headers.get("origin", "")
    if not origin or is_from_native("jwt", offered(headers.get("sec-websocket-protocol"))):
        return ""
    host, _, port = origin.rpartition(":")
    any_port = f"{host if port.isdigit() else origin}:*"
    if not {origin, any_port, "*"} & set(allowed):
        raise Refused(403)
    return origin


def present(headers: Mapping[str, str]) -> str:
    """The credential in a handshake's headers (names in lower case). Raises Refused(401)."""
    try:
        subprotocols = offered(headers.get("sec-websocket-protocol"))
        return credential("jwt", subprotocols, headers.get("authorization"))
    except RemoteProtocolError:
        raise Refused(401) from None


def accept(headers: Mapping[str, str]) -> dict[str, Any]:
    """Response that admits a connection. Of subprotocols only ours is echoed, if it was offered."""
    if SUBPROTOCOL in offered(headers.get("sec-websocket-protocol")):
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": SUBPROTOCOL}}
    return {"statusCode": 200}


def headers_of(event: Mapping[str, Any]) -> dict[str, str]:
    """Headers of a `$connect` event by lower-case name; API Gateway keeps the case they were sent in."""
    many = event.get("multiValueHeaders") or {}
    single = {name: [value] for name, value in (event.get("headers") or {}).items()}
    return {name.lower(): ", ".join(values) for name, values in (single | many).items()}


def _identity(claims: Mapping[str, Any], now: int) -> Identity:
    subject = claims["sub"]
    expires_at, not_before = _time(claims["exp"]), _time(claims.get("nbf", 0))
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARS or not_before > now + LEEWAY_S:
        raise Refused(401)
    if any("\ud800" <= char <= "\udfff" for char in subject):  # half a character: no record can have that key
        raise Refused(401)
    return Identity(subject, expires_at)


def _time(claim: object) -> int:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        raise Refused(401)
    if isinstance(claim, float) and not math.isfinite(claim):
        raise Refused(401)
    return max(-(2**53), min(int(claim), 2**53))
