"""The console page, from the files beside it: no bucket, no upload step.

Behind CloudFront, which caches as the headers allow. Needs nothing but the standard library.
"""

from __future__ import annotations

import base64
import functools
import json
import mimetypes
import os
import time
import urllib.request
from pathlib import Path
from typing import Any

FILES = Path(__file__).resolve().parents[1] / "page"
YEAR_S = 31_536_000
DISCOVERY_S = 3.0  #: for the identity provider; without its answer there is no way to sign in
AGAIN_S = 10.0  #: after which one that did not answer is asked again: not for each file of one page
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request to the function's URL, as payload 2.0. Only existing files can be requested."""
    if event["requestContext"]["http"]["method"] not in ("GET", "HEAD"):
        return _answer(405, "text/plain", b"", "no-store")
    path = event["rawPath"].removeprefix("/") or "index.html"
    if path == "config.json":
        config = {"url": os.environ["CONTROL_URL"]} | ({"signIn": asked} if (asked := _provider()) else {})
        return _answer(200, "application/json", json.dumps(config).encode(), "no-cache")
    found = files().get(path)
    if found is None:
        return _answer(404, "text/plain", b"Not found.\n", "no-store")
    named_by_content = path.startswith("assets/")
    keep = f"public, max-age={YEAR_S}, immutable" if named_by_content else "no-cache"
    return _answer(200, _type(path), found, keep)


@functools.cache
def files() -> dict[str, bytes]:
    """Every file by its path, read once."""
    return {
        path.relative_to(FILES).as_posix(): path.read_bytes() for path in FILES.rglob("*") if path.is_file()
    }


def _answer(status: int, kind: str, body: bytes, keep: str) -> dict[str, Any]:
    policy = f"default-src 'self'; connect-src {' '.join(_peers())}; frame-ancestors 'none'; base-uri 'none'"
    headers = {
        "content-type": kind,
        "cache-control": keep,
        "content-security-policy": policy,
        "permissions-policy": "microphone=(self)",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "strict-transport-security": f"max-age={YEAR_S}",
    }
    encoded = base64.b64encode(body).decode()
    return {"statusCode": status, "headers": headers, "body": encoded, "isBase64Encoded": True}


def _provider() -> dict[str, str] | None:
    """Where the page may have people sign in: the issuer's own addresses, if its tokens are for a client."""
    issuer, client = os.environ.get("OIDC_ISSUER", ""), os.environ.get("OIDC_AUDIENCE", "")
    if not (issuer and client):
        return None
    if time.monotonic() < silent_since.get(issuer, -AGAIN_S) + AGAIN_S:
        return None
    try:
        return {**addresses(issuer), "client": client}
    except (OSError, ValueError, KeyError):
        silent_since[issuer] = time.monotonic()
        return None


silent_since: dict[str, float] = {}  #: issuer to when it last did not answer, on the monotonic clock


@functools.cache
def addresses(issuer: str) -> dict[str, str]:
    """The issuer's, from its discovery document. Raises OSError, ValueError, KeyError."""
    document = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    with urllib.request.urlopen(document, timeout=DISCOVERY_S) as answer:
        told = json.load(answer)
    return {"authorize": str(told["authorization_endpoint"]), "token": str(told["token_endpoint"])}


def _peers() -> tuple[str, ...]:
    """Allowed `connect-src`: this origin, the control road, media roads of other names, and who signs in."""
    control = "/".join(os.environ["CONTROL_URL"].split("/")[:3])
    media = (os.environ.get("MEDIA_URL", ""), os.environ.get("MICROVM_URLS", ""))
    provider = _provider() or {"token": ""}
    return tuple(filter(None, ("'self'", control, *media, "/".join(provider["token"].split("/")[:3]))))


def _type(path: str) -> str:
    suffix = Path(path).suffix
    kind = _TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
