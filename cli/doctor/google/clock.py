"""The time of a first contact: real, or faster with a stand-in whose time runs faster."""

from __future__ import annotations

import asyncio


class Clock:
    """Seconds since it was made; `speed` of them pass in a real one."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._began_at = asyncio.get_running_loop().time()

    def now(self) -> float:
        return (asyncio.get_running_loop().time() - self._began_at) * self.speed

    async def sleep_until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self.now()) / self.speed)

    def real(self, seconds: float) -> float:
        return seconds / self.speed
