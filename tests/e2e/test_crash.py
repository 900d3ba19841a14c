"""A relay that crashes as it starts: nothing hangs at "starting", and the terminal says why."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

import simulator
from cli.stack.terminal import shown
from infra.local.stack import LocalStack, Options
from tests.witness import WITNESS
from vivavoce import Conversation, VoiceError


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
    assert reply["message"].endswith(": it ended with exit status 1.")
    (line,) = [line for line in told if "the relay stopped by itself" in line]
    assert "(exit status 1): ImportError: planted. Mend that and call again" in line
    assert any(line.startswith("sweep  ERROR  relay stopped without leaving") for line in told)


@pytest.mark.timeout(180)
async def test_a_caller_of_relays_that_cannot_start_is_told_at_the_second_one_and_starts_no_third() -> None:
    """Whatever the client does by itself: it tried for two and a half minutes, and started nineteen tasks."""
    async with simulator.serve() as model:
        options = Options(gemini_url=model.url, relay_environment={"DRAIN_SECONDS": "bad"})
        async with LocalStack(options) as stack:
            with pytest.raises(VoiceError) as refused:
                async with Conversation(stack.urls.control, stack.user().token(), agent="assistant"):
                    pass
            assert len(stack.tasks.all) == 2
    assert (refused.value.code, refused.value.retryable) == ("relay_failed", False)
    assert "it ended with exit status 2" in str(refused.value)
