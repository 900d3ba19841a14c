"""Lifecycle hooks of a MicroVM: the platform tells the program, by HTTP, what becomes of its machine.

    build:  /ready ──▶ snapshot of the running program
    launch: /run, with who it is ──▶ serves ──▶ /suspend … /resume ──▶ /terminate

A program in a snapshot has no identity, and no connection that it had before works after /run and /resume.
Source: docs/sources.md#microvms.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

logger = logging.getLogger("relay.task.hooks")

PREFIX = "/aws/lambda-microvms/runtime/v1/"
HEAD_BYTES = 16_384
BODY_BYTES = 65_536  #: /run has 16 KB of payload at most
REQUEST_S = 5.0  #: for a request to arrive

#: takes the body; True answers 200, False 503
Hook = Callable[[Mapping[str, Any]], Awaitable[bool]]


@contextlib.asynccontextmanager
async def hooks_served(host: str, port: int, hooks: Mapping[str, Hook]) -> AsyncIterator[None]:
    """Answers `POST …/NAME` by the hook of that name, 404 for others."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                name, body = await _request(reader)
            status = await _answer(hooks, name, body)
        except (TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            status = 400
        with contextlib.suppress(ConnectionError):
            writer.write(f"HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, host, port, limit=HEAD_BYTES):
        yield


async def _request(reader: asyncio.StreamReader) -> tuple[str, Mapping[str, Any]]:
    """Name of the hook, and the body; no name for another path. Raises ValueError."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
    }
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= BODY_BYTES:
        raise ValueError("length")
    raw = await reader.readexactly(length)
    body = json.loads(raw) if raw else {}
    if not isinstance(body, dict):
        raise ValueError("body")
    is_hook = method == "POST" and target.startswith(PREFIX)
    return target.removeprefix(PREFIX) if is_hook else "", body


async def _answer(hooks: Mapping[str, Hook], name: str, body: Mapping[str, Any]) -> int:
    hook = hooks.get(name)
    if hook is None:
        return 404
    try:
        passed = await hook(body)
    except Exception as error:  # the platform would end the machine for a connection that breaks, too
        logger.error("hook failed", extra={"hook": name, "error_type": type(error).__name__})
        return 500
    logger.info("hook", extra={"hook": name, "passed": passed})
    return 200 if passed else 503
