"""One timer for all deadlines of a call."""

from __future__ import annotations

import asyncio
import contextlib

from relay.clock import CLOCK_S, NEVER

REST_S = 0.01


class Alarm:
    """Wakes its one waiter at the earliest time it was set to.

    Setting it is cheap and never puts it off: a deadline that has moved to later costs one wake-up too many.
    It rings at most every REST_S: a deadline that nothing comes of must not keep the loop busy.
    """

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._at = NEVER
        self._rests_until = 0.0
        self._moved = asyncio.Event()

    def set(self, *times: float | None) -> None:
        """Loop times in seconds; None for never."""
        for at in times:
            if at is not None and at < self._at:
                self._at = at
                self._moved.set()

    async def wait(self) -> None:
        """Until the earliest time; then it is set to nothing."""
        while self._now() < (at := max(self._at, self._rests_until)):
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(at + CLOCK_S if at < NEVER else None):
                    await self._moved.wait()
        self._at, self._rests_until = NEVER, self._now() + REST_S
