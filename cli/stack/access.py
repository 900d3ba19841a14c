"""URL that `talk` connects to, and its token."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from cli.commands.dev import LOCAL_PAGE
from cli.failure import USAGE, Failure

if TYPE_CHECKING:
    from vivavoce.control import Token

PAGE_TIMEOUT_S = 5.0
TOKEN_VARIABLE = "VIVAVOCE_TOKEN"


@dataclass(frozen=True, slots=True)
class Access:
    """The control road's address, and the token or where fresh ones come from."""

    url: str
    token: Token
    page: str = ""  #: of the local stack, when there is one


def find_access(url: str | None, token: str | None) -> Access:
    """`url` is a control URL (ws, wss), a local stack's page (http, https), or None for the default page.

    The token is the one given, else $VIVAVOCE_TOKEN, else a local stack's page gives one.
    Raises Failure: a URL of another kind, no page there, no token to be had.
    """
    from vivavoce.wire import is_loopback

    given = given_token(token)
    kind = _scheme(url) if url else "http"
    if kind in ("http", "https"):
        page = url or LOCAL_PAGE
        session = read_page(page)
        return Access(session.url, given or _fresh_tokens(page), page)
    assert url is not None
    if given:
        return Access(url, given)
    if not is_loopback(url):
        raise Failure(
            "there is no token for that server.",
            f'Give --token or ${TOKEN_VARIABLE}; "vivavoce token --help" says how to make one.',
            USAGE,
        )
    read_page(LOCAL_PAGE)
    return Access(url, _fresh_tokens(LOCAL_PAGE), LOCAL_PAGE)


def given_token(token: str | None) -> str | None:
    """The one on the command line, else the environment's."""
    return token or os.environ.get(TOKEN_VARIABLE)


@dataclass(frozen=True, slots=True)
class LocalSession:
    """Session settings that a local stack's page gives to this machine."""

    url: str
    token: str


def read_page(page: str) -> LocalSession:
    """Ask a local stack's page for its control URL and a token. Raises Failure."""
    try:
        session = json.loads(_get(f"{page.rstrip('/')}/dev/session.json"))
        return LocalSession(session["url"], session["token"])
    except urllib.error.HTTPError as error:
        error.close()
        raise Failure(
            f"{page} answered HTTP {error.code}.", "Give a control URL (wss://…) as --url."
        ) from None
    except OSError:
        advice = 'Start a local stack with "vivavoce dev", or give another server with --url and --token.'
        raise Failure(f"nothing answers at {page}.", advice) from None
    except (ValueError, KeyError, TypeError):
        raise Failure(
            f"{page} is not a local stack's page.", "Give a control URL (wss://…) as --url."
        ) from None


def is_gone(page: str) -> bool:
    """Return whether nothing listens any more at a local stack's page."""
    try:
        open_local(urllib.request.Request(f"{page.rstrip('/')}/config.json"))
    except urllib.error.HTTPError as error:
        error.close()
    except urllib.error.URLError as error:
        return isinstance(error.reason, ConnectionRefusedError)
    except OSError:
        return False
    return False


def read_record(page: str, session: str) -> dict[str, Any] | None:
    """Return a local stack's view of a session: who admitted it, and its turns in the table. None: none."""
    try:
        record = json.loads(_get(f"{page.rstrip('/')}/dev/record.json?session={quote(session)}"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _fresh_tokens(page: str) -> Token:
    async def fresh_token() -> str:
        return (await asyncio.to_thread(read_page, page)).token

    return fresh_token


def _scheme(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port  # ValueError when it is no number
        if parts.scheme in ("ws", "wss", "http", "https") and parts.hostname:
            return parts.scheme
    except ValueError:
        pass
    raise Failure(
        f"{url!r} is not a URL to connect to.",
        "Give ws://HOST:PORT/v1, wss://HOST/STAGE, or a page's http://.",
        USAGE,
    )


def _get(url: str) -> bytes:
    return open_local(urllib.request.Request(url))


def open_local(request: urllib.request.Request) -> bytes:
    """The answer, past any proxy: these pages exist on this machine only. Raises OSError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=PAGE_TIMEOUT_S) as answer:
        body: bytes = answer.read()
    return body
