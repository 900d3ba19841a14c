"""Every way to say something, to every kind of model in its own dialect, by `vivavoce talk` as one types it.

`make dialects` runs them: four local stacks, and minutes of talk in real time.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import simulator
from gemini.profiles import MODELS
from infra.local.stack import LocalStack
from infra.local.stack import Options as StackOptions
from tests.witness import CANARY, WITNESS

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.dialects, pytest.mark.timeout(180)]

LAVISH = {"SessionsPerUser": "20", "StartsPerMinute": "100", "MinutesPerDay": "10000"}
#: one pixel
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WAYS: dict[str, tuple[str, ...]] = {
    "an open microphone": (),
    "push-to-talk": ("--end-by", "release"),
    "a microphone muted right after the words": ("--end-by", "mute"),
    "marked turns": ("--end-by", "mark"),
    "typed text, three times": ("--text", "Good day.", "--text", "And then?", "--text", "Thank you."),
    "a tool": ("--tool", 'clock={"time": "ten past nine"}', "--text", "call clock {}"),
    "an image": ("--image", "IMAGE", "--text", "What do you see?"),
    "speech, then text": ("--wav", "SPEECH", "--text", "And in one word?"),
}
USERS = ThreadPoolExecutor(len(WAYS))  #: the loop's own threads are the stack's, and fewer
SPEECH = Path(simulator.__file__).parent / "samples" / "interruption.wav"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=MODELS)
async def page(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of a stack that talks to one model."""
    key = f"{CANARY}-gemini-key"
    WITNESS.keeps(key, "the model's key")
    async with simulator.serve() as model:
        options = StackOptions(
            gemini_url=model.url,
            gemini_key=key,
            parameters={"GeminiModel": request.param, **LAVISH},
        )
        async with LocalStack(options) as stack:
            yield stack.urls.page
        WITNESS.logs(line.text for line in stack.logs.lines)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "dot.png"
    path.write_bytes(base64.b64decode(PNG))
    return path


async def talk(page: str, *arguments: str) -> dict[str, Any]:
    """What `vivavoce talk --json` says of one conversation."""
    command = (sys.executable, "-m", "cli.main", "talk", "--url", page, "--json", *arguments)
    run = partial(subprocess.run, command, capture_output=True, text=True, check=False)
    ran = await asyncio.get_running_loop().run_in_executor(USERS, run)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)  # type: ignore[no-any-return]


async def test_whatever_is_said_is_answered_in_whatever_way(page: str, image: Path) -> None:
    """All at once: most of each is listening."""
    stand_in = {"IMAGE": str(image), "SPEECH": str(SPEECH)}
    async with asyncio.TaskGroup() as tasks:
        talks = {
            way: tasks.create_task(talk(page, *(stand_in.get(each, each) for each in arguments)), name=way)
            for way, arguments in WAYS.items()
        }
    for way, done in talks.items():
        told = done.result()
        said = WAYS[way].count("--text") + ("--text" not in WAYS[way] or "--wav" in WAYS[way])
        assert told["turns"] >= said and told["audio_ms"] > 0, (way, told)
        assert told["events"].get("error", 0) == 0, (way, told)
    assert any("ten past nine" in text for text in talks["a tool"].result()["transcripts"]["agent"])
