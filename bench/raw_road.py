"""The relay as a hostile client sees it: raw sockets, on both roads, in a process of its own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from protocol.credentials import Kind, offer
from relay.client.origin_secret import HEADER


@dataclass(frozen=True, slots=True)
class Place:
    """Where both roads are. The relay is dialled itself: nothing but it is between two of its clients."""

    control: str
    relay: str  #: host:port
    edge_secret: str

    @classmethod
    def read(cls, line: str) -> tuple[Place, dict[str, Any]]:
        """The place, and what else a parent process has written for this one."""
        told = json.loads(line)
        return cls(**told["place"]), told

    def line(self, **more: Any) -> str:
        return json.dumps({"place": asdict(self), **more}) + "\n"

    def media(self, ticket: str, **options: Any) -> AbstractAsyncContextManager[ClientConnection]:
        """A media connection that has not said hello."""
        header, url = {HEADER: self.edge_secret}, f"ws://{self.relay}/r/0/x"
        return connect(url, additional_headers=header, **_options("ticket", ticket), **options)

    def dial(self, token: str) -> AbstractAsyncContextManager[ClientConnection]:
        """A control connection."""
        return connect(self.control, **_options("jwt", token), open_timeout=30)


def start() -> dict[str, Any]:
    """A request for a session that is nobody's yet."""
    return {"type": "start", "request": secrets.token_hex(8), "versions": [1], "agent": "assistant"}


def resume(ready: dict[str, Any]) -> dict[str, Any]:
    """A request for another ticket to a session."""
    return {"type": "resume", "session": ready["session"], "resume_key": ready["resume_key"]}


async def ask(control: ClientConnection, request: dict[str, Any]) -> dict[str, Any]:
    """Send it, and return what answers it: `ready`, an `error`, or the gateway's own frame.

    Raises ConnectionClosed.
    """
    await control.send(json.dumps(request))
    while True:
        reply: dict[str, Any] = json.loads(await control.recv())
        if reply.get("type") != "starting":
            return reply


def _options(kind: Kind, secret: str) -> dict[str, Any]:
    entries: Sequence[Subprotocol] = [Subprotocol(entry) for entry in offer(kind, secret)]
    return {
        "subprotocols": entries,
        "proxy": None,
        "max_size": None,
        "ping_interval": None,
        "compression": None,
    }
