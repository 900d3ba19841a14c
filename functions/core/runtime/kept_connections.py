"""HTTP connections to one place that are kept between requests, for any number of threads."""

from __future__ import annotations

import functools
import http.client
import os
import select
import ssl
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class KeptConnections:
    """As many connections as there are requests at a time; the one used last is used next."""

    def __init__(self, url: str, connect_s: float, read_s: float) -> None:
        at = urlsplit(url)
        assert at.hostname, url
        self._is_tls, self._host, self._port = at.scheme == "https", at.hostname, at.port
        self._connect_s, self._read_s = connect_s, read_s
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._idle)

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Raises OSError, of which TimeoutError is one; a response that is cut off is a ConnectionError."""
        connection = self._take()
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            read = Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        except http.client.HTTPException as error:
            connection.close()
            raise ConnectionError(type(error).__name__) from None
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        return read

    def close(self) -> None:
        with self._lock:
            _close(self._idle)

    def _take(self) -> http.client.HTTPConnection:
        """One that is kept and still open, or a new one."""
        while True:
            with self._lock:
                if not self._idle:
                    break
                connection = self._idle.pop()
            if _is_open(connection):
                return connection
            connection.close()
        return self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        if self._is_tls:
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._connect_s, context=_tls()
            )
        else:
            made = http.client.HTTPConnection(self._host, self._port, timeout=self._connect_s)
        made.connect()
        made.sock.settimeout(self._read_s)
        return made


def _close(idle: list[http.client.HTTPConnection]) -> None:
    while idle:
        idle.pop().close()


def _is_open(connection: http.client.HTTPConnection) -> bool:
    """False for one that the peer has closed, as it does while a function is frozen: it has news to read."""
    if connection.sock is None:
        return False
    readable, _, _ = select.select([connection.sock], [], [], 0)
    return not readable


@functools.cache
def _tls() -> ssl.SSLContext:
    """This machine's authorities, or those of AWS_CA_BUNDLE."""
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
