"""The page that a developer opens, and the session that it may start: only from this machine."""

import ipaddress
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import jwt
from aiohttp import web
from aiohttp.typedefs import Handler

TOKEN_S = 3600

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Vivavoce</title>
<h1>Vivavoce runs here</h1>
<p>Control road: <code>{control}</code>. A session for this machine's user:
<a href="/dev/session.json">/dev/session.json</a>.</p>
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


def page_app(control_url: str, user: LocalUser) -> web.Application:
    """The local page. No CORS header is ever sent, so another site's script cannot read the token."""

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=_PAGE.format(control=control_url), content_type="text/html")

    async def session(_: web.Request) -> web.Response:
        answer = {"url": control_url, "token": user.token()}
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    app = web.Application(middlewares=[_loopback_only])
    app.router.add_get("/", index)
    app.router.add_get("/dev/session.json", session)
    return app


@web.middleware
async def _loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Peer and Host must be this machine's: a foreign name that resolves to 127.0.0.1 is refused."""
    if not (_is_loopback(request.remote or "") and _is_loopback(_host(request))):
        raise web.HTTPForbidden(text="only for this machine\n")
    return await handler(request)


def _host(request: web.Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
