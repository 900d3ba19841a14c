"""A stock Python becomes the relay: the bundle is fetched with a good signature, checked, and run."""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.relay import bootstrap

ARN = "arn:aws:lambda:eu-west-1:000000000000:layer:viva-relay:7"
KEYS = {"AccessKeyId": "AKID", "SecretAccessKey": "secret", "Token": "session-token"}
RELAY = "the relay"
#: What anybody may run, in place of `python -m relay`: who and where it is, and what it can read.
COMMAND = ("sh", "-c", 'id -u; pwd; echo "$PYTHONPATH"; cat "$PYTHONPATH/relay/__main__.py"')


def test_the_signature_is_the_one_that_botocore_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    url = "https://lambda.eu-west-1.amazonaws.com/2018-10-31/layers?Arn=arn%3Aaws%3Alambda&find=LayerVersion"
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: now)
    request = AWSRequest("GET", url, headers={"Host": "lambda.eu-west-1.amazonaws.com"})
    SigV4Auth(Credentials(*KEYS.values()), "lambda", "eu-west-1").add_auth(request)
    ours = bootstrap.signed(url, "eu-west-1", KEYS, now)
    assert ours["authorization"] == request.headers["Authorization"]
    assert ours["x-amz-date"] == request.headers["X-Amz-Date"]


class Cloud:
    """The task's credentials endpoint, Lambda's GetLayerVersion and the place of the zip."""

    def __init__(self) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("python/relay/__main__.py", RELAY)
        self.zip, self.digest = packed.getvalue(), ""
        self.asked: list[tuple[str, str]] = []
        self.failures = 0
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cloud.asked.append((self.path, self.headers.get("Authorization", "")))
                if cloud.failures:
                    cloud.failures -= 1
                    return self.send_error(503)
                data = cloud.answer(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                return None

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def answer(self, path: str) -> bytes:
        if path == "/credentials":
            return json.dumps(KEYS).encode()
        if path == "/zip":
            return self.zip
        digest = self.digest or base64.b64encode(hashlib.sha256(self.zip).digest()).decode()
        return json.dumps({"Content": {"Location": f"{self.url}/zip", "CodeSha256": digest}}).encode()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


def start(cloud: Cloud, directory: Path) -> subprocess.CompletedProcess[str]:
    """The container's entry point and command, with the environment of a task."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "RELAY_BUNDLE": ARN,
        "BUNDLE_DIRECTORY": str(directory),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{cloud.url}/credentials",
        "AWS_ENDPOINT_URL_LAMBDA": cloud.url,
    }
    text = Path(bootstrap.__file__).read_text()
    return subprocess.run(
        [sys.executable, "-c", text, *COMMAND], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def directory() -> Iterator[Path]:
    """Open to nobody too, who the relay runs as where the tests run as root."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_the_bundle_is_fetched_and_becomes_the_relay(cloud: Cloud, directory: Path) -> None:
    ran = start(cloud, directory)
    user = os.getuid() or bootstrap.NOBODY
    assert ran.stdout == f"{user}\n{directory}\n{directory}/python\n{RELAY}", ran.stderr
    _, (path, signature), _ = cloud.asked
    assert path == f"/2018-10-31/layers?Arn={ARN.replace(':', '%3A')}&find=LayerVersion"
    assert signature.startswith("AWS4-HMAC-SHA256 Credential=AKID/")


def test_a_bundle_that_is_not_the_published_one_never_runs(cloud: Cloud, directory: Path) -> None:
    cloud.digest = base64.b64encode(hashlib.sha256(b"another").digest()).decode()
    ran = start(cloud, directory)
    assert ran.returncode == 1 and "not the one that was published" in ran.stderr
    assert ran.stdout == "" and not list(directory.iterdir())


def test_a_network_that_is_coming_up_is_waited_for(cloud: Cloud, directory: Path) -> None:
    cloud.failures = 1
    assert start(cloud, directory).stdout.endswith(RELAY)
