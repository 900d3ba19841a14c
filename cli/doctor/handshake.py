"""WebSocket handshake for diagnosis: who answered, and what, when it is refused."""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.http11 import Response
from websockets.typing import Subprotocol

from cli.doctor.steps import Trouble
from protocol.credentials import Kind, offer
from protocol.errors import LocalProtocolError
from protocol.limits import MEDIA_MESSAGE_BYTES, OPEN_TIMEOUT_S
from vivavoce.wire import CLOSE_TIMEOUT_S, is_loopback, place


class Refused(Trouble):
    """HTTP answered in place of the upgrade; the code is `http_` and the status."""

    def __init__(self, url: str, response: Response) -> None:
        super().__init__(f"http_{response.status_code}", f"{place(url)} answered HTTP {response.status_code}")
        self.status = response.status_code
        self.response = response

    @property
    def said(self) -> str:
        """The error or message of a JSON body; empty for any other body."""
        with suppress(ValueError, TypeError, AttributeError):
            body = json.loads(self.response.body or b"")
            return str(body.get("error") or body.get("message") or "")
        return ""


async def open_handshake(url: str, kind: Kind, secret: str, besides: Sequence[str] = ()) -> ClientConnection:
    """Connect and complete the handshake, offering `besides` as clients do.

    Raises Refused, or Trouble: `tls`, `timeout`, `unreachable`.
    """
    try:
        return await connect(
            url,
            subprotocols=[Subprotocol(entry) for entry in offer(kind, secret, besides)],
            compression=None,
            proxy=None if is_loopback(url) else True,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=2 * MEDIA_MESSAGE_BYTES,
        )
    except InvalidStatus as error:
        raise Refused(url, error.response) from None
    except LocalProtocolError as error:
        raise Trouble(error.code, "the credential cannot be sent in a handshake") from None
    except ssl.SSLError as error:
        raise Trouble("tls", f"{place(url)}: {error.reason or 'TLS failed'}") from None
    except TimeoutError:
        raise Trouble("timeout", f"{place(url)} did not answer in {OPEN_TIMEOUT_S:.0f} s") from None
    except (OSError, InvalidHandshake, InvalidURI, ValueError):
        raise Trouble("unreachable", f"{place(url)} cannot be connected to") from None
