"""The loop's clock, by which all deadlines of a relay are kept: seconds, monotonic."""

from __future__ import annotations

import asyncio

NEVER = float("inf")
CLOCK_S = 0.001  #: a loop's timer may be early, and a sum of times wrong, by less than this


def now() -> float:
    """The running loop's time in seconds."""
    return asyncio.get_running_loop().time()
