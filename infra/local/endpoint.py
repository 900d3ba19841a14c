"""What the stack's HTTP endpoints share: one loopback port, AWS's error shape, and a guard.

The guard asks for a SigV4 header with this stack's access key. AWS would refuse an unsigned call as
well, and here it keeps web pages that the developer visits from calling the local APIs.
"""

import json
import socket
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


def listen(port: int = 0) -> socket.socket:
    """A socket that listens on loopback; 0 is any free port. Raises OSError when it is taken."""
    return socket.create_server(("127.0.0.1", port), backlog=256)


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """The address of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{host}:{port}"


class AwsError(web.HTTPException):
    """An error as botocore reads it: the code in a header and in the body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status_code = status  # the base class reads it
        body = {"__type": code, "message": message, "Message": message}
        super().__init__(
            text=json.dumps(body), headers={"x-amzn-ErrorType": code}, content_type="application/json"
        )


def signed_only(access_key: str) -> Middleware:
    """Middleware that refuses calls which do not name `access_key` in their signature."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not given.startswith(f"AWS4-HMAC-SHA256 Credential={access_key}/"):
            raise AwsError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
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
