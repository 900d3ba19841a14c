"""Serves an app by Vite or Next.js, as its developer does."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def served(*command: str, folder: Path, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """The address that the command prints, until the block ends. `environment` comes on top of ours."""
    server = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | environment | {"NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield await _address(server)
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # npm's children as well
        await server.communicate()


async def _address(server: asyncio.subprocess.Process) -> str:
    assert server.stdout
    said = b""
    async with asyncio.timeout(60):
        while line := await server.stdout.readline():
            said += line
            if found := re.search(rb"Local:\s+(http://localhost:\d+)", line):
                return found[1].decode()
    raise AssertionError(f"it serves nothing: {said.decode()}")
