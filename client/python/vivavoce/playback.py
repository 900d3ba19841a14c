"""A loudspeaker without a sound card: plays at real time by the loop's clock, and knows what was heard."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Literal

from ._protocol.audio import downlink_ms
from ._protocol.limits import DOWNLINK_HZ, SAMPLE_BYTES
from ._protocol.media import Playback

BYTES_PER_S = DOWNLINK_HZ * SAMPLE_BYTES
REPORT_EVERY_S = 1.0  #: while playing; the protocol asks for at least that
BUFFER_MS = 600_000  #: audio waiting; no answer is that long, so more of it is dropped


class VirtualSpeaker:
    """Plays queued turns one after the other; `sink` gets every byte when it is heard.

    What was played by now follows from the clock alone (`_advance`): nothing drifts, however late a timer is.
    With `every_s` the sink is not left waiting longer than that for what was played.
    """

    def __init__(self, sink: Callable[[bytes], None] | None = None, *, every_s: float = math.inf) -> None:
        self.turn = 0  #: the turn that plays, or played last
        self.is_silent = asyncio.Event()  #: set while nothing plays and nothing waits
        self.is_silent.set()
        self._sink = sink or (lambda pcm: None)
        self._every_s = every_s
        self._report: Callable[[Playback], None] = lambda playback: None
        self._queue: deque[tuple[int, bytearray]] = deque()  #: turns and what is left of them
        self._played_bytes = 0  #: of `turn`
        self._played_to = 0.0  #: loop time up to which the queue was played
        self._finished = 0  #: no more audio of this turn and earlier follows
        self._report_at = 0.0  #: when the next progress is due
        self._state: Literal["silent", "playing", "starved"] = "silent"
        self._wake = asyncio.Event()

    @property
    def played_ms(self) -> int:
        """Audio of `turn` that was played."""
        return int(downlink_ms(self._played_bytes))

    @property
    def buffered_ms(self) -> int:
        """Audio of `turn` that is queued."""
        waits = self._queue and self._queue[0][0] == self.turn
        return int(downlink_ms(len(self._queue[0][1]))) if waits else 0

    def play(self, turn: int, pcm: bytes) -> None:
        """Queue 24 kHz mono s16le behind what is already queued."""
        self._advance()
        if downlink_ms(sum(len(waiting) for _, waiting in self._queue)) > BUFFER_MS:
            return
        if not self._queue:
            self._played_to = _now()
        if not self._queue or self._queue[-1][0] != turn:
            self._queue.append((turn, bytearray()))
        self._queue[-1][1].extend(pcm)
        self.is_silent.clear()
        self._advance()
        self._wake.set()

    def finish(self, turn: int) -> None:
        """No more audio of `turn` and earlier follows."""
        self._finished = max(self._finished, turn)
        self._wake.set()

    def flush(self, turn: int) -> int:
        """Be silent about `turn` and earlier at once. Returns how many ms of `turn` were heard."""
        self._advance()
        self._queue = deque(entry for entry in self._queue if entry[0] > turn)
        if self._state != "silent" and self.turn <= turn:
            self._fall_silent("flushed")
        self._wake.set()
        return self.played_ms if self.turn == turn else 0

    async def run(self, report: Callable[[Playback], None]) -> None:
        """Play until cancelled; `report` hears of every change, and once a second while playing."""
        self._report = report
        while True:
            self._advance()
            self._wake.clear()
            try:
                async with asyncio.timeout_at(self._next_at()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _next_at(self) -> float | None:
        """Loop time of the next report: the turn's audio has run out, or a second has passed."""
        if not self._queue:
            return None
        runs_out_at = self._played_to + len(self._queue[0][1]) / BYTES_PER_S
        return min(self._report_at, runs_out_at, self._played_to + self._every_s)

    def _advance(self) -> None:
        """Bring everything up to now."""
        now = _now()
        due_bytes = round((now - self._played_to) * DOWNLINK_HZ) * SAMPLE_BYTES
        while self._queue:
            turn, waiting = self._queue[0]
            self._sound(turn)
            if due_bytes <= 0:
                break
            heard = bytes(waiting[:due_bytes])
            self._hear(heard)
            due_bytes -= len(heard)
            del waiting[: len(heard)]
            if not waiting:
                self._queue.popleft()
        if self._queue:
            if now >= self._report_at:
                self._tell("progress")
        elif self._state != "silent":
            self._run_dry()

    def _hear(self, heard: bytes) -> None:
        self._sink(heard)
        self._played_bytes += len(heard)
        self._played_to += len(heard) / BYTES_PER_S

    def _sound(self, turn: int) -> None:
        """`turn` is what plays now."""
        if turn != self.turn:
            if self._state != "silent":
                self._fall_silent("drained")
            self.turn, self._played_bytes = turn, 0
            self._tell("started")
        elif self._state != "playing":
            self._tell("progress")
        self._state = "playing"
        self.is_silent.clear()

    def _run_dry(self) -> None:
        if self._finished >= self.turn:
            self._fall_silent("drained")
        elif self._state == "playing":
            self._tell("progress")
            self._state = "starved"

    def _fall_silent(self, how: Literal["drained", "flushed"]) -> None:
        self._tell(how)
        self._state = "silent"
        if not self._queue:
            self.is_silent.set()

    def _tell(self, state: Literal["started", "progress", "drained", "flushed"]) -> None:
        self._report_at = _now() + REPORT_EVERY_S
        self._report(Playback(self.turn, state, self.played_ms, self.buffered_ms))


def _now() -> float:
    return asyncio.get_running_loop().time()
