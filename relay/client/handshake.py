"""The handshake of the media road: a ticket comes in, an admission comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol
from weakref import WeakKeyDictionary

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from protocol.credentials import credential, is_from_native, offered
from protocol.errors import RemoteProtocolError
from records.tickets import Burn
from relay.client.origin_secret import HEADER, OriginCheck, allow_any_origin
from relay.ports import LedgerUnavailable


class TicketBook(Protocol):
    """Where tickets are used up. Raises LedgerUnavailable."""

    async def burn(self, ticket: str, relay: str) -> Burn: ...


@dataclass(frozen=True, slots=True)
class Admission:
    """What a connection may do: join a session, or only be told why not."""

    session: str
    epoch: int
    refusal: str = ""  #: code of the registry


class MediaHandshake:
    """Refuses in the handshake what is forged; what is genuine but late is told so after it.

    A browser cannot read the status of a refused handshake, so only those who have no right to an answer
    get one there.
    """

    def __init__(
        self,
        book: TicketBook,
        relay: str,
        health: Callable[[], dict[str, object]],
        origin_check: OriginCheck = allow_any_origin,
    ) -> None:
        self.is_open = True
        self._origin_check = origin_check
        self._book = book
        self._relay = relay
        self._health = health
        self._admissions: WeakKeyDictionary[ServerConnection, Admission] = WeakKeyDictionary()

    async def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """`process_request` of the server: None lets the handshake go on."""
        if request.path == "/health":
            return _answer(HTTPStatus.OK if self.is_open else HTTPStatus.SERVICE_UNAVAILABLE, self._health())
        try:
            if not await self._origin_check(request.headers.get(HEADER, "")):
                raise RemoteProtocolError("origin_refused")
            admission = await self._admit(request.headers)
        except RemoteProtocolError as error:
            status = HTTPStatus.FORBIDDEN if error.code == "origin_refused" else HTTPStatus.UNAUTHORIZED
            return _answer(status, {"error": error.code})
        except LedgerUnavailable:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "store_unavailable"})
        self._admissions[connection] = admission
        return None

    def admission(self, connection: ServerConnection) -> Admission:
        """What `process_request` found out about a connection whose handshake is done. To be asked once."""
        return self._admissions.pop(connection)

    async def _admit(self, headers: Headers) -> Admission:
        protocols = [entry for line in headers.get_all("Sec-WebSocket-Protocol") for entry in offered(line)]
        ticket = credential("ticket", protocols, headers.get("Authorization"))
        burn = await self._book.burn(ticket, self._relay)
        if burn.status == "unknown":
            raise RemoteProtocolError("auth_invalid")
        if not is_from_native("ticket", protocols) and burn.origin != headers.get("Origin", ""):
            raise RemoteProtocolError("origin_refused")
        if burn.status != "ok":
            return Admission(burn.session, burn.epoch, f"ticket_{burn.status}")
        return Admission(burn.session, burn.epoch, "" if self.is_open else "going_away")


def _answer(status: HTTPStatus, body: dict[str, object]) -> Response:
    data = json.dumps(body).encode()
    headers = Headers(
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
    )
    return Response(status.value, status.phrase, headers, data)
