"""The page that a developer opens, and the session that it may start: only from this machine."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import jwt
from aiohttp import web
from aiohttp.typedefs import Handler

from agents.catalogue import Agent, catalogue
from infra.local.endpoint import local_only
from infra.local.site import came_by

TOKEN_S = 3600
CONSOLE = Path(__file__).resolve().parents[2] / "client" / "console" / "dist"  #: what `npm run build` writes

#: By suffix, and not by the machine's own table: a script of an unknown type is not run under nosniff.
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), speaker-selection=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Vivavoce</title>
<h1>Vivavoce runs here</h1>
<p>Control road: <code>{control}</code>. A session for this machine's user:
<a href="/dev/session.json">/dev/session.json</a>.</p>
<p>The console, to talk from this browser, is not built yet. With Node 20 or newer:</p>
<pre>(cd client/sdk && npm ci && npm run build)
(cd client/console && npm ci --ignore-scripts && npm run build)</pre>
<p>Then load this page again; the server may stay up.</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class LocalUser:
    """Who the local page's visitor is. The secret is the one that $connect verifies with."""

    secret: str
    subject: str = "local-user"
    audience: str = ""

    def token(self) -> str:
        """A JWT for an hour."""
        now = int(time.time())
        claims: dict[str, object] = {"sub": self.subject, "iat": now, "exp": now + TOKEN_S}
        if self.audience:
            claims["aud"] = self.audience
        return jwt.encode(claims, self.secret, algorithm="HS256")


@dataclass(frozen=True, slots=True)
class Roads:
    """Where the page's visitor finds both roads. Without `media`: on any port of loopback."""

    control: str
    media: str = ""

    def of(self, request: web.Request) -> "Roads":
        """The same by the way that this request came, when that led through the stack's front."""
        if "X-Forwarded-Host" not in request.headers:
            return self
        socket = came_by(request.headers.get).socket
        return Roads(socket + urlsplit(self.control).path, socket)


def page_app(
    control_url: str,
    user: LocalUser,
    *,
    media_url: str = "",
    console: Path = CONSOLE,
    breaks: Sequence[str] = (),
) -> web.Application:
    """The local page. Only pages of this machine may read it across origins: no other site gets the token.

    Without a `media_url` the page may connect to any port of loopback. `console` is read at each request, so
    that a build is seen without a restart. `breaks` names what infra.local.breaks breaks here.
    """
    known = Roads(control_url, media_url)

    async def index(request: web.Request) -> web.Response:
        built, roads = console / "index.html", known.of(request)
        if built.is_file():
            return await _file(built, _headers(roads, "no-store"))
        text = _PAGE.format(control=roads.control)
        return web.Response(text=text, content_type="text/html", headers=_headers(roads, "no-store"))

    async def session(request: web.Request) -> web.Response:
        answer = {"url": known.of(request).control, "token": user.token()}
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def config(request: web.Request) -> web.Response:
        answer = _config(known.of(request).control, breaks)
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def file(request: web.Request) -> web.Response:
        """A file of the build. Those under assets/ carry a hash of their content in their names."""
        name = request.match_info["name"]
        path = _find(console, name)
        if path is None:
            raise web.HTTPNotFound
        kept = "max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
        return await _file(path, _headers(known.of(request), kept))

    app = web.Application(middlewares=[local_only(pages=True), _readable_here])
    app.router.add_get("/", index)
    app.router.add_get("/dev/session.json", session)
    app.router.add_get("/config.json", config)
    app.router.add_get("/{name:.+}", file)
    return app


def _config(control_url: str, breaks: Sequence[str]) -> dict[str, object]:
    """As functions/page.py answers it, and what only this machine may tell."""
    agents = [_card(agent) for agent in catalogue().values()]
    return {"url": control_url, "session": "dev/session.json", "agents": agents, "breaks": list(breaks)}


def _headers(roads: Roads, kept: str) -> dict[str, str]:
    return _HEADERS | {"Content-Security-Policy": _policy(roads), "Cache-Control": kept}


def _policy(roads: Roads) -> str:
    """Nothing but the page's own files, no inline script or style, and sockets to this stack only."""
    media = _origin(roads.media) if roads.media else "ws://127.0.0.1:* ws://localhost:*"
    own = " ".join(f"{kind}-src 'self';" for kind in ("script", "style", "font", "img", "worker"))
    return (
        f"default-src 'none'; {own} connect-src 'self' {_origin(roads.control)} {media}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _find(console: Path, name: str) -> Path | None:
    """The file of that name, if it truly lies in the build and is of a kind that we serve."""
    path = (console / name).resolve()
    is_ours = path.is_relative_to(console.resolve()) and path.suffix in _TYPES
    return path if is_ours and path.is_file() else None


async def _file(path: Path, headers: dict[str, str]) -> web.Response:
    """Read at once, for they are small: a browser that turns away in the middle would leave a file open."""
    body = await asyncio.to_thread(path.read_bytes)
    answer = web.Response(body=body, headers=headers | {"Content-Type": _TYPES[path.suffix]})
    if path.suffix != ".woff2":  # which is compressed already
        answer.enable_compression()
        answer.headers["Vary"] = "Accept-Encoding"
    return answer


def _card(agent: Agent) -> dict[str, object]:
    """What the page may show of an agent. Its instructions stay here."""
    return {
        "name": agent.name,
        "voice": agent.voice,
        "language": agent.language,
        "greeting": agent.greeting,
        "allow": sorted(agent.allow),
    }


@web.middleware
async def _readable_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Another page of this machine may read the answer: an app of one's own has its page on another port."""
    answer = await handler(request)
    if origin := request.headers.get("Origin"):
        varies = filter(None, (answer.headers.get("Vary"), "Origin"))
        answer.headers.update({"Access-Control-Allow-Origin": origin, "Vary": ", ".join(varies)})
    return answer
