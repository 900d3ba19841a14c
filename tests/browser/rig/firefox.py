"""Firefox by WebDriver BiDi."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.browser.rig.page import STARTS_S, Page
from tests.browser.rig.process import first_match, running
from tests.browser.rig.wire import Wire, wired

_LISTENS = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")
_PREFERENCES = {
    "media.navigator.permission.disabled": True,  # nobody is there to press "Allow"
    "media.autoplay.default": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.auto": False,
}


class FirefoxPage(Page):
    """The first tab of a new session."""

    engine = "Firefox"

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._context = ""

    async def open(self, url: str) -> None:
        if not self._context:
            await self._wire.ask("session.new", {"capabilities": {}}, within_s=STARTS_S)
            tree = await self._ask("browsingContext.getTree")
            self._context = tree["contexts"][0]["context"]
        await self._ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def run(self, script: str, *, is_gesture: bool = False) -> Any:
        answer = await self._ask(
            "script.evaluate",
            expression=f"Promise.resolve({script}).then((value) => JSON.stringify(value ?? null))",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=is_gesture,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    async def _ask(self, method: str, **params: object) -> dict[str, Any]:
        answer = await self._wire.ask(method, params)
        assert answer["type"] == "success", answer
        return dict(answer["result"])


@asynccontextmanager
async def firefox(program: str, environment: dict[str, str]) -> AsyncIterator[Page]:
    """A fresh browser. It is killed at the end: one that stands still would not close."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()
        ]
        (Path(profile) / "user.js").write_text("\n".join(lines))
        flags = ("--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0")
        quiet = environment | {"MOZ_CRASHREPORTER_DISABLE": "1"}
        async with running(program, *flags, environment=quiet, stderr=asyncio.subprocess.PIPE) as process:
            url = await first_match(_LISTENS, process.stderr)
            async with wired(f"{url}/session") as wire:
                yield FirefoxPage(wire)
