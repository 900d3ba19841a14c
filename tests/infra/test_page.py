"""The local page: a session for whoever sits at this machine, and for nobody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import jwt
import pytest

from infra.local.endpoint import Endpoint, listen
from infra.local.page import LocalUser, page_app

CONTROL = "ws://127.0.0.1:1/v1"
USER = LocalUser(secret="s" * 32, audience="aud")


@asynccontextmanager
async def page() -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    app = page_app(CONTROL, USER)
    async with Endpoint(app, listen()) as endpoint, aiohttp.ClientSession() as http:
        yield endpoint.url, http


async def test_session_json_has_the_control_url_and_a_token_for_an_hour() -> None:
    async with page() as (url, http), http.get(f"{url}/dev/session.json") as answer:
        session = await answer.json()
        headers = answer.headers
    assert session["url"] == CONTROL
    claims: dict[str, Any] = jwt.decode(session["token"], "s" * 32, algorithms=["HS256"], audience="aud")
    assert claims["sub"] == "local-user"
    assert claims["exp"] - claims["iat"] == 3600
    assert headers["Cache-Control"] == "no-store"
    assert not [name for name in headers if name.lower().startswith("access-control")]


async def test_the_page_names_the_control_road() -> None:
    async with page() as (url, http), http.get(url) as answer:
        assert CONTROL in await answer.text()


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "[::1]:80"])
async def test_loopback_names_are_served(host: str) -> None:
    async with page() as (url, http), http.get(url, headers={"Host": host}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "192.168.0.7"])
async def test_a_foreign_host_name_is_refused_even_when_it_leads_here(host: str) -> None:
    """DNS rebinding: the page of another site would reach this port under its own name."""
    async with page() as (url, http), http.get(f"{url}/dev/session.json", headers={"Host": host}) as answer:
        assert answer.status in (400, 403)
        assert "token" not in await answer.text()
