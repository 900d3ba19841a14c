"""Microphone audio on its way to the model, bounded in milliseconds."""

from __future__ import annotations

import asyncio
from collections import deque

from protocol.audio import AudioFrame, uplink_ms

UPLINK_QUEUE_MS = 5_000  #: what may wait while the model leg opens; older speech has lost its value
BATCH_MS = 100  #: waiting frames are handed on together up to this: fewer, larger messages


class UplinkQueue:
    """Drops the oldest audio when full, and counts it: live speech loses value by waiting."""

    def __init__(self, limit_ms: float = UPLINK_QUEUE_MS) -> None:
        self.queued_ms = 0.0
        self.dropped_ms = 0.0
        self._limit_ms = limit_ms
        self._frames: deque[AudioFrame] = deque()
        self._filled = asyncio.Event()

    def put(self, frame: AudioFrame) -> None:
        self._frames.append(frame)
        self.queued_ms += uplink_ms(len(frame.pcm))
        while self.queued_ms > self._limit_ms:
            oldest_ms = uplink_ms(len(self._frames.popleft().pcm))
            self.queued_ms -= oldest_ms
            self.dropped_ms += oldest_ms
        self._filled.set()

    async def get(self) -> tuple[int, bytes]:
        """The oldest audio, with the sequence number of its last frame: one frame, or what has piled up."""
        while not self._frames:
            self._filled.clear()
            await self._filled.wait()
        frame = self._frames.popleft()
        pcm, taken_ms = [frame.pcm], uplink_ms(len(frame.pcm))
        while self._frames and taken_ms + uplink_ms(len(self._frames[0].pcm)) <= BATCH_MS:
            frame = self._frames.popleft()
            pcm.append(frame.pcm)
            taken_ms += uplink_ms(len(frame.pcm))
        self.queued_ms -= taken_ms
        return frame.seq, b"".join(pcm)
