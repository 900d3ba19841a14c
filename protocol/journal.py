"""Everything a call has said to its client, in order: the way to the socket, and the way back after a break.

One deque holds events and audio in the order they were made; a second holds what was already written, for a
client that returns. Interrupting a turn takes its audio out of both, so no frame of it is ever written again.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from protocol.audio import downlink_ms, encode_audio
from protocol.limits import REPLAY_AUDIO_MS, REPLAY_EVENTS


class Entry(NamedTuple):
    """One message on its way to the client, or kept for its return."""

    data: str | bytes
    n: int  #: event number, 0 for audio and for answers
    seq: int  #: audio frame number, -1 for events and answers
    turn: int  #: turn of an audio frame, 0 otherwise
    ms: float  #: duration of an audio frame, 0 otherwise


class Journal:
    """What one epoch of a call has said, and what of it still waits to be written."""

    def __init__(self) -> None:
        self.last_n = 0  #: number of the last event
        self.next_seq = 0  #: number of the next audio frame
        self.interrupted = 0  #: audio of this turn and earlier is not sent
        self.pending_ms = 0.0  #: audio that waits to be written
        self._pending: deque[Entry] = deque()
        self._written: deque[Entry] = deque()
        self._written_ms = 0.0
        self._written_events = 0

    @property
    def has_pending(self) -> bool:
        return bool(self._pending)

    def number(self) -> int:
        """The number of the event about to be put."""
        self.last_n += 1
        return self.last_n

    def put_event(self, text: str, n: int) -> None:
        self._pending.append(Entry(text, n, -1, 0, 0.0))

    def put_answer(self, text: str, *, first: bool = False) -> None:
        """An answer to the present connection, never replayed. `first`: ahead of all that waits."""
        entry = Entry(text, 0, -1, 0, 0.0)
        if first:
            self._pending.appendleft(entry)
        else:
            self._pending.append(entry)

    def put_audio(self, turn: int, pcm: bytes) -> bool:
        """One frame of the agent's voice. False when its turn was interrupted: the frame is dropped."""
        if turn <= self.interrupted:
            return False
        ms = downlink_ms(len(pcm))
        self._pending.append(Entry(encode_audio(turn, self.next_seq, pcm), 0, self.next_seq, turn, ms))
        self.next_seq += 1
        self.pending_ms += ms
        return True

    def take(self) -> str | bytes | None:
        """The next message to write, which is from now on kept for replay; None when all is written."""
        if not self._pending:
            return None
        entry = self._pending.popleft()
        self.pending_ms -= entry.ms
        if entry.n or entry.seq >= 0:
            self._keep(entry)
        return entry.data

    def interrupt(self, turn: int) -> float:
        """Drop audio of `turn` and earlier, for good. Returns the milliseconds that were never written."""
        self.interrupted = max(self.interrupted, turn)
        before = self.pending_ms
        self._drop_audio()
        return before - self.pending_ms

    def played(self, turn: int) -> None:
        """The client has played `turn` to its end: its audio need not be kept."""
        self._written = deque(entry for entry in self._written if entry.seq < 0 or entry.turn > turn)
        self._count_written()

    def rewind(self, after_n: int, next_seq: int) -> int:
        """Queue again what a returning client lacks; answers are forgotten.

        Returns the first event number it will get, 0 when it lacks none.
        """
        again = [entry for entry in self._written if entry.n > after_n or entry.seq >= next_seq]
        waiting = [entry for entry in self._pending if entry.n > after_n or entry.seq >= next_seq]
        kept = [entry for entry in self._written if not (entry.n > after_n or entry.seq >= next_seq)]
        self._written, self._pending = deque(kept), deque(again + waiting)
        self._count_written()
        self.pending_ms = sum(entry.ms for entry in self._pending)
        return next((entry.n for entry in self._pending if entry.n), 0)

    def _keep(self, entry: Entry) -> None:
        self._written.append(entry)
        self._written_ms += entry.ms
        self._written_events += bool(entry.n)
        while self._written_ms > REPLAY_AUDIO_MS or self._written_events > REPLAY_EVENTS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Give up the oldest of the kind that is over its bound; the other kind keeps its order."""
        over_audio = self._written_ms > REPLAY_AUDIO_MS
        for index, entry in enumerate(self._written):
            if (entry.seq >= 0) == over_audio:
                self._written_ms -= entry.ms
                self._written_events -= bool(entry.n)
                del self._written[index]
                return

    def _drop_audio(self) -> None:
        self._pending = deque(e for e in self._pending if e.seq < 0 or e.turn > self.interrupted)
        self._written = deque(e for e in self._written if e.seq < 0 or e.turn > self.interrupted)
        self.pending_ms = sum(entry.ms for entry in self._pending)
        self._count_written()

    def _count_written(self) -> None:
        self._written_ms = sum(entry.ms for entry in self._written)
        self._written_events = sum(bool(entry.n) for entry in self._written)
