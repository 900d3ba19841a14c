"""Ephemeral Gemini tokens, by one HTTPS request: Google's library takes half a second of CPU to import.

docs/decisions/0034-tokens-by-https.md
"""

from __future__ import annotations

import functools
import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3

from gemini import refusals, tokens

TIMEOUT_S = 6.0  #: of one request; the relay waits for us
CONNECT_S = 3.0


class MintFailed(Exception):
    """Minting failed. The text is the error's type, status, reason's name, and of its message the words that
    a log may hold.

    `code` is in the protocol's registry: it distinguishes a refused key, a refused request and an outage.
    """

    def __init__(self, text: str, code: str = "mint_failed") -> None:
        super().__init__(text)
        self.code = code


class GoogleTokens:
    """Mints with a long-lived key."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/{tokens.API_VERSION}/auth_tokens"

    def mint(self, key: str, request: tokens.TokenRequest) -> str:
        """The token's name. Raises MintFailed."""
        if not tokens.could_be_key(key):
            raise MintFailed("no key that could be one", "key_refused")
        try:
            answer = self._post(key, json.dumps(tokens.body(request)).encode())
        except urllib3.exceptions.HTTPError as error:
            raise MintFailed(type(error).__name__) from None
        told = _object(answer.data)
        if answer.status != 200:
            raise _refusal(answer.status, told, answer.data)
        name = told.get("name")
        if not isinstance(name, str) or not name:
            raise MintFailed("no name")
        return name

    def _post(self, key: str, body: bytes) -> urllib3.BaseHTTPResponse:
        """Once more if the connection broke: one that was kept may have died while the function was frozen.

        Raises HTTPError. A token that was made and did not arrive opens nothing, and costs nothing.
        """
        post = functools.partial(
            _pool(self._url).request,
            "POST",
            self._url,
            body=body,
            headers={"Content-Type": "application/json", "x-goog-api-key": key},
            timeout=urllib3.Timeout(connect=CONNECT_S, total=TIMEOUT_S),
            retries=False,
            redirect=False,
        )
        try:
            return post()
        except urllib3.exceptions.ProtocolError:
            return post()


def _refusal(status: int, told: Mapping[str, Any], data: bytes) -> MintFailed:
    """The failure for an answer of Google's that is not a token."""
    error = told.get("error")
    error = error if isinstance(error, dict) else {}
    said = str(error.get("message") or data.decode(errors="replace"))
    code = tokens.refusal_code(status, str(told or said))
    names = tokens.refusal_names(error.get("status"), told)
    return MintFailed(" ".join(["HTTP", str(status), *names, refusals.scrub(said)]).strip(), code)


def _object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`; empty for anything else."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@functools.cache
def _pool(url: str) -> urllib3.PoolManager:
    """Connections to that address, past a proxy if the environment has one for it."""
    at = urlsplit(url)
    proxy = urllib.request.getproxies().get(at.scheme, "")
    if proxy and not urllib.request.proxy_bypass(at.hostname or ""):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()
