"""Signed media routes: the path that tells the edge which relay to reach.

    /r/<slot>/<b64url(address|expires)>.<b64url(hmac_sha256(key, slot/b64url(address|expires)))>

Not a secret: it routes, the ticket admits. The signature keeps a client from choosing what the edge dials.
The edge function verifies the same bytes in JavaScript.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

_PATH = re.compile(r"/r/([A-Za-z0-9-]{1,32})/([A-Za-z0-9_-]{1,512})\.([A-Za-z0-9_-]{43})\Z")


def sign_route(key: bytes, slot: str, address: str, expires_epoch_s: int) -> str:
    """The path to the relay of `slot` at `address` (host:port), good until `expires_epoch_s`."""
    payload = _encode(f"{address}|{expires_epoch_s}".encode())
    return f"/r/{slot}/{payload}.{_sign(key, slot, payload)}"


def read_route(key: bytes, path: str, now_epoch_s: int) -> str:
    """The address that a path was signed for.

    Raises ValueError, without a detail, for a path that is malformed, forged or expired.
    """
    found = _PATH.match(path)
    if not found:
        raise ValueError("route")
    slot, payload, signature = found.groups()
    if not hmac.compare_digest(signature, _sign(key, slot, payload)):
        raise ValueError("route")
    padded = payload + "=" * (-len(payload) % 4)
    address, _, expires = base64.urlsafe_b64decode(padded).decode().rpartition("|")
    if not address or int(expires) <= now_epoch_s:
        raise ValueError("route")
    return address


def _sign(key: bytes, slot: str, payload: str) -> str:
    return _encode(hmac.digest(key, f"{slot}/{payload}".encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
