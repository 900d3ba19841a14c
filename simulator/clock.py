"""Virtual time: a scale maps it to real time.

Every duration in this room is in virtual seconds. Only this file turns them
into real ones, so a time scale is one number and no caller depends on it.
"""

import asyncio
import contextlib
from collections.abc import Callable


class Clock:
    """Virtual seconds since the simulator came up. `scale` of them pass in each real second."""

    def __init__(self, scale: float = 1.0) -> None:
        if not scale > 0:
            raise ValueError("the time scale must be above 0")
        self.scale = scale
        self._origin = asyncio.get_running_loop().time()

    def now(self) -> float:
        return (asyncio.get_running_loop().time() - self._origin) * self.scale

    def real(self, seconds: float) -> float:
        """Real seconds that `seconds` virtual ones take."""
        return seconds / self.scale

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds / self.scale))

    async def sleep_until(self, at: float) -> None:
        await self.sleep(at - self.now())

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        """Call `do` after `seconds` virtual seconds. It is not awaited, so it must be harmless when late."""
        asyncio.get_running_loop().call_later(seconds / self.scale, do)

    async def wait(self, event: asyncio.Event, until: float) -> bool:
        """Wait for `event`, at most until the virtual moment `until`. Returns whether it came."""
        left = (until - self.now()) / self.scale
        if left <= 0 or event.is_set():
            return event.is_set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await event.wait()
        return event.is_set()
