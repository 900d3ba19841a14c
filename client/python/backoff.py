"""How long to wait before the next attempt, and when to give up."""

from __future__ import annotations

import asyncio
import random

from client.python.errors import VoiceError

BASE_S = 0.25
LONGEST_S = 8.0


class Backoff:
    """Full jitter: between 0 and a limit that doubles. Spreads the clients of a relay that died."""

    def __init__(self, patience_s: float) -> None:
        self._attempt = 0
        self._ends_at = asyncio.get_running_loop().time() + patience_s

    async def wait(self, last: VoiceError) -> None:
        """Sleep before the next attempt, as long as the server asked. Raises `last` when time is up."""
        now = asyncio.get_running_loop().time()
        limit_s = min(LONGEST_S, BASE_S * 2**self._attempt)
        delay_s = max(random.uniform(0, limit_s), last.retry_after_ms / 1000)
        if now + delay_s >= self._ends_at:
            raise last
        self._attempt += 1
        await asyncio.sleep(delay_s)
