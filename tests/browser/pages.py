"""Serves the files of client/ as any static server does, for the example that is one HTML page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from infra.local.endpoint import Endpoint, listen
from tests.browser.conftest import HERE, ROOT

CLIENT = ROOT / "client"
STACK = "http://127.0.0.1:8787"  #: the page of `make run`, in the example
TAP = "/witness-tap.js"


@asynccontextmanager
async def html_page(stack: str, *, policy: str = "", attributes: str = "") -> AsyncIterator[str]:
    """The address of the HTML example, which asks the stack at `stack`.

    `policy` is a Content-Security-Policy, `attributes` are further ones of the element.
    """
    text = (CLIENT / "examples" / "html" / "index.html").read_text(encoding="utf-8")
    assert STACK in text
    text = text.replace(STACK, stack).replace("<vivavoce-call ", f"<vivavoce-call {attributes} ")
    headers = {"Content-Security-Policy": policy} if policy else {}

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def tap(_: web.Request) -> web.FileResponse:
        return web.FileResponse(HERE / "witness-tap.js")

    app = web.Application()
    app.router.add_get("/examples/html/", index)
    app.router.add_get(TAP, tap)
    app.router.add_static("/sdk/dist", CLIENT / "sdk" / "dist")
    async with Endpoint(app, listen()) as server:
        yield f"{server.url}/examples/html/"
