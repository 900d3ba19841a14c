"""React Native's sockets against the whole system: its own Origin on both roads, no secret in a protocol."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import System

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

SDK = Path(__file__).resolve().parents[2] / "client" / "sdk"


async def test_the_transport_for_react_native_holds_a_conversation(system: System) -> None:
    npx = shutil.which("npx")
    assert npx, "Node is needed, as for the client itself"
    environment = os.environ | {"VIVAVOCE_PAGE": system.stack.urls.page}
    run = await asyncio.create_subprocess_exec(
        npx, "vitest", "run", "test/react-native/transport.test.ts",
        cwd=SDK, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await run.communicate()
    assert run.returncode == 0 and b"skipped" not in told, told.decode()
