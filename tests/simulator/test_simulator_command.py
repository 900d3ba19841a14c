"""`python -m simulator` as its user meets it: its own process, its log, its mistakes."""

import asyncio
import json
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from simulator.__main__ import main

SETUP = {"model": "models/gemini-3.8-live", "generationConfig": {"responseModalities": ["AUDIO"]}}


@asynccontextmanager
async def command(*arguments: str) -> AsyncIterator[tuple[dict[str, Any], asyncio.subprocess.Process]]:
    """The command running, and what it said when it was up."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", "--json", "--port", "0", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        yield json.loads(line), process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_it_runs_alone_with_tls_and_writes_its_log(tmp_path: Path) -> None:
    log, script = tmp_path / "log.jsonl", tmp_path / "script.yaml"
    script.write_text("name: mine\ntime_scale: 50\n")
    async with command("--tls", "--scenario", str(script), "--log", str(log)) as (up, _):
        assert up["scenario"] == "mine" and up["time_scale"] == 50
        trust = ssl.create_default_context(cafile=up["certificate"])
        url = (
            up["url"] + "//ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k"
        )
        async with aiohttp.ClientSession() as http, http.ws_connect(url, ssl=trust) as socket:
            await socket.send_json({"setup": SETUP})
            assert b"setupComplete" in (await socket.receive()).data
    kinds = [json.loads(line)["kind"] for line in log.read_text().splitlines()]
    assert kinds[:3] == ["simulator.started", "connection.opened", "session.opened"]
    assert kinds[-1] == "connection.closed"


async def test_it_stops_promptly_though_a_client_stays() -> None:
    async with command("--scenario", "weather") as (up, process):
        assert up["scenario"] == "weather"
        url = up["url"] + "/ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateContent?key=k"
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            await socket.send_json({"setup": SETUP})
            await socket.receive()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--scenario", "none.yaml"], "vivavoce simulate: none.yaml: No such file or directory"),
        (["--log", "no/such/folder/log"], "its folder does not exist"),
        (["--host", "203.0.113.1"], "cannot listen on 203.0.113.1:8788"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and complaint in said.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--port", "70000"], "argument --port: must be 0 to 65535"),
        (["--time-scale", "0"], "argument --time-scale: must be a number above 0"),
        (["--time-scale", "fast"], "argument --time-scale: must be a number above 0"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_bad_flags_are_explained(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err
