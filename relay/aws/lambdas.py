"""The two functions that a relay invokes. A blocking client, run in threads."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from gemini.messages import SILENCE_MS, Credential
from relay.config import RelayConfig

logger = logging.getLogger("relay.aws.lambdas")

THROTTLED = "TooManyRequestsException"
THROTTLED_S = (0.2, 0.4, 0.8, *[2.0] * 16)  #: longest waits between tries, while it is: 17 s in the middle
ANNOUNCEMENTS = 6  #: tries to tell all who wait for this relay that it is ready


class MintRefused(Exception):
    """No credential: `code` is the registry's word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Functions:
    """The two functions a relay may invoke."""

    def __init__(self, client: Any, config: RelayConfig) -> None:
        self._client = client
        self._config = config
        self._threads = ThreadPoolExecutor(config.capacity + 1, "invoke")

    async def mint(
        self, session: str, epoch: int, handle: str | None, refused: Sequence[str] = ()
    ) -> Credential:
        """A single-use credential for one connection to the model. Raises MintRefused."""
        asked: dict[str, Any] = {"session": session, "epoch": epoch, "relay": self._config.relay}
        asked |= {"handle": handle, "refused": list(refused)}
        try:
            answer = await self.invoke(self._config.mint_function, asked)
        except (BotoCoreError, ClientError, ValueError):
            raise MintRefused("mint_failed") from None
        if "token" not in answer:
            raise MintRefused(str(answer.get("error", "mint_failed")))
        silence_ms = int(answer.get("silence_ms") or SILENCE_MS)
        return Credential(
            answer["token"],
            answer["model"],
            answer["expires_at"],
            answer["token_lock"],
            silence_ms,
            is_fallback=bool(answer.get("is_fallback")),
            has_other=bool(answer.get("has_other")),
            greets=bool(answer.get("greets")),
            sensitivity=answer.get("sensitivity"),
            setup_tokens=int(answer.get("setup_tokens") or 0),
            idle_s=answer.get("idle_s"),
            tells_cost=bool(answer.get("tells_cost")),
            url=str(answer.get("url") or ""),
            setup=answer.get("setup"),
        )

    async def announce(self) -> None:
        """Have `ready` sent to all who wait for this relay. Clients that are missed retry on their own."""
        ready = {"relay_ready": self._config.relay}
        for attempt in range(ANNOUNCEMENTS):
            await asyncio.sleep(attempt)
            try:
                answer = await self.invoke(self._config.session_function, ready)
                if answer.get("left") == 0:
                    return
            except (BotoCoreError, ClientError, ValueError) as error:
                logger.warning("waiting clients not told", extra={"error": type(error).__name__})

    async def make_room(self, calls: int) -> int:
        """Places for so many calls on other relays that are ready. What is missing is started."""
        asked = {"relay_leaving": self._config.relay, "calls": calls}
        try:
            return int((await self.invoke(self._config.session_function, asked)).get("room", 0))
        except (BotoCoreError, ClientError, ValueError) as error:
            logger.warning("no room asked for", extra={"error": type(error).__name__})
            return 0

    async def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Again, after THROTTLED_S, while the account runs as many functions as it may.

        A relay that becomes ready asks for all who wait for it at once, and a fresh account may run ten.
        """
        call, loop = partial(self._invoke_blocking, function, event), asyncio.get_running_loop()
        for longest_s in THROTTLED_S:
            try:
                return await loop.run_in_executor(self._threads, call)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != THROTTLED:
                    raise
            await asyncio.sleep(random.uniform(0.0, longest_s))
        return await loop.run_in_executor(self._threads, call)

    def _invoke_blocking(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        answer = self._client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        body = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer or not isinstance(body, dict):
            return {}
        return body
