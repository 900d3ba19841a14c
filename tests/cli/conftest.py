"""The command line run inside the test, and the server it talks to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.client.fake_server import FakeServer, fake_server


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
