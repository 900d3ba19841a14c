"""Everything a call has said to its client, in order: what waits to be written, and what is kept for replay.

Messages and audio frames are held as they are: the connection's codec encodes them when they are written.
They wait in the order they were made; what was written is kept for a client that reconnects. Answers belong
to one connection: they go ahead of everything else and are never kept. Interrupting a turn takes its audio
out of what waits and of what is kept, so no frame of it is ever written again.

Both what waits and what is kept is bounded: audio by its duration (`PENDING_AUDIO_MS`: the model is not read
beyond it; `REPLAY_AUDIO_MS`), events by their memory (`waiting_bytes`: see `ServerSession.is_overfull`;
`REPLAY_EVENT_BYTES`). A replay makes pending what was kept, and gives up the oldest events over the bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import merge
from typing import NamedTuple

from msgspec.structs import replace

from .audio import AudioFrame, downlink_ms
from .codec import Outgoing
from .limits import REPLAY_AUDIO_MS, REPLAY_EVENT_BYTES, REPLAY_EVENTS
from .media import Answer, Error, Event
from .memory import memory_of

ENTRY_BYTES = 136  #: memory of an entry besides its message


class _Event(NamedTuple):
    """An event on its way to the client, or kept for a replay."""

    at: int  #: place in the order of all entries
    said: Event
    size: int  #: memory


class _Frame(NamedTuple):
    """An audio frame on its way to the client, or kept for a replay."""

    at: int  #: place in the order of all entries
    said: AudioFrame
    ms: float  #: duration


class Journal:
    """Replay buffer of one epoch of a call, and the queue of what still waits to be written."""

    def __init__(self, epoch: int) -> None:
        self.last_n = 0  #: number of the last event
        self.next_seq = 0  #: number of the next audio frame
        self.interrupted = 0  #: audio of this turn and earlier is not sent
        self.pending_ms = 0.0  #: audio that waits to be written
        self._epoch = epoch
        self._entries = 0  #: made so far
        self._answers: deque[tuple[Answer | Error, int]] = deque()  #: each with its memory
        self._answer_bytes = 0
        self._pending: deque[_Event | _Frame] = deque()
        self._pending_bytes = 0  #: of the events in it
        self._kept_events: deque[_Event] = deque()
        self._kept_bytes = 0
        self._kept_audio: deque[_Frame] = deque()  # apart from the events: each has its own bound
        self._kept_ms = 0.0

    @property
    def has_pending(self) -> bool:
        return bool(self._answers or self._pending)

    @property
    def waiting_bytes(self) -> int:
        """Memory of the events and answers that wait to be written."""
        return self._pending_bytes + self._answer_bytes

    def put_event(self, event: Event) -> None:
        """Number an event and queue it."""
        self.last_n += 1
        event = replace(event, e=self._epoch, n=self.last_n)
        size = ENTRY_BYTES + memory_of(event)
        self._pending.append(_Event(self._next_place(), event, size))
        self._pending_bytes += size

    def put_answer(self, answer: Answer | Error) -> None:
        """Queue an answer to the present connection, ahead of all events and audio that wait."""
        answer = replace(answer, e=self._epoch)
        size = ENTRY_BYTES + memory_of(answer)
        self._answers.append((answer, size))
        self._answer_bytes += size

    def put_audio(self, turn: int, pcm: bytes) -> bool:
        """Queue a frame of the agent's voice. False when its turn was interrupted: the frame is dropped."""
        if turn <= self.interrupted:
            return False
        ms = downlink_ms(len(pcm))
        self._pending.append(_Frame(self._next_place(), AudioFrame(turn, self.next_seq, pcm), ms))
        self.next_seq += 1
        self.pending_ms += ms
        return True

    def take(self) -> Outgoing | None:
        """The next message to write; None when all is written. Events and audio are kept for a replay."""
        if self._answers:
            return self.take_answer()
        if not self._pending:
            return None
        entry = self._pending.popleft()
        if isinstance(entry, _Frame):
            self.pending_ms -= entry.ms
            self._keep_frame(entry)
        else:
            self._pending_bytes -= entry.size
            self._keep_event(entry)
        return entry.said

    def take_answer(self) -> Answer | Error | None:
        """The next answer to write; events and audio go on waiting."""
        if not self._answers:
            return None
        answer, size = self._answers.popleft()
        self._answer_bytes -= size
        return answer

    def forget_answers(self) -> None:
        """Drop the answers: the connection they were meant for is lost."""
        self._answers.clear()
        self._answer_bytes = 0

    def interrupt(self, turn: int) -> float:
        """Drop audio of `turn` and earlier, for good. Returns the milliseconds that were never written."""
        self.interrupted = max(self.interrupted, turn)
        before = self.pending_ms
        self._pending = deque(
            entry
            for entry in self._pending
            if isinstance(entry, _Event) or entry.said.turn > self.interrupted
        )
        self.pending_ms = _duration(self._pending)
        self.played(self.interrupted)
        return before - self.pending_ms

    def played(self, turn: int) -> None:
        """The client wants no more of `turn` and earlier: what was written of it need not be kept."""
        self._keep_audio(frame for frame in self._kept_audio if frame.said.turn > turn)

    def rewind(self, after_n: int, next_seq: int) -> int:
        """Queue again what a reconnected client lacks.

        Returns the first event number it will get, 0 when it lacks none.
        """

        def is_lacking(entry: _Event | _Frame) -> bool:
            if isinstance(entry, _Frame):
                return entry.said.seq >= next_seq
            return entry.said.n > after_n

        kept: Iterable[_Event | _Frame] = merge(self._kept_events, self._kept_audio)
        lacking = [entry for entry in (*kept, *self._pending) if is_lacking(entry)]
        self._pending_bytes = _memory(lacking)
        self._pending = deque(self._without_oldest_events(lacking))
        self._kept_events = deque(entry for entry in self._kept_events if not is_lacking(entry))
        self._kept_bytes = _memory(self._kept_events)
        self._keep_audio(frame for frame in self._kept_audio if not is_lacking(frame))
        self.pending_ms = _duration(self._pending)
        return next((entry.said.n for entry in self._pending if isinstance(entry, _Event)), 0)

    # ----

    def _next_place(self) -> int:
        self._entries += 1
        return self._entries

    def _without_oldest_events(self, entries: Iterable[_Event | _Frame]) -> Iterable[_Event | _Frame]:
        """Bound what waits, also when a client reconnects again and again without reading."""
        for entry in entries:
            if isinstance(entry, _Event) and self._pending_bytes > REPLAY_EVENT_BYTES:
                self._pending_bytes -= entry.size
            else:
                yield entry

    def _keep_event(self, event: _Event) -> None:
        self._kept_events.append(event)
        self._kept_bytes += event.size
        while len(self._kept_events) > REPLAY_EVENTS or self._kept_bytes > REPLAY_EVENT_BYTES:
            self._kept_bytes -= self._kept_events.popleft().size

    def _keep_frame(self, frame: _Frame) -> None:
        self._kept_audio.append(frame)
        self._kept_ms += frame.ms
        while self._kept_audio and self._kept_ms > REPLAY_AUDIO_MS:
            self._kept_ms -= self._kept_audio.popleft().ms

    def _keep_audio(self, frames: Iterable[_Frame]) -> None:
        self._kept_audio = deque(frames)
        self._kept_ms = _duration(self._kept_audio)


def _memory(entries: Iterable[_Event | _Frame]) -> int:
    return sum(entry.size for entry in entries if isinstance(entry, _Event))


def _duration(entries: Iterable[_Event | _Frame]) -> float:
    return sum(entry.ms for entry in entries if isinstance(entry, _Frame))
