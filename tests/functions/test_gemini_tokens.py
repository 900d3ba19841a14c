"""The connection to Google on which tokens are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from functions.core.minting.gemini_tokens import GoogleTokens, MintFailed
from gemini.tokens import TokenRequest

REQUEST = TokenRequest("gemini-3.8-live", {}, None, "full", now=0, expires_at=60)
ANSWER = b'{"name": "auth_tokens/t"}'


class Google(ThreadingHTTPServer):
    """Answers so many requests on each of its connections, and breaks that off at the next."""

    daemon_threads = True  # a client may keep its connection for longer than the test

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.answers = list(answers)  #: of the connections to come
        self.requests = 0
        self.url = f"http://127.0.0.1:{self.server_port}"


class Connection(BaseHTTPRequestHandler):
    """One of them."""

    protocol_version = "HTTP/1.1"  # kept
    server: Google

    def setup(self) -> None:
        super().setup()
        self.answers = self.server.answers.pop(0)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.requests += 1
        self.close_connection = self.answers == 0
        if self.close_connection:
            return
        self.answers -= 1
        self.send_response(200)
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def google(request: pytest.FixtureRequest) -> Iterator[Google]:
    with Google(*request.param) as running:
        serving = threading.Thread(target=running.serve_forever, args=(0.01,))
        serving.start()
        yield running
        running.shutdown()
        serving.join()


@pytest.mark.parametrize("google", [(1, 1)], indirect=True)
def test_a_kept_connection_that_died_meanwhile_costs_no_token(google: Google) -> None:
    minting = GoogleTokens(google.url)
    assert minting.mint("AIza-key", REQUEST) == "auth_tokens/t"
    assert minting.mint("AIza-key", REQUEST) == "auth_tokens/t"
    assert google.requests == 3


@pytest.mark.parametrize("google", [(0, 0)], indirect=True)
def test_a_connection_that_breaks_twice_is_a_failure(google: Google) -> None:
    with pytest.raises(MintFailed, match="ProtocolError"):
        GoogleTokens(google.url).mint("AIza-key", REQUEST)
    assert google.requests == 2
