"""A tap on the control road: which relay each session was led to, and which ones its client reported."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from infra.local.stack import LocalStack
from records.routes import read_route


@dataclass
class Tap:
    """What passed. Relays are known by their address."""

    key: bytes = field(repr=False)  #: of the routes
    url: str = ""
    offers: dict[str, list[str]] = field(default_factory=dict)  #: session to the relays of its `ready`s
    reports: dict[str, list[str]] = field(default_factory=dict)  #: session to those it said `media_failed` of
    misled: list[tuple[str, str]] = field(default_factory=list)  #: session and relay that it had reported

    def relay_of(self, session: str) -> str:
        """The relay that the session was led to last."""
        return self.offers[session][-1]

    def heed(self, message: dict[str, Any]) -> None:
        session = str(message.get("session", ""))
        if message["type"] == "resume" and message.get("media_failed"):
            self.reports.setdefault(session, []).append(self.relay_of(session))
        if message["type"] == "ready":
            relay = read_route(self.key, urlsplit(message["media"]["url"]).path, 0)
            if relay in self.reports.get(session, []):
                self.misled.append((session, relay))
            self.offers.setdefault(session, []).append(relay)

    async def carry(self, source: ServerConnection | ClientConnection, sink: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for data in source:
                self.heed(json.loads(data))
                await sink.send(data)
        await sink.close()


@contextlib.asynccontextmanager
async def tapped(stack: LocalStack) -> AsyncIterator[Tap]:
    """A tap before the control road of `stack`, at its `url`."""
    tap = Tap(stack.secrets.route.encode())

    async def attend(client: ServerConnection) -> None:
        assert client.request
        offer = client.request.headers["Sec-WebSocket-Protocol"].split(", ")
        try:
            async with (
                connect(
                    stack.urls.control, subprotocols=[Subprotocol(each) for each in offer], proxy=None
                ) as server,
                asyncio.TaskGroup() as ways,
            ):
                ways.create_task(tap.carry(client, server))
                ways.create_task(tap.carry(server, client))
        except (OSError, InvalidHandshake):
            await client.close(1011)

    async with serve(
        attend, "127.0.0.1", 0, select_subprotocol=lambda _, __: Subprotocol("vivavoce")
    ) as server:
        tap.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield tap
