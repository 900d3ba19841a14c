"""WebKitGTK by WebDriver: its MiniBrowser on a screen that nobody sees."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.browser.programs import mini_browser
from tests.browser.rig.page import ANSWERS_S, LOOKS_S, STARTS_S, Frozen, Page
from tests.browser.rig.process import first_match, running

_SCREEN = ("Xvfb", "-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp")
_DISPLAY = re.compile(rb"^(\d+)$")
_SURROUNDINGS = {
    "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",  # as for the others: the page is ours
    "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
    "LIBGL_ALWAYS_SOFTWARE": "1",
    "NO_AT_BRIDGE": "1",
}


class WebKitPage(Page):
    """The window of a session. It lets a page sound without a click, so there is no need for one."""

    engine = "WebKitGTK"
    cancels_echo = False  # in a room the agent interrupts itself, whatever is asked of getUserMedia

    def __init__(self, http: aiohttp.ClientSession, session: str) -> None:
        self._http = http
        self._session = session

    async def open(self, url: str) -> None:
        await _ask(self._http, "POST", f"{self._session}/url", url=url)

    async def run(self, script: str, *, is_gesture: bool = False) -> Any:
        body = f"""
            const done = arguments[0];
            const settle = async () => JSON.stringify({{ value: (await ({script})) ?? null }});
            settle().catch((error) => JSON.stringify({{ error: String(error) }})).then(done);
        """
        try:
            told = await _ask(self._http, "POST", f"{self._session}/execute/async", script=body, args=[])
        except TimeoutError:
            raise Frozen(f"no answer in {ANSWERS_S:.0f} s: the page stands still") from None
        answer = json.loads(told)
        assert "error" not in answer, answer["error"]
        return answer["value"]


@asynccontextmanager
async def webkit(program: str, environment: dict[str, str]) -> AsyncIterator[Page]:
    """A fresh browser. `program` is the driver; all it has started is killed at the end."""
    async with running(*_SCREEN, environment=environment, stdout=asyncio.subprocess.PIPE) as screen:
        display = await first_match(_DISPLAY, screen.stdout)
        surroundings = environment | _SURROUNDINGS | {"DISPLAY": f":{display}"}
        port = _free_port()
        async with (
            running(program, f"--port={port}", environment=surroundings),
            aiohttp.ClientSession(f"http://127.0.0.1:{port}", trust_env=False) as http,
        ):
            yield WebKitPage(http, await _new_session(http))


async def _new_session(http: aiohttp.ClientSession) -> str:
    """The path of a new session, once the driver listens."""
    options = {"binary": mini_browser(), "args": ["--automation"]}
    wanted = {"alwaysMatch": {"browserName": "MiniBrowser", "webkitgtk:browserOptions": options}}
    async with asyncio.timeout(STARTS_S):
        while True:
            try:
                made = await _ask(http, "POST", "/session", within_s=STARTS_S, capabilities=wanted)
            except aiohttp.ClientConnectorError:  # it has no other way to say that it is not up yet
                await asyncio.sleep(LOOKS_S)
            else:
                return f"/session/{made['sessionId']}"


async def _ask(
    http: aiohttp.ClientSession, method: str, path: str, *, within_s: float = ANSWERS_S, **body: object
) -> Any:
    """Raises TimeoutError, and AssertionError with the driver's words when it refuses."""
    async with asyncio.timeout(within_s), http.request(method, path, json=body) as response:
        told = await response.json(content_type=None)
    assert response.ok, told["value"]
    return told["value"]


def _free_port() -> int:
    """The driver takes a number, and does not say which one it would have taken."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
