"""A token bucket on loop time: what API Gateway throttles with, and what holds floods off."""

import asyncio


class Throttle:
    """Grants `rate_per_s` takes a second on average, and up to `burst` at once."""

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._left = burst
        self._seen_at = asyncio.get_running_loop().time()

    def take(self) -> bool:
        """Takes one token. False: there was none, and nothing was taken."""
        now = asyncio.get_running_loop().time()
        self._left = min(self.burst, self._left + (now - self._seen_at) * self.rate_per_s)
        self._seen_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
