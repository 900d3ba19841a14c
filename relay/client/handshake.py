"""The handshake of the media road: a ticket comes in, an admission comes out."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from protocol.credentials import credential, is_from_native
from protocol.errors import RemoteProtocolError
from records.tickets import Burn
from relay.client.origin_secret import OriginCheck, allow_any_origin
from relay.ports import LedgerUnavailable


class TicketBook(Protocol):
    """Where tickets are used up. Raises LedgerUnavailable."""

    async def burn(self, ticket: str, relay: str) -> Burn: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A handshake, whatever carried it."""

    path: str
    protocols: list[str] = field(default_factory=list)  #: subprotocols that were offered
    authorization: str | None = None
    origin: str = ""
    edge_secret: str = ""  #: what our edge adds
    host: str = ""  #: whom it was addressed to


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer in place of a connection."""

    status: HTTPStatus
    body: dict[str, object]


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

    async def answer(self, asked: Asked) -> Admission | Answer:
        """An admission lets the handshake go on; anything else is the answer in its place."""
        if asked.path == "/health":
            if not _is_address(asked.host):
                return Answer(HTTPStatus.FORBIDDEN, {"error": "origin_refused"})
            return Answer(HTTPStatus.OK if self.is_open else HTTPStatus.SERVICE_UNAVAILABLE, self._health())
        try:
            if not await self._origin_check(asked.edge_secret):
                raise RemoteProtocolError("origin_refused")
            return await self._admit(asked)
        except RemoteProtocolError as error:
            is_foreign = error.code == "origin_refused"
            status = HTTPStatus.FORBIDDEN if is_foreign else HTTPStatus.UNAUTHORIZED
            return Answer(status, {"error": error.code})
        except LedgerUnavailable:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "store_unavailable"})

    async def _admit(self, asked: Asked) -> Admission:
        ticket = credential("ticket", asked.protocols, asked.authorization)
        burn = await self._book.burn(ticket, self._relay)
        if burn.status == "unknown":
            raise RemoteProtocolError("auth_invalid")
        if not is_from_native("ticket", asked.protocols) and burn.origin != asked.origin:
            raise RemoteProtocolError("origin_refused")
        if burn.status != "ok":
            return Admission(burn.session, burn.epoch, f"ticket_{burn.status}")
        return Admission(burn.session, burn.epoch, "" if self.is_open else "going_away")


def _is_address(host: str) -> bool:
    """Whether a `Host` header names an address, as the health checks of ECS and of a load balancer do.

    A page that lets a name of its own lead here, and another account's distribution, send a name. A media
    handshake may come under any: there a ticket admits.
    """
    try:
        ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
    return True
