"""Opens a WebSocket on either road and names what can go wrong on the way."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from ._protocol.credentials import Kind, offer
from ._protocol.errors import LocalProtocolError
from ._protocol.limits import MEDIA_MESSAGE_BYTES, OPEN_TIMEOUT_S
from .errors import VoiceError

CLOSE_TIMEOUT_S = 2.0  #: for the peer's close frame; a lost network never sends one
PING_EVERY_S = 10.0  #: keeps idle connections open; that one is lost is noticed by what it does not say


@asynccontextmanager
async def open_wire(
    url: str, kind: Kind, secret: str, besides: Sequence[str] = ()
) -> AsyncIterator[ClientConnection]:
    """A connected WebSocket that offers `secret` and the entries `besides`; closed on the way out.

    Raises VoiceError: `connect_failed`, `connect_timeout`, or the one of a status (`errors.OF_STATUS`).
    """
    wire = await _connect(url, kind, secret, besides)
    try:
        yield wire
    finally:
        await wire.close()


async def _connect(url: str, kind: Kind, secret: str, besides: Sequence[str]) -> ClientConnection:
    try:
        return await connect(
            url,
            subprotocols=[Subprotocol(entry) for entry in offer(kind, secret, besides)],
            compression=None,  # PCM does not shrink, and JSON here is small
            proxy=None if is_loopback(url) else True,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=PING_EVERY_S,
            ping_timeout=None,
            max_size=2 * MEDIA_MESSAGE_BYTES,
        )
    except LocalProtocolError as error:
        raise VoiceError.of(error.code) from None
    except InvalidStatus as error:
        status = error.response.status_code
        raise VoiceError.refused(status, f"({place(url)} answered HTTP {status})") from None
    except TimeoutError:
        raise VoiceError.of("connect_timeout", f"({place(url)})") from None
    except (OSError, InvalidHandshake, InvalidURI, ValueError):
        raise VoiceError.of("connect_failed", f"({place(url)})") from None


def place(url: str) -> str:
    """`host:port` of a URL, for messages: never its path or query, which may route or admit."""
    return urlsplit(url).netloc.rpartition("@")[2]


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is this machine by name or address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
