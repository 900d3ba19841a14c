"""API Gateway's WebSocket API, with its limits and its habits.

        handshake ──▶ $connect ──2xx──▶ open ── text ──▶ route by $request.body.type ──▶ function
                        │ else                  │ binary, too big, idle, two hours
                        ▼                       ▼
                  its HTTP status          close 1003 / 1009 / 1001 ──▶ $disconnect (perhaps)

Every message is an invocation of its own: nothing waits for the one before, nothing is put in order.
What is documented and what is a guess is listed in infra/README.md.
"""

import asyncio
import http
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.http11 import Request, Response

from infra.local import events
from infra.local.background import Background
from infra.local.connections import Limits, Peer, SlowClient
from infra.local.endpoint import url_of
from infra.local.functions import UnknownFunction
from infra.local.invocation import Invoke
from infra.local.selection import body_path, route_key
from infra.local.site import came_by
from infra.local.template import Api
from infra.local.throttle import Throttle
from simulator.server.loopback import is_host_of_loopback


@dataclass(frozen=True, slots=True)
class Options:
    """How this gateway departs from the common case. `loses_disconnect`: $disconnect is not invoked.

    `throttled_status`: what a handshake gets when Lambda refuses to run $connect. AWS documents 500 for a
    rejected invocation, of REST APIs; of WebSocket APIs nothing, so clients must be right under any 5xx.
    """

    limits: Limits = field(default_factory=Limits)
    loses_disconnect: bool = False
    media_url: str = ""  #: named anew for a client that came by another name than this; "": never
    throttled_status: int = 500


class IntegrationFailure(Exception):
    """The function failed, took too long, or returned what API Gateway cannot read."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status  #: of the handshake, when it happens in $connect

    @property
    def message(self) -> str:
        """What the client of an open connection is told."""
        return "Endpoint request timed out" if self.status == 504 else "Internal server error"


class Gateway:
    """The emulator. `connections` holds every open connection by its id."""

    def __init__(
        self, api: Api, invoke: Invoke, listener: socket.socket, options: Options | None = None
    ) -> None:
        self.url = f"{url_of(listener, 'ws')}/{api.stage}"  #: where clients connect
        self.stage = api.stage
        self.routes = api.routes
        self.options = options or Options()
        self.throttle = Throttle(self.options.limits.rate_per_s, self.options.limits.burst)
        self.connections: dict[str, Peer] = {}
        self._peers: set[Peer] = set()  # those in their handshake as well
        self._type_path = body_path(api.selection)
        self._invoke = invoke
        self._listener = listener
        self._tasks = Background()
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        limits = self.options.limits
        self._server = await serve(
            self._attend,
            sock=self._listener,
            create_connection=partial(Peer, limits, self._peers),  # type: ignore[arg-type]  # it is only called
            process_request=self._admit,
            process_response=self._greet,
            compression=None,
            max_size=(limits.message_bytes, limits.frame_bytes),
            ping_interval=None,  # API Gateway sends none that a client can see
            open_timeout=45.0,  # $connect may take 29 s
            close_timeout=limits.close_s,
            server_header=None,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close(close_connections=False)
        for peer in self._peers:
            peer.transport.abort()
        await self._tasks.__aexit__()
        await self._server.wait_closed()

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Runs $connect while the client waits for its handshake. None: let it in."""
        assert isinstance(connection, Peer)
        if not is_host_of_loopback(request.headers.get("Host")):
            return _refusal(403, "Forbidden")  # DNS rebinding; API Gateway answers no foreign name either
        try:
            connection.protocol.process_request(request)
        except InvalidHandshake:
            return None  # not a WebSocket handshake: `websockets` words the refusal, $connect is not run
        target = urlsplit(request.path)
        if target.path != f"/{self.stage}":
            return _refusal(403, "Forbidden")
        if not self.throttle.take():
            return _refusal(429, "Too Many Requests")
        if known := self.options.media_url:
            connection.media = (known, came_by(request.headers.get).socket)
        connection.facts = facts = self._facts(connection, request)
        query = parse_qsl(target.query, keep_blank_values=True)
        event = events.connect_event(facts, request.headers.raw_items(), query)
        try:
            answer = await self._run("$connect", event)
            status = _status(answer)
        except IntegrationFailure as failure:
            return _refusal(failure.status, failure.message)
        if not 200 <= status < 300:
            return _refusal(status)
        connection.subprotocol_header = _subprotocol(answer)
        return None

    def _facts(self, connection: Peer, request: Request) -> events.Facts:
        return events.Facts(
            domain=urlsplit(self.url).netloc,
            api_id="local",
            stage=self.stage,
            source_ip=connection.remote_address[0],
            user_agent=request.headers.get("User-Agent"),
        )

    def _greet(self, connection: ServerConnection, _: Request, response: Response) -> None:
        """Echoes the subprotocol that $connect returned, and never one of its own choice."""
        assert isinstance(connection, Peer)
        if response.status_code == http.HTTPStatus.SWITCHING_PROTOCOLS and connection.subprotocol_header:
            response.headers["Sec-WebSocket-Protocol"] = connection.subprotocol_header

    async def _attend(self, connection: ServerConnection) -> None:
        """The life of one open connection."""
        assert isinstance(connection, Peer) and connection.facts
        id = connection.facts.connection_id
        connection.opened_at = connection.active_at = connection.loop.time()
        self.connections[id] = connection
        self._tasks.start(self._read(connection), name=f"read {id}")
        timer = self._tasks.start(self._expire(connection), name=f"expire {id}")
        try:
            await connection.wait_closed()
        finally:
            del self.connections[id]
            timer.cancel()
        assert self._server
        is_told = self._server.is_serving() and not self.options.loses_disconnect
        if is_told and "$disconnect" in self.routes:
            event = events.disconnect_event(connection.facts, *connection.departure())
            self._tasks.start(self._say_goodbye(event), name=f"disconnect {id}")

    async def _say_goodbye(self, event: events.Event) -> None:
        try:
            await self._run("$disconnect", event)
        except IntegrationFailure:
            pass  # nobody is left to tell; the invocation log has it

    async def _expire(self, peer: Peer) -> None:
        """Closes after ten idle minutes or two hours, both on loop time."""
        limits = self.options.limits
        while True:
            due = min(peer.active_at + limits.idle_s, peer.opened_at + limits.lifetime_s)
            left = due - peer.loop.time()
            if left <= 0:
                return peer.end(1001, "Going away")
            await asyncio.sleep(left)

    async def _read(self, peer: Peer) -> None:
        """Starts one task for each message. With too many under way the client is simply not read."""
        slots = asyncio.Semaphore(self.options.limits.in_flight)
        try:
            while True:
                await slots.acquire()
                message = await peer.recv()
                if isinstance(message, bytes):
                    return peer.end(1003, "binary messages are not supported")
                if not self.throttle.take():
                    return peer.end(1008, "too many requests")
                peer.touch()
                task = self._tasks.start(self._handle(peer, message), name="message")
                task.add_done_callback(lambda _: slots.release())
        except ConnectionClosed:
            return None

    async def _handle(self, peer: Peer, body: str) -> None:
        assert peer.facts
        key = route_key(self._type_path, body)
        route = self.routes.get(key) or self.routes.get("$default")
        event = events.message_event(peer.facts, route.key if route else "$default", body)
        request_id = event["requestContext"]["requestId"]
        try:
            if route is None:
                return peer.post(events.error_frame("Forbidden", peer.facts, request_id))
            try:
                answer = await self._run(route.key, event)
            except IntegrationFailure as failure:
                return peer.post(events.error_frame(failure.message, peer.facts, request_id))
            if route.replies and isinstance(answer, dict) and isinstance(answer.get("body"), str):
                peer.post(answer["body"])
        except (ConnectionError, SlowClient):
            return None  # the client is gone or does not read; API Gateway drops it as well

    async def _run(self, key: str, event: events.Event) -> Any:
        """The parsed result of the route's function. Raises IntegrationFailure."""
        route = self.routes.get(key)
        if route is None:
            return {"statusCode": 200}  # $connect and $disconnect are optional
        try:
            async with asyncio.timeout(route.timeout_s):
                invocation = self._tasks.start(self._invoke(route.function, event), name=f"invoke {key}")
                outcome = await invocation
        except TimeoutError:
            raise IntegrationFailure(504) from None
        except UnknownFunction:  # deleted
            raise IntegrationFailure(500) from None
        if outcome.status == "throttled":  # it was never run
            raise IntegrationFailure(self.options.throttled_status)
        if outcome.failed:
            raise IntegrationFailure(502)
        try:
            return json.loads(outcome.payload)
        except ValueError:
            raise IntegrationFailure(502) from None


def _status(answer: Any) -> int:
    try:
        return int(answer["statusCode"])
    except (TypeError, KeyError, ValueError):
        raise IntegrationFailure(502) from None


def _subprotocol(answer: Mapping[str, Any]) -> str | None:
    headers = {str(name).lower(): str(value) for name, value in (answer.get("headers") or {}).items()}
    return headers.get("sec-websocket-protocol")


def _refusal(status: int, message: str = "") -> Response:
    body = json.dumps({"message": message}).encode() if message else b""
    try:
        reason = http.HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    headers = Headers(
        {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    )
    return Response(status, reason, headers, body)
