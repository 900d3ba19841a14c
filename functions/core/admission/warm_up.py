"""Wakes, at `$connect`, what the call that follows will need. What fails here costs that call time only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from functions.core.runtime.entry import logger, place_of
from records import warm_ups
from records.table import Table

PATIENCE_S = 1.5  #: that `$connect` waits for its warm-ups to be taken

Waker = Callable[[], object]


def invocation(client: Any, function: str) -> Waker:
    """Wakes a function, and does not wait for it. `client` is boto3's for Lambda."""

    def invoke() -> None:
        client.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"warm_up": true}')

    return invoke


class WarmUps:
    """Has `wakers` called, at most once in `EVERY_S` for the whole deployment: a flood multiplies nothing.

    This container does not even look at the table more often.
    """

    def __init__(self, table: Table, wakers: Sequence[Waker]) -> None:
        self._table, self._wakers = table, wakers
        self._next = 0

    def __call__(self, now: int, meanwhile: Callable[[], None]) -> None:
        """Do `meanwhile`, and beside it the warm-ups, if they are due. Raises what `meanwhile` raises."""
        if now < self._next:
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
        """All side by side. Raises the first failure, after the last has ended."""
        if not warm_ups.claim(self._table, now):
            return
        with ThreadPoolExecutor(len(self._wakers)) as beside:
            waking = [beside.submit(waker) for waker in self._wakers]
            wait(waking)
        for each in waking:
            each.result()
        logger.info("warmed up")
