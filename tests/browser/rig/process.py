"""The programs that the rig starts: each with its group, and gone with it at the end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.browser.rig.page import STARTS_S

_QUIET = asyncio.subprocess.DEVNULL


@asynccontextmanager
async def running(
    *command: str, environment: Mapping[str, str], stdout: int = _QUIET, stderr: int = _QUIET
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program, killed with its children when the block ends."""
    process = await asyncio.create_subprocess_exec(
        *command, env=dict(environment), stdout=stdout, stderr=stderr, start_new_session=True
    )
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        await process.communicate()  # what it said last, and its end


async def first_match(pattern: re.Pattern[bytes], stream: asyncio.StreamReader | None) -> str:
    """The first group of the first line that matches. Raises AssertionError when the stream ends without."""
    assert stream
    async with asyncio.timeout(STARTS_S):
        async for line in stream:
            if found := pattern.search(line):
                return found[1].decode()
    raise AssertionError(f"the program ended before it said {pattern.pattern.decode()}")
