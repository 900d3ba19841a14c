"""How long to wait before the next attempt, and when to give up."""

from __future__ import annotations

import asyncio
import random

from ._protocol.limits import STEADY_S
from .errors import VoiceError

BASE_S = 0.25
LONGEST_S = 8.0


class Backoff:
    """Full jitter: between 0 and a limit that doubles. Spreads the clients of a relay that died."""

    def __init__(self, patience_s: float) -> None:
        self._attempt = 0
        self._ends_at = asyncio.get_running_loop().time() + patience_s

    def broke(self, live_s: float, patience_s: float) -> None:
        """A connection broke that had been live for so long: the server waits for us anew.

        Only one that held ends the backoff: what breaks it soon would break the next one as soon.
        """
        self._ends_at = asyncio.get_running_loop().time() + patience_s
        if live_s >= STEADY_S:
            self._attempt = 0

    def next_limit_s(self) -> float:
        """Longest wait before the next attempt, which is counted."""
        limit_s = min(LONGEST_S, BASE_S * 2.0**self._attempt)
        self._attempt += 1
        return limit_s

    async def wait(self, last: VoiceError) -> None:
        """Sleep before the next attempt, as long as the server asked. Raises `last` when time is up."""
        delay_s = max(random.uniform(0, self.next_limit_s()), last.retry_after_ms / 1000)
        if asyncio.get_running_loop().time() + delay_s >= self._ends_at:
            raise last
        await asyncio.sleep(delay_s)
