"""Replies on the control road, posted through `@connections`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from functions.core.runtime.entry import logger, place_of
from protocol.codec import encode
from protocol.control import ControlReply
from records import connections
from records.table import Table

ATTEMPTS = 4  #: of one post, while API Gateway says 429
BACKOFF_S = 0.1  #: first pause between them; doubles


class Gateway(Protocol):
    """Client of API Gateway's management API, as far as it is used."""

    def post_to_connection(self, *, ConnectionId: str, Data: bytes) -> Any: ...

    def delete_connection(self, *, ConnectionId: str) -> Any: ...


class Replies:
    """Posts messages to connections, one after the other."""

    def __init__(self, gateway: Gateway, table: Table, pause: Callable[[float], None]) -> None:
        self._gateway = gateway
        self._table = table
        self.pause = pause

    def send(self, connection: str, message: ControlReply) -> bool:
        """Post a message. False when it was not delivered; deletes the record of a closed connection."""
        data = encode(message).encode()
        for attempt in range(ATTEMPTS):
            code = self.post(connection, data)
            if not code:
                return True
            if code == "GoneException":
                connections.forget(self._table, connection)
                return False
            self.pause(BACKOFF_S * 2**attempt)
        # 429 also means that the client does not read. It will retry.
        logger.warning("reply dropped", extra={"connection": connection, "type": type(message).__name__})
        return False

    def close(self, connection: str) -> None:
        """Close a connection, if it is open. Best effort: its next message closes it again."""
        try:
            self._gateway.delete_connection(ConnectionId=connection)
        except (HTTPClientError, ConnectionError, ClientError) as error:
            logger.info("connection not closed", extra=place_of(error))

    def post(self, connection: str, data: bytes) -> str:
        """Post once. Returns an error code, empty on success. Raises errors that a retry cannot help."""
        try:
            self._gateway.post_to_connection(ConnectionId=connection, Data=data)
        except (HTTPClientError, ConnectionError) as error:
            return type(error).__name__
        except ClientError as error:
            code = str(error.response["Error"]["Code"])
            if code not in ("GoneException", "LimitExceededException"):
                raise
            return code
        return ""
