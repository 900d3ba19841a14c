"""A call from a page with nothing on it but the client: for what the console has no button."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from infra.local.endpoint import Endpoint, listen
from simulator.ledger import Ledger
from tests.browser.rig.model import ModelEnd
from tests.browser.rig.page import Page

PAGE = Path(__file__).parent / "plain_page"
SDK = Path(__file__).parents[3] / "client" / "sdk" / "dist"


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """The address of the page."""
    app = web.Application()
    app.router.add_static("/sdk", SDK)
    app.router.add_static("/", PAGE)
    async with Endpoint(app, listen()) as endpoint:
        yield f"{endpoint.url}/index.html"


@dataclass(frozen=True, slots=True)
class PlainCall:
    """A call: the client in its page, and what the model hears."""

    page: Page
    model: ModelEnd

    async def state(self) -> dict[str, Any]:
        """Of the client; errors are their codes."""
        seen: dict[str, Any] = await self.page.run("look()")
        return seen

    async def told(self, name: str) -> list[dict[str, Any]]:
        """Events of this name, oldest first."""
        events: list[dict[str, Any]] = await self.page.run(f"told.filter((each) => each.name === {name!r})")
        return events

    async def choose(self, what: str, device: str | None) -> str | None:
        """Choose the `mic` or `speaker` of this name, None: as the system says. Returns the error's code."""
        chosen = "null" if device is None else json.dumps(await self.page.comes(f"idOf({device!r})"))
        code: str | None = await self.page.run(f"codeOf(client.{what}.setDevice({chosen}))", is_gesture=True)
        return code

    async def agent_is(self, state: str, within_s: float = 30.0) -> None:
        await self.page.comes(f"look().agent === {state!r}", within_s)


@asynccontextmanager
async def talking(
    page: Page, url: str, stack: str, ledger: Ledger, audio: dict[str, Any] | None = None
) -> AsyncIterator[PlainCall]:
    """A call with these options of the client's, until the block ends."""
    await page.open(url)
    await page.comes("typeof prepare === 'function'")
    await page.run(f"prepare({stack!r}, {json.dumps(audio or {})})")
    code = await page.run("codeOf(client.connect())", is_gesture=True)
    assert code is None, code
    call = PlainCall(page, ModelEnd.of_latest(ledger))
    await call.agent_is("listening")
    yield call
    await page.run("client.disconnect()")
