"""Wakes, at `$connect`, what the call that follows will need. What fails here costs that call time only."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from functions.core.runtime.entry import logger, place_of
from records import warm_ups
from records.table import Table

PATIENCE_S = 1.5  #: that `$connect` waits for its warm-ups to be taken


class WarmUps:
    """Asks functions to wake, at most once in `EVERY_S` for the whole deployment: a flood multiplies nothing.

    `client` is boto3's for Lambda. This container does not even look at the table more often.
    """

    def __init__(self, client: Any, table: Table, functions: Sequence[str]) -> None:
        self.client, self._table, self._functions = client, table, functions
        self._next = 0

    def __call__(self, now: int, meanwhile: Callable[[], None]) -> None:
        """Do `meanwhile`, and beside it the warm-ups, if they are due. Raises what `meanwhile` raises."""
        if not self._functions or now < self._next:
            return meanwhile()
        self._next = now + warm_ups.EVERY_S
        beside = ThreadPoolExecutor(1)
        waking = beside.submit(self._wake, now)
        beside.shutdown(wait=False)  # one that hangs is left to itself
        meanwhile()
        try:
            waking.result(PATIENCE_S)
        except Exception as error:
            logger.warning("not warmed up", extra=place_of(error))
        return None

    def _wake(self, now: int) -> None:
        if not warm_ups.claim(self._table, now):
            return
        event = json.dumps({"warm_up": now}).encode()
        for function in self._functions:
            self.client.invoke(FunctionName=function, InvocationType="Event", Payload=event)
        logger.info("warmed up")
