"""What the local page may break, and who may ask for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from infra.local.breaks import add_breaks, model_goes_away
from infra.local.endpoint import Endpoint, listen
from infra.local.page import LocalUser, page_app
from simulator import serve

USER = LocalUser(secret="s" * 32)


@asynccontextmanager
async def page(broken: list[str]) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    async def relay(session: str) -> bool:
        broken.append(session)
        return session == "known"

    breaks = {"relay": relay}
    app = page_app("ws://127.0.0.1:1/v1", USER, breaks=tuple(breaks))
    add_breaks(app, breaks)
    async with Endpoint(app, listen()) as endpoint, aiohttp.ClientSession() as http:
        yield endpoint.url, http


async def test_the_page_is_told_what_it_may_break() -> None:
    async with page([]) as (url, http), http.get(f"{url}/config.json") as answer:
        assert (await answer.json())["breaks"] == ["relay"]


@pytest.mark.parametrize(
    ("path", "status", "asked"),
    [
        ("relay?session=known", 200, ["known"]),
        ("relay?session=unknown", 409, ["unknown"]),
        ("everything?session=known", 404, []),
    ],
)
async def test_a_break_is_for_one_session_and_says_whether_there_was_something_to_break(
    path: str, status: int, asked: list[str]
) -> None:
    broken: list[str] = []
    async with page(broken) as (url, http), http.post(f"{url}/dev/break/{path}", json={}) as answer:
        assert answer.status == status
    assert broken == asked


async def test_a_form_of_another_site_breaks_nothing() -> None:
    broken: list[str] = []
    async with page(broken) as (url, http):
        async with http.post(f"{url}/dev/break/relay?session=known", data={"a": "b"}) as answer:
            assert answer.status == 415
        foreign = {"Host": "evil.example"}
        async with http.post(f"{url}/dev/break/relay", json={}, headers=foreign) as answer:
            assert answer.status == 403
    assert broken == []


async def test_the_model_cannot_go_away_where_nobody_talks_to_it() -> None:
    async with serve() as model:
        assert await model_goes_away(model.url)("any") is False
