"""The port of a call's client side: one connection, whatever carries it. Adapter: `websocket.py`."""

from __future__ import annotations

from typing import Literal, Protocol

from protocol.codec import Outgoing

CLOSE_S = 1.0  #: a close handshake that takes longer is cut off


class ConnectionLost(Exception):
    """The connection is closed or gone: nothing more can be sent."""


class ClientConnection(Protocol):
    """One open connection to a client."""

    async def receive(self) -> str | bytes | None:
        """The next message; None once the connection is closed or gone."""
        ...

    async def send(self, said: Outgoing) -> None:
        """Encode and write it. Returns when there is room for more. Raises ConnectionLost."""
        ...

    async def close(self, code: int) -> None:
        """Close with this WebSocket close code. A peer that does not answer within CLOSE_S is cut off."""
        ...

    def abort(self) -> None:
        """Cut it off at once."""
        ...

    @property
    def lost_by(self) -> Literal["", "pong"]:
        """`pong`: it was given up because the client did not answer a ping."""
        ...
