"""The command line run inside the test, and the server it talks to."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli.main import main
from records.table import Table
from tests.client.fake_server import FakeServer, fake_server

sys.path.append(str(Path(__file__).parent.parent / "records"))

REGION = "eu-west-1"  #: of the deployment in moto


@dataclass(frozen=True)
class Run:
    """What one call of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The last line on stderr; there is never a traceback."""
        assert "Traceback" not in self.err
        return self.err.strip().splitlines()[-1]


@pytest.fixture
def vivavoce(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """`vivavoce(*arguments)` runs the command to its end."""
    monkeypatch.delenv("VIVAVOCE_TOKEN", raising=False)

    def run(*arguments: object) -> Run:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return run


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with fake_server() as running:
        yield running


@pytest.fixture
def talk(vivavoce: Callable[..., Run], server: FakeServer) -> Callable[..., Any]:
    """`await talk(*arguments)` talks to `server` from a thread with an event loop of its own."""

    async def run(*arguments: object) -> Run:
        return await asyncio.to_thread(vivavoce, "talk", "--url", server.url, "--token", "a.jwt", *arguments)

    return run


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A fifth of a second of something loud."""
    import wave

    path = tmp_path / "in.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\x00\x40\x00\xc0" * 1600)
    return path


@contextmanager
def page(answer: Any, status: int = 200) -> Iterator[str]:
    """A local stack's page that answers /dev/session.json."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/dev/session.json" else 404)
            self.end_headers()
            self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    """The record of a deployment, in moto."""
    import dynamo

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        client = boto3.client("dynamodb", REGION)
        dynamo.make_table(client, "record")
        yield Table(client, "record")


@pytest.fixture
def stack(table: Table) -> str:
    """Name of the deployment whose record that is."""
    outputs = {"TableName": {"Value": "record"}, "ControlUrl": {"Value": "wss://control.example/v1"}}
    body = {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    cloud = boto3.client("cloudformation", REGION)
    cloud.create_stack(StackName="viva", TemplateBody=json.dumps(body))
    return "viva"
