"""A microphone that hears recordings: 20 ms frames at real time, silence between them."""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator

from ._protocol.limits import FRAME_MS, UPLINK_FRAME_BYTES

SILENCE = bytes(UPLINK_FRAME_BYTES)
AHEAD_FRAMES = 500  #: ten seconds, a third of a megabyte
READ_PER_FRAME = 5  #: a file at another rate is converted meanwhile, which must not hold up the next frame
SPEECH_SHARE = 0.05  #: a frame with a swing of this share of the loudest one's is still speech


class _Utterance:
    """A recording on its way. Some of what comes is known, so that the end of speech is told when it comes.

    A longer silence at the recording's end delays only the telling: the time told is that of the last words.
    """

    def __init__(self, frames: Iterator[bytes], spoken: asyncio.Future[float]) -> None:
        self._frames = frames
        self._spoken = spoken
        self._ahead: deque[tuple[bytes, int]] = deque()  #: with the swing of each
        self._loudest = 0
        self._loud_at: float | None = None
        self._is_read = False
        self._read()

    @property
    def is_over(self) -> bool:
        """Return whether all of it was taken."""
        return self._is_read and not self._ahead

    def take(self, now: float) -> bytes:
        """The next frame, silence after the last."""
        for _ in range(READ_PER_FRAME):
            self._read()
        frame, swing = self._ahead.popleft() if self._ahead else (SILENCE, 0)
        floor = self._loudest * SPEECH_SHARE
        if swing > floor or self._loud_at is None:
            self._loud_at = now
        is_spoken = self._is_read and not any(swing > floor for _, swing in reversed(self._ahead))
        if is_spoken and not self._spoken.done():
            self._spoken.set_result(self._loud_at)
        return frame

    def _read(self) -> None:
        if self._is_read or len(self._ahead) >= AHEAD_FRAMES:
            return
        frame = next(self._frames, None)
        if frame is None:
            self._is_read = True
            return
        self._ahead.append((frame, _swing(frame)))
        self._loudest = max(self._loudest, self._ahead[-1][1])


class Microphone:
    """Sends without end while `run` runs: the server's turn detection needs the silence after the words."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: deque[_Utterance] = deque()

    async def say(self, pcm: bytes | Iterable[bytes]) -> float:
        """Speak `pcm` (16 kHz mono s16le, whole or in pieces) after what was said before.

        Pieces are read while it is spoken. Returns the loop time of the end of speech; silence at the
        recording's end may still follow.
        """
        spoken: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        pieces = (pcm,) if isinstance(pcm, bytes | bytearray) else pcm
        self._waiting.append(_Utterance(_in_frames(pieces), spoken))
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
        frame = utterance.take(now)
        if utterance.is_over:
            self._waiting.popleft()
        return frame


def _in_frames(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same sound in frames of 20 ms, the last one filled up with silence."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        while len(rest) >= UPLINK_FRAME_BYTES:
            yield bytes(rest[:UPLINK_FRAME_BYTES])
            del rest[:UPLINK_FRAME_BYTES]
    if rest:
        yield bytes(rest).ljust(UPLINK_FRAME_BYTES, b"\0")


def _swing(frame: bytes) -> int:
    samples = array("h", frame)
    return max(samples) - min(samples)
