"""The pages of client/examples, as their READMEs have them: each on a port of its own, against a stack."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from aiohttp import web

from infra.local.endpoint import Endpoint, listen
from tests.browser.conftest import HERE, ROOT, alone
from tests.browser.vite import served

CLIENT = ROOT / "client"
REACT = CLIENT / "examples" / "react"
STACK = "http://127.0.0.1:8787"  #: the page of `make run`, in the example
TAP = "/witness-tap.js"

Script = Literal["dev", "build"]


@asynccontextmanager
async def html_page(stack: str, *, policy: str = "", attributes: str = "") -> AsyncIterator[str]:
    """The address of the HTML example, served as by any static server; it asks the stack at `stack`.

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


@asynccontextmanager
async def react_page(stack: str, script: Script = "build") -> AsyncIterator[str]:
    """The address of the React example, by `npm run dev`, or built and served as files.

    Its own build checks its types.
    """
    await asyncio.to_thread(_install_react)
    environment = {"VIVAVOCE_PAGE": stack}
    command = ["npm", "run", "dev", "--", "--port", "0"]
    if script == "build":
        built = ["npm", "run", "build"]
        done = await asyncio.to_thread(
            subprocess.run, built, cwd=REACT, env=os.environ | environment, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        command = ["npx", "vite", "preview", "--port", "0"]
    async with served(*command, folder=REACT, environment=environment) as url:
        yield url


def _install_react() -> None:
    """Once the client is built."""
    installed, wanted = REACT / "node_modules" / ".package-lock.json", REACT / "package-lock.json"
    with alone(REACT):
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            done = subprocess.run(command, cwd=REACT, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stdout + done.stderr
