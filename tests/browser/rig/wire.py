"""Numbered questions and answers over a WebSocket, as BiDi and Chromium's protocol have them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.browser.rig.page import ANSWERS_S, Frozen


class Wire:
    """One question at a time. What the browser says unasked is passed over."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = count(1)

    async def ask(
        self, method: str, params: Mapping[str, object], *, within_s: float = ANSWERS_S, **more: object
    ) -> dict[str, Any]:
        """The whole answer. Raises Frozen when there is none in time."""
        number = next(self._ids)
        question = {"id": number, "method": method, "params": params, **more}
        await self._connection.send(json.dumps(question))
        try:
            async with asyncio.timeout(within_s):
                while True:
                    answer: dict[str, Any] = json.loads(await self._connection.recv())
                    if answer.get("id") == number:
                        return answer
        except TimeoutError:
            raise Frozen(f"no answer to {method} in {within_s:.0f} s: the page stands still") from None


@asynccontextmanager
async def wired(url: str) -> AsyncIterator[Wire]:
    async with connect(url, max_size=None, ping_interval=None, proxy=None) as connection:
        yield Wire(connection)
