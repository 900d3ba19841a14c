"""Firefox by WebDriver BiDi, as far as a call needs it: open a page, run a script in it, press a button."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

ANSWERS_S = 10.0  #: a page that does not run a line for so long stands still
_STARTS_S = 60.0
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

Answer = dict[str, Any]


class Frozen(AssertionError):
    """The page does not run scripts any more."""


class Page:
    """One tab."""

    def __init__(self, wire: ClientConnection) -> None:
        self._wire = wire
        self._ids = count(1)
        self._context = ""

    async def open(self, url: str) -> None:
        """Load `url` in the first tab of a new session."""
        await self._ask("session.new", capabilities={})
        tree = await self._ask("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]
        await self._ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def run(self, script: str, *, is_gesture: bool = False) -> Any:
        """The value of an expression, awaited; `is_gesture`: as if a person had clicked. Raises Frozen."""
        answer = await self._ask(
            "script.evaluate",
            expression=f"Promise.resolve({script}).then((value) => JSON.stringify(value ?? null))",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=is_gesture,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    async def press(self, name: str) -> None:
        """Press the button with this text."""
        button = (
            f"[...document.querySelectorAll('button')].find((each) => each.textContent.includes({name!r}))"
        )
        await self.run(f"{button}.click()", is_gesture=True)

    async def becomes(self, word: str, within_s: float = 30.0) -> None:
        """Wait until the page names this state of the call."""
        shown = ""
        try:
            async with asyncio.timeout(within_s):
                while shown != word:
                    shown = await self.run("document.querySelector('.words-state')?.innerText")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"the page says {shown!r}, not {word!r}") from None

    async def _ask(self, method: str, **params: object) -> Answer:
        number = next(self._ids)
        await self._wire.send(json.dumps({"id": number, "method": method, "params": params}))
        try:
            async with asyncio.timeout(ANSWERS_S):
                while True:
                    answer: Answer = json.loads(await self._wire.recv())
                    if answer.get("id") == number:
                        assert answer["type"] == "success", answer
                        return dict(answer["result"])
        except TimeoutError:
            raise Frozen(f"no answer to {method} in {ANSWERS_S:.0f} s: the page stands still") from None


@asynccontextmanager
async def firefox(program: str, environment: dict[str, str]) -> AsyncIterator[Page]:
    """A fresh browser. It is killed at the end: one that stands still would not close."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()
        ]
        (Path(profile) / "user.js").write_text("\n".join(lines))
        process = await asyncio.create_subprocess_exec(
            program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0",
            env=environment | {"MOZ_CRASHREPORTER_DISABLE": "1"},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        assert process.stderr
        try:
            url = await _address(process.stderr)
            drained = asyncio.ensure_future(process.stderr.read())
            async with connect(f"{url}/session", max_size=None, ping_interval=None, proxy=None) as wire:
                yield Page(wire)
        finally:
            await _end(process)
        await drained


async def _address(stderr: asyncio.StreamReader) -> str:
    async with asyncio.timeout(_STARTS_S):
        async for line in stderr:
            if found := _LISTENS.search(line):
                return found[1].decode()
    raise AssertionError("Firefox ended before it listened")


async def _end(process: asyncio.subprocess.Process) -> None:
    """With the processes of its pages, which are its group."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
