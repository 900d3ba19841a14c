"""Chromium by its own protocol, with the machine's sound in place of its fake devices."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.browser.rig.page import Page
from tests.browser.rig.process import first_match, running
from tests.browser.rig.wire import Wire, wired

_LISTENS = re.compile(rb"DevTools listening on (ws://\S+)")
_FLAGS = (
    "--headless",
    "--remote-debugging-port=0",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",  # nobody is there to press "Allow"
    "--disable-features=AudioServiceSandbox",  # it would keep the sound server's socket out
)


class ChromiumPage(Page):
    """A tab of its own."""

    engine = "Chromium"

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._session = ""

    async def open(self, url: str) -> None:
        if not self._session:
            made = await self._ask("Target.createTarget", url="about:blank")
            joined = await self._ask("Target.attachToTarget", targetId=made["targetId"], flatten=True)
            self._session = joined["sessionId"]
        await self._ask("Page.navigate", url=url)
        await self.comes("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def run(self, script: str, *, is_gesture: bool = False) -> Any:
        answer = await self._ask(
            "Runtime.evaluate",
            expression=f"Promise.resolve({script}).then((value) => value ?? null)",
            awaitPromise=True,
            returnByValue=True,
            userGesture=is_gesture,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"]["value"]

    async def _ask(self, method: str, **params: object) -> dict[str, Any]:
        where = {"sessionId": self._session} if self._session else {}
        answer = await self._wire.ask(method, params, **where)
        assert "error" not in answer, answer["error"]
        return dict(answer["result"])


@asynccontextmanager
async def chromium(program: str, environment: dict[str, str]) -> AsyncIterator[Page]:
    """A fresh browser, killed at the end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = (*_FLAGS, f"--user-data-dir={profile}")
        async with (
            running(program, *flags, environment=environment, stderr=asyncio.subprocess.PIPE) as process,
            wired(await first_match(_LISTENS, process.stderr)) as wire,
        ):
            yield ChromiumPage(wire)
