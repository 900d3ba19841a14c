"""AWS's own host names on loopback: an HTTP proxy that takes every request to the emulator.

It stands for DNS. The edge's key store needs it: its host begins with the account's number, wherever the
endpoint is set to.
"""

from __future__ import annotations

import http.client
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_OURS = {"connection", "content-length", "transfer-encoding", "server", "date"}


@contextmanager
def names(emulator: str) -> Iterator[str]:
    """The proxy's URL, for HTTP_PROXY."""

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            asked = urllib.parse.urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(urllib.parse.urlsplit(emulator).netloc, timeout=30)
            path = urllib.parse.urlunsplit(("", "", asked.path or "/", asked.query, ""))
            connection.request(self.command, path, body, dict(self.headers))
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OURS:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = forward

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
