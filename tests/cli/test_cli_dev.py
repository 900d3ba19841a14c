"""`vivavoce dev` around a stack that is only pretended: what it starts, says and ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import pytest

from tests.cli.conftest import Run


class Pretence:
    """Stands for `infra.local.stack` and `simulator`; ends the command by a signal once all is up."""

    def __init__(self, number: signal.Signals) -> None:
        self.steps: list[str] = []
        self.options: dict[str, Any] = {}
        self.failure: OSError | None = None
        self._number = number

    def stack(self, options: dict[str, Any]) -> Any:
        self.options = options
        pretence = self

        class Stack:
            urls = SimpleNamespace(
                page="http://127.0.0.1:1", control="ws://127.0.0.1:2/v1", media="ws://127.0.0.1:3"
            )

            async def __aenter__(self) -> Self:
                if pretence.failure:
                    raise pretence.failure
                pretence.steps.append("stack up")
                asyncio.get_running_loop().call_soon(os.kill, os.getpid(), pretence._number)
                return self

            async def __aexit__(self, *_: object) -> None:
                pretence.steps.append("stack down")

        return Stack()

    @asynccontextmanager
    async def simulate(self) -> AsyncIterator[Any]:
        self.steps.append("simulator up")
        try:
            yield SimpleNamespace(url="http://127.0.0.1:4")
        finally:
            self.steps.append("simulator down")


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def pretence(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pretence:
    pretence = Pretence(request.param)
    stack, simulator = ModuleType("infra.local.stack"), ModuleType("simulator")
    vars(stack).update(LocalStack=pretence.stack, Options=dict)
    vars(simulator).update(serve=pretence.simulate)
    monkeypatch.setitem(sys.modules, "infra.local", ModuleType("infra.local"))
    monkeypatch.setitem(sys.modules, "infra.local.stack", stack)
    monkeypatch.setitem(sys.modules, "simulator", simulator)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    return pretence


def test_it_says_where_everything_is_and_ends_cleanly(
    vivavoce: Callable[..., Run], pretence: Pretence
) -> None:
    run = vivavoce("dev", "--json")
    assert run.code == 0
    assert len(run.out.splitlines()) == 1
    assert json.loads(run.out) == {
        "page": "http://127.0.0.1:1",
        "control": "ws://127.0.0.1:2/v1",
        "media": "ws://127.0.0.1:3",
        "simulator": "http://127.0.0.1:4",
        "pid": os.getpid(),
    }
    assert "vivavoce talk --url http://127.0.0.1:1" in run.err
    assert pretence.steps == ["simulator up", "stack up", "stack down", "simulator down"]
    assert pretence.options == {"gemini_url": "http://127.0.0.1:4", "page_port": 8787}


def test_the_command_to_try_can_be_run_as_it_stands(
    vivavoce: Callable[..., Run], pretence: Pretence, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = tmp_path / "vivavoce"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(command), "dev"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert f"or try    {command} talk --url http://127.0.0.1:1" in vivavoce("dev").err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "or try    vivavoce talk --url http://127.0.0.1:1" in vivavoce("dev").err


def test_quiet_is_quiet(vivavoce: Callable[..., Run], pretence: Pretence) -> None:
    run = vivavoce("dev", "--quiet", "--port", 0)
    assert (run.code, run.out, run.err) == (0, "", "") and pretence.options["page_port"] == 0


def test_with_a_key_there_is_no_simulator(
    vivavoce: Callable[..., Run], pretence: Pretence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "a key")
    run = vivavoce("dev", "--json")
    assert run.json["simulator"] is None and pretence.options["gemini_url"] == ""
    assert "this costs money" in run.err and "a key" not in run.err + run.out


def test_a_taken_port_is_one_line(vivavoce: Callable[..., Run], pretence: Pretence) -> None:
    pretence.failure = OSError(98, "Address already in use")
    run = vivavoce("dev")
    assert run.code == 1 and "cannot start: Address already in use. Is it running already?" in run.complaint
    assert pretence.steps == ["simulator up", "simulator down"]
