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
from collections.abc import Iterable

#: Placeholder for the load balancer in an address: the edge then dials its default origin.
BALANCER = "alb"

_ADDRESS = re.compile(r"([A-Za-z0-9.-]{1,253}):([1-9][0-9]{0,4})\|([0-9]{1,12})\Z")
_PATH = re.compile(r"/r/([A-Za-z0-9-]{1,32})/([A-Za-z0-9_-]{1,512})\.([A-Za-z0-9_-]{43})\Z")


def sign_route(key: bytes, slot: str, address: str, expires_epoch_s: int) -> str:
    """The path to the relay of `slot` at `address` (host:port), good until `expires_epoch_s`."""
    payload = _encode(f"{address}|{expires_epoch_s}".encode())
    return f"/r/{slot}/{payload}.{_sign(key, slot, payload)}"


def read_route(key: bytes, path: str, now_epoch_s: int) -> str:
    """The address (host:port) that a path was signed for.

    Raises ValueError, without a detail, for a path that is malformed, forged or expired.
    """
    return read_route_of_any((key,), path, now_epoch_s)


def read_route_of_any(keys: Iterable[bytes], path: str, now_epoch_s: int) -> str:
    """Like `read_route`; while keys rotate, the signature may be by any of `keys`."""
    found = _PATH.match(path)
    if not found:
        raise ValueError("route")
    slot, payload, signature = found.groups()
    if not any([hmac.compare_digest(signature, _sign(key, slot, payload)) for key in keys]):  # noqa: C419
        raise ValueError("route")
    signed = _ADDRESS.match(_decode(payload))
    if not signed or int(signed[2]) > 65_535 or int(signed[3]) <= now_epoch_s:
        raise ValueError("route")
    return f"{signed[1]}:{signed[2]}"


def _sign(key: bytes, slot: str, payload: str) -> str:
    return _encode(hmac.digest(key, f"{slot}/{payload}".encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(data: str) -> str:
    """Decode a payload. Raises ValueError unless it is ASCII."""
    try:
        return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)).decode("ascii")
    except ValueError:
        raise ValueError("route") from None
