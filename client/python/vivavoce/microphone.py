"""A microphone that hears recordings: 20 ms frames at real time, silence between them."""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ._protocol.limits import FRAME_MS, UPLINK_FRAME_BYTES

SILENCE = bytes(UPLINK_FRAME_BYTES)
SPEECH_SHARE = 0.05  #: a frame with a swing of this share of the loudest one's is still speech


@dataclass(slots=True)
class _Utterance:
    frames: deque[bytes]
    speech_frames: int  #: how many are left until the speech is over
    spoken: asyncio.Future[float]


class Microphone:
    """Sends without end while `run` runs: the server's turn detection needs the silence after the words."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: deque[_Utterance] = deque()

    async def say(self, pcm: bytes) -> float:
        """Speak `pcm` (16 kHz mono s16le) after what was said before.

        Returns the loop time of the end of speech; silence at its end still follows.
        """
        frames = [pcm[at : at + UPLINK_FRAME_BYTES] for at in range(0, len(pcm), UPLINK_FRAME_BYTES)]
        frames = [frame.ljust(UPLINK_FRAME_BYTES, b"\0") for frame in frames]
        spoken: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Utterance(deque(frames), speech_frames(frames), spoken))
        return await spoken

    async def run(self) -> None:
        """Send until cancelled. Frame k is due k * 20 ms after the first: late timers do not add up."""
        loop = asyncio.get_running_loop()
        began_at, count = loop.time(), 0
        while True:
            count += 1
            await asyncio.sleep(began_at + count * FRAME_MS / 1000 - loop.time())
            await self._send(self._next_frame(loop.time()))

    def _next_frame(self, now: float) -> bytes:
        """The frame that was recorded during the last 20 ms."""
        if not self._waiting:
            return SILENCE
        utterance = self._waiting[0]
        frame = utterance.frames.popleft() if utterance.frames else SILENCE
        utterance.speech_frames -= 1
        if utterance.speech_frames <= 0 and not utterance.spoken.done():
            utterance.spoken.set_result(now)
        if not utterance.frames:
            self._waiting.popleft()
        return frame


def speech_frames(frames: list[bytes]) -> int:
    """Number of frames to the end of speech, 0 for nothing but silence."""
    swings = [_swing(frame) for frame in frames]
    floor = max(swings, default=0) * SPEECH_SHARE
    return max((count for count, swing in enumerate(swings, 1) if swing > floor), default=0)


def _swing(frame: bytes) -> int:
    samples = array("h", frame)
    return max(samples) - min(samples)
