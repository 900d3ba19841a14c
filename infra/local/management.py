"""The @connections API: functions post to clients, look them up and close them.

Source: the apigatewaymanagementapi model of botocore; 128 KB per post, sent in frames of 32 KB.
"""

import time

from aiohttp import web
from aiohttp.typedefs import Middleware

from infra.local.connections import Peer, SlowClient
from infra.local.endpoint import AwsError
from infra.local.gateway import Gateway


def management_app(gateway: Gateway, guard: Middleware) -> web.Application:
    """The API for the connections of `gateway`, under /{stage}/@connections/{id}."""
    limits = gateway.options.limits
    app = web.Application(middlewares=[guard], client_max_size=limits.message_bytes)
    api = Management(gateway)
    path = f"/{gateway.stage}/@connections/{{id}}"
    app.router.add_post(path, api.post)
    app.router.add_get(path, api.get, allow_head=False)
    app.router.add_delete(path, api.delete)
    return app


class Management:
    """The three calls."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def post(self, request: web.Request) -> web.Response:
        """Sends the body as one text message. What is not UTF-8 is replaced, as on AWS."""
        peer = self._peer(request)
        try:
            data = await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise AwsError(413, "PayloadTooLargeException", "Message too long") from None
        try:
            peer.post(data.decode(errors="replace"))
        except SlowClient:
            raise AwsError(429, "LimitExceededException", "The client's buffer is full") from None
        except ConnectionError:
            raise AwsError(410, "GoneException", "Gone") from None
        return web.Response(status=200)

    async def get(self, request: web.Request) -> web.Response:
        """When the connection was opened and last used, and by whom."""
        peer = self._peer(request)
        assert peer.facts
        idle_s = peer.loop.time() - peer.active_at
        answer = {
            "connectedAt": _iso(peer.facts.connected_epoch_ms / 1000),
            "lastActiveAt": _iso(time.time() - idle_s),
            "identity": {"userAgent": "", **peer.facts.identity()},
        }
        return web.json_response(answer)

    async def delete(self, request: web.Request) -> web.Response:
        """Closes the connection."""
        self._peer(request).end(1000, "")
        return web.Response(status=204)

    def _peer(self, request: web.Request) -> Peer:
        if not self.gateway.throttle.take():
            raise AwsError(429, "LimitExceededException", "Too many requests")
        peer = self.gateway.connections.get(request.match_info["id"])
        if peer is None:
            raise AwsError(410, "GoneException", "Gone")
        return peer


def _iso(epoch_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch_s))
