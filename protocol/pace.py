"""How fast a peer may send."""

from __future__ import annotations


class TokenBucket:
    """`rate_per_s` of anything on average, `burst` at once. Time is an argument."""

    def __init__(self, rate_per_s: float, burst: float, now: float) -> None:
        self._rate_per_s, self._burst = rate_per_s, burst
        self._level, self._at = burst, now

    def take(self, now: float, amount: float = 1) -> bool:
        """False, and nothing is taken, when that would be over the rate."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate_per_s)
        self._at = now
        if self._level < amount:
            return False
        self._level -= amount
        return True
