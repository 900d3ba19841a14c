"""Ephemeral Gemini tokens, by google-genai: the only file of the functions that imports it.

The import costs about a second of CPU, so it waits for the first token.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING

from gemini import refusals, tokens

if TYPE_CHECKING:
    from google.genai import Client

TIMEOUT_MS = 6_000  #: of one request; the relay waits for us


class MintFailed(Exception):
    """Minting failed. The text is the error's type, status, reason's name, and of its message the words that
    a log may hold.

    `code` is in the protocol's registry: it distinguishes a refused key, a refused request and an outage.
    """

    def __init__(self, text: str, code: str = "mint_failed") -> None:
        super().__init__(text)
        self.code = code


def load() -> None:
    """Import the library now, for a caller that counts the time of what follows."""
    import google.genai  # noqa: F401


class GoogleTokens:
    """Mints with a long-lived key."""

    def __init__(self, url: str) -> None:
        self._url = url

    def mint(self, key: str, request: tokens.TokenRequest) -> str:
        """The token's name. Raises MintFailed."""
        import httpx2
        from google.genai import errors

        if not tokens.could_be_key(key):
            raise MintFailed("no key that could be one", "key_refused")
        client = _client(key, self._url)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "experimental": the pinned version is what we tested
                name: str | None = client.auth_tokens.create(config=tokens.config(request)).name
        except errors.APIError as error:
            code = tokens.refusal_code(error.code, str(error.details))
            names = tokens.refusal_names(error.status, error.details)
            told = [type(error).__name__, str(error.code), *names, refusals.scrub(str(error.message or ""))]
            raise MintFailed(" ".join(told).strip(), code) from None
        except (httpx2.HTTPError, ValueError) as error:
            raise MintFailed(type(error).__name__) from None
        if not name:
            raise MintFailed("no name")
        return name


@functools.lru_cache(maxsize=1)
def _client(key: str, url: str) -> Client:
    """One client per container and key: making one takes 100 ms."""
    from google.genai import Client, types

    options = types.HttpOptions(base_url=url, api_version=tokens.API_VERSION, timeout=TIMEOUT_MS)
    return Client(api_key=key, http_options=options)
