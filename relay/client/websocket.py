"""Client connections by WebSocket: the server of the media road, and the adapter of one connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Literal, Protocol
from weakref import WeakKeyDictionary

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from protocol.codec import Outgoing, ServerCodec, json_codec
from protocol.credentials import offered
from protocol.limits import MEDIA_MESSAGE_BYTES, SUBPROTOCOL
from relay.client.guard import GuardedConnection
from relay.client.handshake import Admission, Answer, Asked
from relay.client.origin_secret import HEADER
from relay.client.port import CLOSE_S, ClientConnection, ConnectionLost

PING_S = 20.0  #: between keepalive pings; also bounds how long a dead client is believed


class Handshake(Protocol):
    """Decides who may connect."""

    async def answer(self, asked: Asked) -> Admission | Answer: ...


Serve = Callable[[ClientConnection, Admission], Awaitable[None]]


class WebSocketClient:
    """One connection of the server below."""

    def __init__(self, connection: ServerConnection, codec: ServerCodec = json_codec) -> None:
        self._connection, self._codec = connection, codec

    async def receive(self) -> str | bytes | None:
        try:
            return await self._connection.recv()
        except ConnectionClosed:
            return None

    async def send(self, said: Outgoing) -> None:
        try:
            await self._connection.send(self._codec.encode(said))
        except ConnectionClosed:
            raise ConnectionLost from None

    async def close(self, code: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._connection.close(code)
        self.abort()

    def abort(self) -> None:
        self._connection.transport.abort()

    @property
    def lost_by(self) -> Literal["", "pong"]:
        sent = self._connection.protocol.close_sent
        return "pong" if sent is not None and sent.reason == "keepalive ping timeout" else ""


@contextlib.asynccontextmanager
async def listening(
    serve_client: Serve,
    handshake: Handshake,
    host: str,
    port: int,
    pong_s: float = PING_S,
    codec: ServerCodec = json_codec,
) -> AsyncIterator[int]:
    """The media road's server, with the settings that everything here relies on. Yields its port."""
    admissions: WeakKeyDictionary[ServerConnection, Admission] = WeakKeyDictionary()

    async def process_request(connection: ServerConnection, request: Request) -> Response | None:
        answer = await handshake.answer(_asked(request))
        if isinstance(answer, Answer):
            return _response(answer)
        admissions[connection] = answer
        return None

    async def handle(connection: ServerConnection) -> None:
        await serve_client(WebSocketClient(connection, codec), admissions.pop(connection))

    async with serve(
        handle,
        host,
        port,
        process_request=process_request,
        select_subprotocol=_select_subprotocol,
        create_connection=GuardedConnection,
        compression=None,  # PCM does not deflate, and deflating costs more than the whole relay
        max_size=MEDIA_MESSAGE_BYTES,
        ping_interval=PING_S,
        ping_timeout=pong_s,
        close_timeout=CLOSE_S,
        server_header=None,
    ) as server:
        yield int(server.sockets[0].getsockname()[1])


def _select_subprotocol(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Only ever our own, never the entry with the ticket. A native client may offer none at all."""
    ours = Subprotocol(SUBPROTOCOL)
    return ours if ours in offered else None


def _asked(request: Request) -> Asked:
    def value(name: str) -> str:
        """Of a header; one that comes twice has no value that anything is equal to."""
        return ", ".join(request.headers.get_all(name))

    lines = request.headers.get_all("Sec-WebSocket-Protocol")
    return Asked(
        path=request.path,
        protocols=[entry for line in lines for entry in offered(line)],
        authorization=value("Authorization") or None,
        origin=value("Origin"),
        edge_secret=value(HEADER),
        host=value("Host"),
    )


def _response(answer: Answer) -> Response:
    data, status = json.dumps(answer.body).encode(), HTTPStatus(answer.status)
    headers = Headers(
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
    )
    return Response(status.value, status.phrase, headers, data)
