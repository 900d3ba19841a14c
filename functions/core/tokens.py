"""Ephemeral Gemini tokens, by google-genai: the only file of the functions that imports it.

The import costs about a second of CPU, so it waits for the first token.
"""

from __future__ import annotations

import datetime
import functools
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from google.genai import Client, errors

GOOGLE_URL = "https://generativelanguage.googleapis.com"  #: the default of GeminiUrl in template.yaml
API_VERSION = "v1beta"  #: of tokens and of the connections they open; the library's default is another
NEW_SESSION_S = 90  #: a token must be used within this time
TIMEOUT_MS = 6_000  #: of one request; the relay waits for us

_CODES = {
    400: "upstream_invalid",
    401: "key_refused",
    403: "key_refused",
    404: "upstream_invalid",
    429: "upstream_quota",
}

Lock = Literal["full", "masked"]


class MintFailed(Exception):
    """Google gave no token. The text is the error's type, status and reason's name, never its message.

    `code` is in the protocol's registry: it tells a refused key from a refused request and from an outage.
    """

    def __init__(self, text: str, code: str = "mint_failed") -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a token is good for: one connection, with this setup and no other."""

    model: str
    setup: dict[str, Any]  #: LiveConnectConfig without the resumption handle
    handle: str | None  #: of the conversation to continue
    lock: Lock  #: `full`: the handle is in the token; `masked`: all else is, and the relay sends the handle
    now: int  #: epoch s
    expires_at: int  #: epoch s; the connection is cut then


class GoogleTokens:
    """Mints with a long-lived key."""

    def __init__(self, url: str) -> None:
        self._url = url

    def mint(self, key: str, request: TokenRequest) -> str:
        """The token's name. Raises MintFailed."""
        import httpx2
        from google.genai import errors

        if not key.isascii() or not key.isprintable() or " " in key or not key:
            raise MintFailed("no key that could be one", "key_refused")
        client = _client(key, self._url)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "experimental": the pinned version is what we tested
                name: str | None = client.auth_tokens.create(config=_config(request)).name
        except errors.APIError as error:
            told = f"{type(error).__name__} {error.code} {' '.join(_names(error))}"
            raise MintFailed(told.rstrip(), _code(error)) from None
        except (httpx2.HTTPError, ValueError) as error:
            raise MintFailed(type(error).__name__) from None
        if not name:
            raise MintFailed("no name")
        return name


def _code(error: errors.APIError) -> str:
    """The registry's code. A wrong key comes as 400, as a wrong field does, and is told by its words."""
    if error.code == 400 and "api key" in str(error.details).lower().replace("_", " "):
        return "key_refused"
    return _CODES.get(error.code, "mint_failed")


def _names(error: errors.APIError) -> list[str]:
    """What Google calls the failure, like INVALID_ARGUMENT, API_KEY_INVALID; nothing that is no such name."""
    told = error.details.get("error", {}) if isinstance(error.details, dict) else {}
    details = told.get("details") if isinstance(told, dict) else None
    reasons = [each.get("reason") for each in details or [] if isinstance(each, dict)]
    names = (str(name or "") for name in (error.status, *reasons))
    return [name for name in names if re.fullmatch("[A-Z_]{2,40}", name)]


@functools.lru_cache(maxsize=1)
def _client(key: str, url: str) -> Client:
    """One client per container and key: making one takes 100 ms."""
    from google.genai import Client, types

    options = types.HttpOptions(base_url=url, api_version=API_VERSION, timeout=TIMEOUT_MS)
    return Client(api_key=key, http_options=options)


def _config(request: TokenRequest) -> dict[str, Any]:
    setup = dict(request.setup)
    if request.lock == "full":
        # Even without a handle: the field is what asks the model for handles.
        setup["session_resumption"] = {"handle": request.handle} if request.handle else {}
    return {
        "uses": 1,
        "expire_time": _time(request.expires_at),
        "new_session_expire_time": _time(request.now + NEW_SESSION_S),
        "live_connect_constraints": {"model": request.model, "config": setup},
        # Absent: the client's setup is ignored as a whole. Empty: what is set here overrides it.
        **({} if request.lock == "full" else {"lock_additional_fields": []}),
    }


def _time(epoch_s: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
