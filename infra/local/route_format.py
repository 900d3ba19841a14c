"""The signed route of the media road: which relay a path leads to, and until when.

    /r/{slot}/{payload}.{signature}
    payload   = base64url("{address}|{expires_epoch_s}")
    signature = base64url(HMAC-SHA256(key, "{slot}/{payload}"))

It only routes: it admits nobody. The edge dials what it names, so only we may be able to write one.
"""

import base64
import binascii
import hashlib
import hmac


def sign_route(key: bytes, slot: str, address: str, expires_epoch_s: int) -> str:
    """The path that leads to `address` (host:port) until `expires_epoch_s`."""
    payload = _encode(f"{address}|{expires_epoch_s}".encode())
    return f"/r/{slot}/{payload}.{_sign(key, slot, payload)}"


def read_route(key: bytes, path: str, now_epoch_s: float) -> str:
    """The address that `path` leads to. Raises ValueError when it is not ours or has expired."""
    match path.split("/"):
        case ["", "r", slot, signed] if signed.isascii():
            payload, _, signature = signed.partition(".")
        case _:
            raise ValueError("not a route")
    if not hmac.compare_digest(signature, _sign(key, slot, payload)):
        raise ValueError("not a route that we signed")
    address, _, expires = _decode(payload).partition("|")
    if now_epoch_s >= int(expires):
        raise ValueError("the route has expired")
    return address


def _sign(key: bytes, slot: str, payload: str) -> str:
    return _encode(hmac.digest(key, f"{slot}/{payload}".encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("not base64url") from None
