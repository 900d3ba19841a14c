"""What the stack's HTTP endpoints share: one loopback port, AWS's error shape, and a guard.

Every HTTP listener of the stack has the guard of simulator/server/loopback.py: web pages that the developer
visits must not reach it. The AWS APIs also ask for a SigV4 header with this stack's access key, as AWS
refuses an unsigned call. Gateway and edge look at Host, and leave Origin to $connect and relay, as AWS does:
those ask for credentials that no page elsewhere has.
"""

import json
import socket
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from simulator.server.loopback import is_foreign


def listen(port: int = 0, host: str = "127.0.0.1") -> socket.socket:
    """A socket that listens at `host`; port 0 is any free one. Raises OSError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=256)


def port_of(listener: socket.socket) -> int:
    """The port of a bound socket."""
    return int(listener.getsockname()[1])


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """The address of a bound socket, for a client on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


class AwsError(web.HTTPException):
    """An error as botocore reads it: the code in a header and in the body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status_code = status  # the base class reads it
        body = {"__type": code, "message": message, "Message": message}
        super().__init__(
            text=json.dumps(body), headers={"x-amzn-ErrorType": code}, content_type="application/json"
        )


def is_signed(authorization: str, access_key: str) -> bool:
    """The signature names `access_key`. Its value is not checked, as nobody here checks secrets."""
    return authorization.startswith(f"AWS4-HMAC-SHA256 Credential={access_key}/")


def signed_only(access_key: str) -> Middleware:
    """Middleware that refuses calls which do not name `access_key` in their signature, and those of pages."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_page = is_foreign(request.headers.get, pages=False)
        if is_page or not is_signed(request.headers.get("Authorization", ""), access_key):
            raise AwsError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        return await handler(request)

    return guard


def local_only(*, pages: bool = False) -> Middleware:
    """Middleware that refuses what a web page elsewhere sends; with `pages`, this machine's own may ask."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_foreign(request.headers.get, pages=pages):
            raise web.HTTPForbidden(text="only for this machine\n")
        return await handler(request)

    return guard


class Endpoint:
    """An aiohttp application on a listening socket of its own."""

    def __init__(self, app: web.Application, listener: socket.socket) -> None:
        self.url = url_of(listener)
        self._listener = listener
        # What still runs at the end is cancelled: a hanging call must not hold up the shutdown.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
