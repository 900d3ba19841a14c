"""Tells that a media connection is lost which does not say so: phones and proxies often do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from ._protocol.limits import PING_AFTER_S, SILENCE_S

TICK_S = 1.0
FROZEN_S = 3.0  #: a tick that comes so late was frozen with its program: what came meanwhile is not read yet


class SilenceWatch:
    """Of one connection. Times are loop time in seconds."""

    def __init__(self, ping: Callable[[], None]) -> None:
        """`ping` asks the other end for a sign of life."""
        self._ping = ping
        self._heard_at = _now()

    def heard(self) -> None:
        """Something came, and has been taken."""
        self._heard_at = _now()

    def hold(self) -> None:
        """What came has not been taken: that is no silence, however long it lasts."""
        self._heard_at = inf

    async def run(self) -> None:
        """Ping while it is quiet. Returns when nothing has come for SILENCE_S."""
        ticked_at = _now()
        while (left_s := self._heard_at + SILENCE_S - _now()) > 0:
            await asyncio.sleep(min(TICK_S, left_s))
            now = _now()
            if now - ticked_at > FROZEN_S:
                self._heard_at = max(self._heard_at, now - PING_AFTER_S)
            ticked_at = now
            if now - self._heard_at >= PING_AFTER_S:
                self._ping()


def _now() -> float:
    return asyncio.get_running_loop().time()
