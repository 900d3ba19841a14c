"""What Google refuses, as an operator sees it: by `talk`, by `doctor`, and in the log, each with its code."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import simulator
from infra.local.stack import LocalStack, Options
from protocol.errors import REGISTRY
from simulator.failures.catalogue import load
from tests import dialect
from tests.e2e.conftest import GEMINI_KEY, System
from tests.witness import WITNESS

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(150)]

FAILURES = load()
REFUSALS = {
    "wrong_key": ("key_refused", "GEMINI_API_KEY"),
    "no_credits": ("upstream_credits", "billing"),
    "no_credits_at_the_setup": ("upstream_credits", "billing"),
    "unknown_model": ("upstream_model", "agents/assistant.yaml"),
    "full_quota": ("upstream_quota", "quota"),
    "closed_region": ("upstream_region", "region"),
}
LOGGED = ("token not made", "model closed the connection")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing() -> AsyncIterator[System]:
    async with simulator.serve() as model:
        options = Options(gemini_url=model.url, gemini_key=GEMINI_KEY, parameters=dialect.parameters())
        async with LocalStack(options) as stack:
            yield System(stack, model)
        WITNESS.logs(line.text for line in stack.logs.lines)


async def vivavoce(command: str, system: System, *arguments: str) -> tuple[int | None, str, str]:
    """Exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", command, "--url", system.stack.urls.page, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(("name", "code", "advice"), [(name, *told) for name, told in REFUSALS.items()])
async def test_each_refusal_has_its_code_its_sentence_and_its_log_line(
    refusing: System, name: str, code: str, advice: str
) -> None:
    refusing.simulator.cases.play(FAILURES[name].scenario)
    logged = len(refusing.stack.logs.lines)
    exit_code, _, err = await vivavoce("talk", refusing, "--text", "hello")
    assert exit_code == 1
    assert f"{code}: {REGISTRY[code].message}" in err
    exit_code, out, _ = await vivavoce("doctor", refusing, "--json")
    [failed] = [step for step in json.loads(out)["steps"] if step["state"] == "failed"]
    assert (exit_code, failed["code"]) == (1, code)
    assert advice in failed["advice"]
    lines = [line.text for line in list(refusing.stack.logs.lines)[logged:]]
    assert [line for line in lines if any(fact in line for fact in LOGGED) and code in line]
