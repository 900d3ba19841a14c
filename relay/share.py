"""One task's share of the loop, so that no call stalls the others of its relay.

A socket that has more to read, and one that takes all that is written, let their task go on without a pause:
three thousand short texts that come at once were half a second in which no other call was served.
"""

from __future__ import annotations

import asyncio

from relay import clock

SHARE_BYTES = 16 * 1024  #: of messages in a row: about half a millisecond of work
MESSAGE_BYTES = 1024  #: what a message costs besides its own bytes
JSON_BYTES = 3 * 1024  #: and one that is JSON besides: it is decoded, and acted upon
JSON_WEIGHT = 2  #: of each byte of JSON: 40 ns at the worst, sound is copied
PACE_S = 0.008  #: from one share of what a client says to the next: half a minute of speech takes 1.3 s
SHARES_MOST = 8  #: that a large message is waited for


class Share:
    """Of one task. `spend` after each message."""

    def __init__(self, pace_s: float = 0.0) -> None:
        """`pace_s`: a share lasts so long; 0: it is only the others' turn."""
        self._pace_s, self._left, self._began_at = pace_s, SHARE_BYTES, clock.now()

    async def spend(self, size: int = 0) -> None:
        """Let the others go on when it is used up. `size` is that of the message, in bytes."""
        self._left -= MESSAGE_BYTES + size
        if self._left <= 0:
            shares = min(SHARES_MOST, 1 - self._left // SHARE_BYTES)
            await asyncio.sleep(max(0.0, self._began_at + shares * self._pace_s - clock.now()))
            self._left, self._began_at = SHARE_BYTES, clock.now()
