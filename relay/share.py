"""One task's share of the loop, so that no call stalls the others of its relay.

A socket that has more to read, and one that takes all that is written, let their task go on without a pause:
three thousand short texts that come at once were half a second in which no other call was served.
"""

from __future__ import annotations

import asyncio

SHARE_BYTES = 8 * 1024  #: of messages in a row: about a millisecond of work on one of two busy cores
MESSAGE_BYTES = 1024  #: what a message costs besides its own bytes


class Share:
    """Of one task. `spend` after each message."""

    def __init__(self) -> None:
        self._left = SHARE_BYTES

    async def spend(self, size: int = 0) -> None:
        """Let the others go on when it is used up. `size` is that of the message, in bytes."""
        self._left -= MESSAGE_BYTES + size
        if self._left <= 0:
            self._left = SHARE_BYTES
            await asyncio.sleep(0)
