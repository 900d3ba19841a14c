"""The relay's image is named by its digest, as a public registry has it; by its tag if it does not answer."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from functions.core.keys import image

MANIFEST = b'{"schemaVersion": 2, "manifests": []}'
DIGEST = hashlib.sha256(MANIFEST).hexdigest()


@pytest.fixture
def registry():
    """A registry that wants a token for the repository. `asked` has what it was asked, `fails` a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            at = urlsplit(self.path)
            self.server.asked.append(at.path)
            if self.server.fails:
                return self.answer(self.server.fails, b"no")
            if at.path == "/token/":
                assert parse_qs(at.query)["scope"] == ["repository:docker/library/python:pull"]
                return self.answer(200, b'{"token": "t"}')
            assert self.headers["Authorization"] == "Bearer t"
            assert "application/vnd.oci.image.index.v1+json" in self.headers["Accept"]
            return self.answer(200, MANIFEST)

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.fails = [], 0
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_tag_becomes_the_digest_of_its_manifest(registry):
    name = f"127.0.0.1:{registry.server_port}/docker/library/python"
    assert image.pinned(f"{name}:3.13-slim", "http") == f"{name}@sha256:{DIGEST}"
    assert registry.asked == ["/token/", "/v2/docker/library/python/manifests/3.13-slim"]


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_registry_that_refuses_leaves_the_tag_and_the_deployment_goes_on(registry, status):
    registry.fails = status
    tagged = f"127.0.0.1:{registry.server_port}/docker/library/python:3.13-slim"
    assert image.pinned(tagged, "http") == tagged


def test_a_registry_that_is_not_there_leaves_the_tag():
    assert image.pinned("127.0.0.1:9/docker/library/python:3.13-slim", "http").endswith(":3.13-slim")


def test_what_has_a_digest_keeps_it():
    assert image.pinned(f"host/name@sha256:{DIGEST}") == f"host/name@sha256:{DIGEST}"


def test_both_requests_end_within_the_functions_time_beside_the_store_s():
    from functions.core.keys.rotation import WAITS_S

    assert 2 * image.TIMEOUT_S + sum(WAITS_S) < 20
