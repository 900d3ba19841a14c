"""Everything a call has said to its client, in order: the way to the socket, and the way back after a break.

Events and audio wait in the order they were made; what was written is kept for a client that returns. Answers
belong to one connection: they go ahead of everything else and are never kept. Interrupting a turn takes its
audio out of what waits and of what is kept, so no frame of it is ever written again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import merge
from typing import NamedTuple

from protocol.audio import downlink_ms, encode_audio
from protocol.limits import REPLAY_AUDIO_MS, REPLAY_EVENTS


class Entry(NamedTuple):
    """One event or audio frame on its way to the client, or kept for its return."""

    at: int  #: place in the order of all entries
    data: str | bytes
    n: int  #: event number, 0 for audio
    seq: int  #: audio frame number, -1 for events
    turn: int  #: turn of an audio frame, 0 otherwise
    ms: float  #: duration of an audio frame, 0 otherwise


class Journal:
    """What one epoch of a call has said, and what of it still waits to be written."""

    def __init__(self) -> None:
        self.last_n = 0  #: number of the last event
        self.next_seq = 0  #: number of the next audio frame
        self.interrupted = 0  #: audio of this turn and earlier is not sent
        self.pending_ms = 0.0  #: audio that waits to be written
        self._entries = 0  #: made so far
        self._answers: deque[str] = deque()
        self._pending: deque[Entry] = deque()
        self._kept_events: deque[Entry] = deque(maxlen=REPLAY_EVENTS)
        self._kept_audio: deque[Entry] = deque()  # apart from the events: each has its own bound
        self._kept_ms = 0.0

    @property
    def has_pending(self) -> bool:
        return bool(self._answers or self._pending)

    def number(self) -> int:
        """The number of the event about to be put."""
        self.last_n += 1
        return self.last_n

    def put_event(self, text: str, n: int) -> None:
        self._put(text, n, -1, 0, 0.0)

    def put_answer(self, text: str) -> None:
        """An answer to the present connection, ahead of all events and audio that wait."""
        self._answers.append(text)

    def put_audio(self, turn: int, pcm: bytes) -> bool:
        """One frame of the agent's voice. False when its turn was interrupted: the frame is dropped."""
        if turn <= self.interrupted:
            return False
        ms = downlink_ms(len(pcm))
        self._put(encode_audio(turn, self.next_seq, pcm), 0, self.next_seq, turn, ms)
        self.next_seq += 1
        self.pending_ms += ms
        return True

    def take(self) -> str | bytes | None:
        """The next message to write; None when all is written. Events and audio are kept for replay."""
        if self._answers:
            return self._answers.popleft()
        if not self._pending:
            return None
        entry = self._pending.popleft()
        self._keep(entry)
        self.pending_ms -= entry.ms
        return entry.data

    def take_answer(self) -> str | None:
        """The next answer to write; events and audio go on waiting."""
        return self._answers.popleft() if self._answers else None

    def forget_answers(self) -> None:
        """The connection they were meant for is gone."""
        self._answers.clear()

    def interrupt(self, turn: int) -> float:
        """Drop audio of `turn` and earlier, for good. Returns the milliseconds that were never written."""
        self.interrupted = max(self.interrupted, turn)
        before = self.pending_ms
        self._pending = deque(e for e in self._pending if e.seq < 0 or e.turn > self.interrupted)
        self.pending_ms = sum(entry.ms for entry in self._pending)
        self.played(self.interrupted)
        return before - self.pending_ms

    def played(self, turn: int) -> None:
        """The client wants no more of `turn` and earlier: what was written of it need not be kept."""
        self._keep_audio(entry for entry in self._kept_audio if entry.turn > turn)

    def rewind(self, after_n: int, next_seq: int) -> int:
        """Queue again what a returning client lacks.

        Returns the first event number it will get, 0 when it lacks none.
        """

        def is_lacking(entry: Entry) -> bool:
            return entry.n > after_n or entry.seq >= next_seq

        said = [*merge(self._kept_events, self._kept_audio), *self._pending]
        self._pending = deque(filter(is_lacking, said))
        self._kept_events = deque((e for e in self._kept_events if not is_lacking(e)), maxlen=REPLAY_EVENTS)
        self._keep_audio(entry for entry in self._kept_audio if not is_lacking(entry))
        self.pending_ms = sum(entry.ms for entry in self._pending)
        return next((entry.n for entry in self._pending if entry.n), 0)

    # ----

    def _put(self, data: str | bytes, n: int, seq: int, turn: int, ms: float) -> None:
        self._pending.append(Entry(self._entries, data, n, seq, turn, ms))
        self._entries += 1

    def _keep(self, entry: Entry) -> None:
        if entry.n:
            self._kept_events.append(entry)  # the oldest falls out at the bound
            return
        self._kept_audio.append(entry)
        self._kept_ms += entry.ms
        while self._kept_audio and self._kept_ms > REPLAY_AUDIO_MS:
            self._kept_ms -= self._kept_audio.popleft().ms

    def _keep_audio(self, entries: Iterable[Entry]) -> None:
        self._kept_audio = deque(entries)
        self._kept_ms = sum(entry.ms for entry in self._kept_audio)
