"""What attackers connect to: the real `$connect`, an issuer on loopback, the record under moto."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from moto import mock_aws

from functions import connect
from functions.core.runtime import aws
from records import connections
from records.table import Table
from tests.functions.shapes import connect_event
from tests.records import dynamo

AUDIENCE = "vivavoce"
SECRET = "a-shared-secret-of-more-than-32-bytes"
_names = (f"security-{number}" for number in itertools.count())


def rsa_key() -> RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


@pytest.fixture(scope="module")
def region() -> Iterator[None]:
    """moto, and the clients that the handlers keep."""
    dynamo.make_atomic()
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        aws.client("ssm").put_parameter(Name="/test/jwt", Value=SECRET, Type="SecureString")
        yield
        for service in ("dynamodb", "ssm"):
            aws.client(service).close()
        for made in (aws.client, aws.table):
            made.cache_clear()


@pytest.fixture
def table(region: None, monkeypatch: pytest.MonkeyPatch) -> Table:
    name = next(_names)
    monkeypatch.setenv("TABLE_NAME", name)
    monkeypatch.setenv("JWT_SECRET_PARAMETER", "/test/jwt")
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://app.example")
    dynamo.make_table(aws.client("dynamodb"), name)
    forget()
    return aws.table(name)


def forget() -> None:
    """The next `$connect` reads its environment anew."""
    connect.config.cache_clear()
    connect.keys.cache_clear()


class Issuer:
    """An OIDC issuer on loopback: a discovery document, published keys, and a count of who asked for what."""

    def __init__(self) -> None:
        self.key = rsa_key()
        self.asked: list[str] = []
        self.is_down = False
        self.keys = [self.published(self.key, "k1")]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def published(self, key: RSAPrivateKey, kid: str, **more: str) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
        return {**public, "kid": kid, "use": "sig", **more}

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Of a token that is right but for what is changed; None takes a claim out."""
        usual = {"sub": "ada", "exp": int(time.time()) + 600, "iss": self.url, "aud": AUDIENCE} | changed
        return {name: value for name, value in usual.items() if value is not None}

    def sign(self, key: Any = None, algorithm: str = "RS256", kid: str | None = "k1", **changed: Any) -> str:
        headers = {} if kid is None else {"kid": kid}
        return jwt.encode(self.claims(**changed), key or self.key, algorithm, headers=headers)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                found = {"jwks_uri": f"{issuer.url}/keys"} if "openid" in self.path else {"keys": issuer.keys}
                data = json.dumps(found).encode()
                self.send_response(503 if issuer.is_down else 200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def issuer(table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    made = Issuer()
    monkeypatch.setenv("OIDC_ISSUER", made.url)
    monkeypatch.setenv("OIDC_AUDIENCE", AUDIENCE)
    forget()
    yield made
    made.close()


class Gateway:
    """`$connect`, as a client meets it."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def connect(self, token: str, **headers: str) -> int:
        """The status. Whoever is refused must have left no record."""
        offer = f"vivavoce, vivavoce.jwt.{token}"
        event = connect_event("c1=", Sec_WebSocket_Protocol=offer, **headers)
        status = connect.handler(event, SimpleNamespace(aws_request_id="r"))["statusCode"]
        assert (status == 200) == (self.visitor() is not None)
        return int(status)

    def visitor(self) -> connections.Connection | None:
        """Who was let in."""
        return connections.load(self.table, "c1=", int(time.time()))


@pytest.fixture
def gateway(table: Table) -> Gateway:
    return Gateway(table)
