"""Whether a handshake came through our edge, which sends a secret header with it.

The security group admits CloudFront's addresses, but every distribution of every account has those.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable
from typing import Protocol

from records import keyring
from records.keyring import Keyring

HEADER = "x-vivavoce-edge"
KEEP_S = 300.0  #: how long a ring that was read is believed
ASK_S = 2.0  #: least time between two looks, whatever strangers send


class OriginCheck(Protocol):
    """Asked with the header's value for each handshake."""

    async def __call__(self, value: str) -> bool: ...


async def allow_any_origin(value: str) -> bool:
    """For a relay that only its own edge can reach."""
    return True


class OriginSecret:
    """Knows the secret of `read`, which blocks, and looks again when it meets one that it does not know.

    A rotation writes the new secret before the edge sends it, so one more look is enough.
    """

    def __init__(self, read: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._replay: Keyring | None = None
        self._read_at = float("-inf")
        self._looking = asyncio.Lock()

    async def __call__(self, value: str) -> bool:
        """Raises what `read` raises when there is nothing to compare with yet."""
        if self._clock() - self._read_at >= KEEP_S:
            await self._look()
        if self._knows(value):
            return True
        if not value:
            return False
        await self._look()
        return self._knows(value)

    def _knows(self, value: str) -> bool:
        if self._replay is None:
            return False
        accepted = self._replay.accepted(int(time.time()))
        return any([hmac.compare_digest(value.encode(), each.encode()) for each in accepted])  # noqa: C419

    async def _look(self) -> None:
        async with self._looking:
            if self._clock() - self._read_at < ASK_S:
                return
            self._read_at = self._clock()
            try:
                self._replay = keyring.read(await asyncio.to_thread(self._read))
            except Exception:
                if self._replay is None:
                    self._read_at = float("-inf")
                    raise
