"""Tokens and addresses of the server that is met: as mint asks for them, and by raw requests."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from functions.core.minting.gemini_tokens import GoogleTokens, MintFailed
from gemini import tokens
from gemini.contact.steps import Ask, Open
from gemini.wire import METHOD
from simulator.server.loopback import is_loopback

EXPIRES_S = 15 * 60  #: of every token
REQUEST_S = 10.0
WRONG_KEY = "AIza-no-such-key"  #: has the form of one
WRONG_TOKEN = "auth_tokens/0000000000000000000000000000000000000000"


@dataclass(frozen=True, slots=True)
class Door:
    """Server and key; every token is for the one model."""

    url: str  #: https, or http on this machine
    key: str = field(repr=False)
    model: str

    def address(self, token: str, *, by_header: bool) -> str:
        """URL of a connection by a token; empty: without one."""
        query = f"?access_token={quote(token)}" if token and not by_header else ""
        return f"{self.url.replace('http', 'ws', 1).rstrip('/')}/ws/{METHOD}{query}"

    async def mint(self, step: Open) -> str:
        """A token that locks the step's setup, made as mint makes them. Raises MintFailed."""
        now = int(time.time())
        handle = step.handle if step.lock == "full" else None
        request = tokens.TokenRequest(self.model, step.setup or {}, handle, step.lock, now, now + EXPIRES_S)
        return await asyncio.to_thread(GoogleTokens(self.url).mint, self.key, request)

    async def open_token(self) -> str:
        """A token that locks nothing. Raises MintFailed."""
        now = time.time()
        until = {
            "expireTime": _time(now + EXPIRES_S),
            "newSessionExpireTime": _time(now + tokens.NEW_SESSION_S),
        }
        status, answer = await self.ask(Ask({"uses": 1, **until}))
        if status != 200 or "name" not in answer:
            raise MintFailed(f"an open token was refused with {status}")
        return str(answer["name"])

    async def ask(self, step: Ask) -> tuple[int, dict[str, Any]]:
        """Status and answer of a raw request; 0: the server could not be reached."""
        return await asyncio.to_thread(self._ask, step)

    def _ask(self, step: Ask) -> tuple[int, dict[str, Any]]:
        keys = {"ours": self.key, "wrong": WRONG_KEY, "none": ""}
        url = f"{self.url.rstrip('/')}/{tokens.API_VERSION}/auth_tokens"
        headers = {"Content-Type": "application/json", "x-goog-api-key": keys[step.key]}
        body = json.dumps(step.body).encode() if step.method == "POST" else None
        kept = {name: value for name, value in headers.items() if value}
        request = urllib.request.Request(url, body, kept, method=step.method)
        try:
            with self._opener().open(request, timeout=REQUEST_S) as answer:
                return answer.status, _object(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, _object(refused.read())
        except OSError:
            return 0, {}

    def _opener(self) -> urllib.request.OpenerDirector:
        """Without a proxy on this machine, else with the environment's, as google-genai."""
        local = is_loopback(urlsplit(self.url).hostname or "")
        return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _time(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat()
