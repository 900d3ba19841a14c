"""`vivavoce doctor` as an operator types it, against the whole local stack: a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import simulator
from cli.doctor.steps import STEPS
from infra.local.endpoint import Endpoint, listen, url_of
from infra.local.stack import LocalStack, Options
from tests import dialect
from tests.e2e.conftest import GEMINI_KEY, System, obedient
from tests.witness import WITNESS

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(150)]


async def doctor(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "doctor", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **(environment or {})},
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    WITNESS.logs([*out.decode().splitlines(), *err.decode().splitlines()])
    return process.returncode, out.decode(), err.decode()


STACKS = """
<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
  <DescribeStacksResult><Stacks><member>
    <StackName>viva</StackName><StackStatus>CREATE_COMPLETE</StackStatus>
    <CreationTime>2026-01-01T00:00:00Z</CreationTime><Outputs>{outputs}</Outputs>
  </member></Stacks></DescribeStacksResult>
</DescribeStacksResponse>"""
OUTPUT = "<member><OutputKey>{}</OutputKey><OutputValue>{}</OutputValue></member>"


def described(stack: LocalStack) -> str:
    """This stack as CloudFormation describes a deployed one."""
    connect = stack.template.functions["vivavoce-local-session"].environment
    outputs = {
        "ControlUrl": stack.urls.control,
        "TableName": stack.table,
        "JwtSecretParameterName": connect["JWT_SECRET_PARAMETER"],
    }
    return STACKS.format(outputs="".join(OUTPUT.format(*output) for output in outputs.items()))


@contextlib.asynccontextmanager
async def deployed(stack: LocalStack) -> AsyncIterator[dict[str, str]]:
    """The environment of an operator whose CloudFormation knows of this stack.

    Not moto's: it imports half of moto, five seconds of work, to say the same.
    """

    async def describe(request: web.Request) -> web.Response:
        asked = await request.post()
        assert (asked["Action"], asked["StackName"]) == ("DescribeStacks", "viva")
        return web.Response(text=described(stack), content_type="text/xml")

    app = web.Application()
    app.router.add_post("/", describe)
    place = listen()
    async with Endpoint(app, place):
        yield stack.region.environment() | {"AWS_ENDPOINT_URL_CLOUDFORMATION": url_of(place)}


def failed(out: str) -> tuple[str, str, str]:
    report: dict[str, Any] = json.loads(out)
    (step,) = [step for step in report["steps"] if step["state"] == "failed"]
    return step["name"], step["code"], step["advice"]


async def test_all_is_well_and_every_step_is_told_in_80_columns(system: System) -> None:
    code, out, err = await doctor("--url", system.stack.urls.page)
    assert (code, err) == (0, ""), out
    lines = out.splitlines()
    assert [line[:10].strip() for line in lines if line[11:15] == "ok  "] == list(STEPS)
    assert lines[-1] == "all is well" and max(map(len, lines)) <= 80


async def test_by_the_stacks_name_alone_the_rotation_is_ordered_in_the_table(system: System) -> None:
    opened = len(system.simulator.ledger.where("session.opened", resumed=True))
    async with deployed(system.stack) as environment:
        code, out, err = await doctor("--stack", "viva", "--json", environment=environment)
    assert (code, err) == (0, ""), out
    steps = {step["name"]: step for step in json.loads(out)["steps"]}
    assert {step["state"] for step in steps.values()} == {"ok"}
    assert steps["turn"]["ms"] > 0 and steps["rotation"]["ms"] >= 0
    assert len(system.simulator.ledger.where("session.opened", resumed=True)) == opened + 1


async def test_relays_in_microvms_are_reached_and_checked_at_their_own_addresses() -> None:
    """Where there is nothing else, so that each step must do without a task, its edge and its network."""
    alone = dialect.parameters(RelayHomes="microvm", MicrovmCode="s3://bucket/relay.zip")
    async with simulator.serve(obedient()) as model:
        options = Options(gemini_url=model.url, gemini_key=GEMINI_KEY, parameters=alone)
        async with LocalStack(options) as stack:
            code, out, err = await doctor("--url", stack.urls.page, "--json")
        WITNESS.logs(line.text for line in stack.logs.lines)
    assert (code, err) == (0, ""), out
    steps = {step["name"]: step for step in json.loads(out)["steps"]}
    assert {step["state"] for step in steps.values()} == {"ok"}
    assert "MicroVM" in steps["ticket"]["detail"]


async def test_a_forged_token_ends_at_the_door(system: System) -> None:
    token = system.stack.user().token()
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    code, out, _ = await doctor("--url", system.stack.urls.control, "--token", forged, "--json")
    assert code == 1 and failed(out)[:2] == ("auth", "http_401")


async def test_an_agent_that_is_not_there_and_no_session_is_left(system: System) -> None:
    code, out, _ = await doctor("--url", system.stack.urls.page, "--agent", "nobody", "--json")
    assert code == 1 and failed(out)[:2] == ("start", "agent_unknown")


async def test_a_model_that_ignores_the_handle_in_a_locked_token_is_found_out() -> None:
    WITNESS.keeps(GEMINI_KEY, "the model's key")
    async with simulator.serve(obedient("settings: {locked_handle: ignore}")) as model:
        options = Options(gemini_url=model.url, gemini_key=GEMINI_KEY, parameters=dialect.parameters())
        async with LocalStack(options) as stack:
            code, out, _ = await doctor("--url", stack.urls.page, "--json")
        WITNESS.logs(line.text for line in stack.logs.lines)
    step, reason, told = failed(out)
    assert (code, step, reason) == (1, "rotation", "forgotten") and "TokenLock: masked" in told


async def test_a_key_that_is_not_googles_fails_at_the_mint() -> None:
    async with LocalStack(Options(gemini_url="http://127.0.0.1:1", gemini_key=GEMINI_KEY)) as stack:
        code, out, _ = await doctor("--url", stack.urls.page, "--json")
    WITNESS.logs(line.text for line in stack.logs.lines)
    assert (code, *failed(out)[:2]) == (1, "mint", "mint_failed")
