"""A relay that crashes as it starts: nothing hangs at "starting", and the terminal says why."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

import simulator
from cli.stack.terminal import shown
from infra.local.stack import LocalStack, Options
from tests.witness import WITNESS


@pytest.mark.timeout(180)
async def test_a_relay_that_crashes_at_import_is_told_to_who_waits_and_to_the_terminal(
    tmp_path: Path,
) -> None:
    (tmp_path / "msgspec.py").write_text("raise ImportError('planted')\n")
    told: list[str] = []
    async with simulator.serve() as model:
        stack = LocalStack(Options(gemini_url=model.url, relay_environment={"PYTHONPATH": str(tmp_path)}))
        stack.logs.watchers.append(lambda line: told.append(shown(line) or ""))
        async with stack, aiohttp.ClientSession() as http:
            token = stack.user().token()
            WITNESS.keeps(token, "a JWT")
            offered = ["vivavoce", f"vivavoce.jwt.{token}"]
            async with http.ws_connect(stack.urls.control, protocols=offered) as control:
                await control.send_json({"type": "start", "request": "r1", "versions": [1]})
                while (reply := await control.receive_json())["type"] == "starting":
                    pass
            (task,) = stack.tasks.all
    assert (reply["code"], reply["fatal"], reply["ref"], task.exit_status) == ("capacity", True, "r1", 1)
    (line,) = [line for line in told if "the relay stopped by itself" in line]
    assert "(exit status 1): ImportError: planted. Mend that and call again" in line
    assert any(line.startswith("sweep  ERROR  relay stopped without leaving") for line in told)
