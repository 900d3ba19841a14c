"""Everything a call has said to its client, in order: the way to the socket, and the way back after a break.

Events and audio wait in the order they were made; what was written is kept for a client that returns. Answers
belong to one connection: they go ahead of everything else and are never kept. Interrupting a turn takes its
audio out of what waits and of what is kept, so no frame of it is ever written again.

Both what waits and what is kept is bounded: audio by its duration (`PENDING_AUDIO_MS`: the model is not read
beyond it; `REPLAY_AUDIO_MS`), events by their memory (`waiting_bytes`: see `ServerSession.is_overfull`;
`REPLAY_EVENT_BYTES`). A return makes pending what was kept, and gives up the oldest events over the bound.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from heapq import merge
from typing import NamedTuple

from .audio import downlink_ms, encode_audio
from .limits import REPLAY_AUDIO_MS, REPLAY_EVENT_BYTES, REPLAY_EVENTS

ENTRY_BYTES = 160  #: memory of an entry besides its text


class Entry(NamedTuple):
    """One event or audio frame on its way to the client, or kept for its return."""

    at: int  #: place in the order of all entries
    data: str | bytes
    n: int  #: event number, 0 for audio
    seq: int  #: audio frame number, -1 for events
    turn: int  #: turn of an audio frame, 0 otherwise
    ms: float  #: duration of an audio frame, 0 otherwise
    size: int  #: memory of an event, 0 otherwise


class Journal:
    """What one epoch of a call has said, and what of it still waits to be written."""

    def __init__(self) -> None:
        self.last_n = 0  #: number of the last event
        self.next_seq = 0  #: number of the next audio frame
        self.interrupted = 0  #: audio of this turn and earlier is not sent
        self.pending_ms = 0.0  #: audio that waits to be written
        self._entries = 0  #: made so far
        self._answers: deque[str] = deque()
        self._answer_bytes = 0
        self._pending: deque[Entry] = deque()
        self._pending_bytes = 0  #: of the events in it
        self._kept_events: deque[Entry] = deque()
        self._kept_bytes = 0
        self._kept_audio: deque[Entry] = deque()  # apart from the events: each has its own bound
        self._kept_ms = 0.0

    @property
    def has_pending(self) -> bool:
        return bool(self._answers or self._pending)

    @property
    def waiting_bytes(self) -> int:
        """Memory of the events and answers that wait to be written."""
        return self._pending_bytes + self._answer_bytes

    def number(self) -> int:
        """The number of the event about to be put."""
        self.last_n += 1
        return self.last_n

    def put_event(self, text: str, n: int) -> None:
        size = _size(text)
        self._put(text, n, -1, 0, 0.0, size)
        self._pending_bytes += size

    def put_answer(self, text: str) -> None:
        """An answer to the present connection, ahead of all events and audio that wait."""
        self._answers.append(text)
        self._answer_bytes += _size(text)

    def put_audio(self, turn: int, pcm: bytes) -> bool:
        """One frame of the agent's voice. False when its turn was interrupted: the frame is dropped."""
        if turn <= self.interrupted:
            return False
        ms = downlink_ms(len(pcm))
        self._put(encode_audio(turn, self.next_seq, pcm), 0, self.next_seq, turn, ms, 0)
        self.next_seq += 1
        self.pending_ms += ms
        return True

    def take(self) -> str | bytes | None:
        """The next message to write; None when all is written. Events and audio are kept for replay."""
        if self._answers:
            return self.take_answer()
        if not self._pending:
            return None
        entry = self._pending.popleft()
        self._keep(entry)
        self.pending_ms -= entry.ms
        self._pending_bytes -= entry.size
        return entry.data

    def take_answer(self) -> str | None:
        """The next answer to write; events and audio go on waiting."""
        if not self._answers:
            return None
        answer = self._answers.popleft()
        self._answer_bytes -= _size(answer)
        return answer

    def forget_answers(self) -> None:
        """The connection they were meant for is gone."""
        self._answers.clear()
        self._answer_bytes = 0

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
        lacking = list(filter(is_lacking, said))
        self._pending_bytes = sum(entry.size for entry in lacking)
        self._pending = deque(self._without_oldest_events(lacking))
        self._kept_events = deque(entry for entry in self._kept_events if not is_lacking(entry))
        self._kept_bytes = sum(entry.size for entry in self._kept_events)
        self._keep_audio(entry for entry in self._kept_audio if not is_lacking(entry))
        self.pending_ms = sum(entry.ms for entry in self._pending)
        return next((entry.n for entry in self._pending if entry.n), 0)

    # ----

    def _put(self, data: str | bytes, n: int, seq: int, turn: int, ms: float, size: int) -> None:
        self._pending.append(Entry(self._entries, data, n, seq, turn, ms, size))
        self._entries += 1

    def _without_oldest_events(self, entries: Iterable[Entry]) -> Iterable[Entry]:
        """A client that comes back again and again without reading must not make what waits grow."""
        for entry in entries:
            if entry.n and self._pending_bytes > REPLAY_EVENT_BYTES:
                self._pending_bytes -= entry.size
            else:
                yield entry

    def _keep(self, entry: Entry) -> None:
        if entry.n:
            self._kept_events.append(entry)
            self._kept_bytes += entry.size
            while len(self._kept_events) > REPLAY_EVENTS or self._kept_bytes > REPLAY_EVENT_BYTES:
                self._kept_bytes -= self._kept_events.popleft().size
            return
        self._kept_audio.append(entry)
        self._kept_ms += entry.ms
        while self._kept_audio and self._kept_ms > REPLAY_AUDIO_MS:
            self._kept_ms -= self._kept_audio.popleft().ms

    def _keep_audio(self, entries: Iterable[Entry]) -> None:
        self._kept_audio = deque(entries)
        self._kept_ms = sum(entry.ms for entry in self._kept_audio)


def _size(text: str) -> int:
    return sys.getsizeof(text) + ENTRY_BYTES
