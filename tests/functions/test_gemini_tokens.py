"""The connection to Google on which tokens are asked for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from functions.core.minting.gemini_tokens import GoogleTokens, MintFailed
from gemini.tokens import TokenRequest

REQUEST = TokenRequest("gemini-3.8-live", {}, None, "full", now=0, expires_at=60)
ANSWER = (
    b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n{"name":"auth_tokens/t"}'
)


class Google:
    """Answers so many requests on each of its connections, and breaks that off at the next."""

    def __init__(self, *answers: int) -> None:
        self.requests = 0
        self._answers = list(answers)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for answers in self._answers:
            connection, _ = self._listening.accept()
            with connection:
                self._answer(connection, answers)

    def _answer(self, connection: socket.socket, answers: int) -> None:
        while connection.recv(65_536):
            self.requests += 1
            if answers == 0:
                return
            answers -= 1
            connection.sendall(ANSWER)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


@pytest.fixture
def google(request: pytest.FixtureRequest) -> Iterator[Google]:
    running = Google(*request.param)
    yield running
    running.close()


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
