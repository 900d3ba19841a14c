"""Sends no faster than the relay takes: microphone audio, and text with images."""

from __future__ import annotations

import asyncio

from ._protocol.audio import uplink_ms
from ._protocol.limits import TEXT_CHARS_BURST, TEXT_CHARS_PER_S, UPLINK_MS_PER_S
from ._protocol.media import ClientMessage
from ._protocol.pace import TokenBucket, chars_of
from .outbox import AUDIO_MS

LEAST_S = 0.001  #: a shorter sleep may end before its time


class Pacing:
    """Waits where a microphone or a typing user never has to: for recordings and documents."""

    def __init__(self) -> None:
        self._audio = _Gate(TokenBucket(UPLINK_MS_PER_S, AUDIO_MS, 0.0))
        self._text = _Gate(TokenBucket(TEXT_CHARS_PER_S, TEXT_CHARS_BURST, 0.0))

    async def audio(self, pcm: bytes) -> None:
        """Return when these samples may be sent. What passes at once has room in the outbox."""
        await self._audio.pass_through(uplink_ms(len(pcm)))

    async def message(self, message: ClientMessage) -> None:
        """Return when it may be sent: at once, but for `text`, `context` and `image` over their rate."""
        if chars := chars_of(message):
            await self._text.pass_through(chars)


class _Gate:
    """First-in, first-out wait for a token bucket."""

    def __init__(self, bucket: TokenBucket) -> None:
        self._bucket = bucket
        self._turn = asyncio.Lock()

    async def pass_through(self, amount: float) -> None:
        now = asyncio.get_running_loop().time
        async with self._turn:
            while not self._bucket.take(now(), amount):  # noqa: ASYNC110 (a budget has no event of its own)
                await asyncio.sleep(max(LEAST_S, self._bucket.wait_s(now(), amount)))
