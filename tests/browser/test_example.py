"""The React example as its README has it: a page of its own, on a port of its own, against `make run`."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from simulator.audio import tones
from tests.browser.conftest import ROOT, System, alone
from tests.browser.drive import OVER, WORDS, Sound, drive
from tests.browser.vite import served

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

EXAMPLE = ROOT / "client" / "examples" / "react"

Script = Literal["dev", "build"]


@pytest.fixture(scope="module")
def example(chromium: str) -> Path:
    """The example with what it needs, once the client is built. Its types are checked by its own build."""
    installed, wanted = EXAMPLE / "node_modules" / ".package-lock.json", EXAMPLE / "package-lock.json"
    with alone(EXAMPLE):
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            done = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stdout + done.stderr
    return EXAMPLE


@asynccontextmanager
async def serving(example: Path, script: Script, page: str) -> AsyncIterator[str]:
    """The address of the example's own page, by `npm run dev`, or built and served as files."""
    environment = {"VIVAVOCE_PAGE": page}
    command = ["npm", "run", "dev", "--", "--port", "0"]
    if script == "build":
        built = ["npm", "run", "build"]
        done = await asyncio.to_thread(
            subprocess.run, built, cwd=example, env=os.environ | environment, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        command = ["npx", "vite", "preview", "--port", "0"]
    async with served(*command, folder=example, environment=environment) as url:
        yield url


@pytest.mark.parametrize("script", ["dev", "build"])
async def test_the_react_example_holds_a_spoken_conversation_and_may_be_talked_over(
    system: System, example: Path, script: Script, talked_over: str
) -> None:
    async with serving(example, script, system.page) as url:
        seen = await drive("example", url=url, isTalkedOver=True, launch={"wav": talked_over})
    question, cut, over, answer = seen["lines"]
    assert question == WORDS
    assert cut and WORDS.startswith(cut) and cut != WORDS, "the part of the answer that was heard"
    assert (over, answer) == (OVER, OVER)
    first, second = (each["code"] for each in system.simulator.ledger.where("answer.begun")[-2:])
    sound = Sound.of(seen["sound"])
    assert [code for code, _ in tones.find(sound.pcm, sound.rate)] == [first, second]
    assert seen["rules"]["checked"] > 100
    assert seen["rules"]["found"] == []
    assert seen["errors"] == []
