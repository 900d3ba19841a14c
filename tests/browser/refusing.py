"""Pages whose calls cannot succeed: the real page of the local stack, before something that refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from infra.local.endpoint import Endpoint, listen
from infra.local.page import CONSOLE, LocalUser, page_app
from protocol.errors import REGISTRY

USER = LocalUser(secret="r" * 32)
Talk = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


@asynccontextmanager
async def refusing(code: str) -> AsyncIterator[str]:
    """A page whose server answers `start` with that error; its address."""

    async def answer(connection: ServerConnection, message: dict[str, Any]) -> None:
        await connection.send(_error(code, ref=message.get("request", "")))

    async with _server(answer) as control, _page(page_app(control, USER)) as url:
        yield url


@asynccontextmanager
async def late_ticket() -> AsyncIterator[str]:
    """A page whose ticket is too old when it arrives, of a session that has ended meanwhile."""

    async def answer(connection: ServerConnection, message: dict[str, Any]) -> None:
        match message["type"]:
            case "start":
                await connection.send(_ready(f"ws://{connection.request.headers['Host']}/r/1"))  # type: ignore[union-attr]
            case "hello":
                await connection.send(_error("ticket_expired", e=1))
                await connection.close(4401)
            case "resume" | "end":
                await connection.send(_error("session_ended", i=2))

    async with _server(answer) as control, _page(page_app(control, USER)) as url:
        yield url


@asynccontextmanager
async def nobody() -> AsyncIterator[str]:
    """A page whose server is not there."""
    with listen() as taken:
        port = taken.getsockname()[1]
    async with _page(page_app(f"ws://127.0.0.1:{port}/v1", USER)) as url:
        yield url


@asynccontextmanager
async def silence() -> AsyncIterator[str]:
    """A page whose server never says a word: what else is wrong is told first."""
    with listen() as taken:
        port = taken.getsockname()[1]
        async with _page(page_app(f"ws://127.0.0.1:{port}/v1", USER)) as url:
            yield url


@asynccontextmanager
async def without_worklets() -> AsyncIterator[str]:
    """A page whose policy admits its scripts but not the two worklets."""

    async def narrow(request: web.Request, response: web.StreamResponse) -> None:
        built = {path.name for path in (CONSOLE / "assets").glob("*.js")}
        names = sorted(name for name in built if not name.startswith(("capture", "playback")))
        scripts = " ".join(f"http://{request.host}/assets/{name}" for name in names)
        response.headers["Content-Security-Policy"] = f"script-src {scripts}"

    async with silence() as other:
        app = page_app(other.replace("http", "ws"), USER)
        app.on_response_prepare.append(narrow)
        async with _page(app) as url:
            yield url


@asynccontextmanager
async def plain_http() -> AsyncIterator[str]:
    """The page under another machine's name, by http: browsers give no microphone to it."""

    async def config(_: web.Request) -> web.Response:
        return web.json_response({"url": "ws://127.0.0.1:9/v1", "session": "dev/session.json"})

    async def session(_: web.Request) -> web.Response:
        return web.json_response({"token": "none"})

    async def file(request: web.Request) -> web.Response:
        path = CONSOLE / (request.match_info["name"] or "index.html")
        kind = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}.get(path.suffix, "")
        if not kind:
            raise web.HTTPNotFound
        return web.Response(body=await asyncio.to_thread(path.read_bytes), content_type=kind)

    app = web.Application()
    app.router.add_get("/config.json", config)
    app.router.add_get("/dev/session.json", session)
    app.router.add_get("/{name:.*}", file)
    async with _page(app) as url:
        yield url.replace("127.0.0.1", "vivavoce.test")


def _error(code: str, *, ref: str = "", **more: object) -> str:
    entry = REGISTRY[code]
    error = {"type": "error", "code": code, "message": entry.message, "ref": ref, "fatal": True}
    return json.dumps(error | {"retryable": entry.retryable} | more)


def _ready(media: str) -> str:
    known = {"session": "s1", "resume_key": "k" * 43, "i": 1}
    way = {"media": {"url": media, "ticket": "t" * 43, "expires_at": 0}}
    limits = {"limits": {"session_ms": 60_000, "resume_ms": 10_000}}
    return json.dumps({"type": "ready"} | known | way | limits)


@asynccontextmanager
async def _server(talk: Talk) -> AsyncIterator[str]:
    async def serve_one(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in connection:
                if isinstance(text, str):
                    await talk(connection, json.loads(text))

    async with serve(serve_one, "127.0.0.1", 0, subprotocols=[Subprotocol("vivavoce")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1"


@asynccontextmanager
async def _page(app: web.Application) -> AsyncIterator[str]:
    async with AsyncExitStack() as parts:
        yield (await parts.enter_async_context(Endpoint(app, listen()))).url
