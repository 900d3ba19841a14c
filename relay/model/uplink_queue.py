"""What goes to the model, in order: microphone audio bounded in milliseconds, and commands."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from gemini.messages import ModelCommand, Note, SayText, ShowImage
from protocol.audio import AudioFrame, uplink_ms

UPLINK_QUEUE_MS = 33_000  #: what may wait while the model leg opens: what a client keeps, and a little
UPLINK_QUEUE_BYTES = 4 * 1024 * 1024  #: commands that may wait: half a dozen images
COMMAND_BYTES = 64  #: what a command without text or image counts for
BATCH_MS = 100  #: waiting frames are handed on together up to this: fewer, larger messages


@dataclass(frozen=True, slots=True)
class Speech:
    """Microphone audio: one frame, or several that have piled up."""

    seq: int  #: of its last frame
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Quiet:
    """A piece of the silence that follows a microphone which has paused: the user's turn is not over yet."""


class UplinkQueue:
    """Drops the oldest audio when full, and counts it: live speech loses value by waiting.

    Commands stay, so whoever puts them must look at `is_full` first. Notes, which are not to be answered, are
    kept aside until `tell_notes`.
    """

    def __init__(self, limit_ms: float = UPLINK_QUEUE_MS) -> None:
        self.queued_ms = 0.0
        self.dropped_ms = 0.0
        self._queued_bytes = 0  #: of commands
        self._limit_ms = limit_ms
        self._waiting: deque[AudioFrame | ModelCommand] = deque()
        self._notes: deque[Note] = deque()
        self._filled = asyncio.Event()

    def put_audio(self, frame: AudioFrame) -> None:
        self._waiting.append(frame)
        self.queued_ms += uplink_ms(len(frame.pcm))
        while self.queued_ms > self._limit_ms:
            self._drop_oldest()
        self._filled.set()

    @property
    def is_full(self) -> bool:
        """The model has not taken what was said before: it is opening, or slow."""
        return self._queued_bytes >= UPLINK_QUEUE_BYTES

    def put_command(self, command: ModelCommand) -> None:
        self._waiting.append(command)
        self._queued_bytes += _bytes(command)
        self._filled.set()

    def put_note(self, note: Note) -> None:
        self._notes.append(note)
        self._queued_bytes += _bytes(note)

    @property
    def untold(self) -> tuple[int, ...]:
        """Numbers of the notes that are kept aside."""
        return tuple(note.n for note in self._notes)

    def tell_notes(self) -> None:
        """Their turn has come: behind what waits."""
        if self._notes:
            self._waiting.extend(self._notes)
            self._notes.clear()
            self._filled.set()

    async def get(self) -> Speech | ModelCommand:
        """The oldest of what waits; audio that has piled up comes in one piece of up to 100 ms."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        first = self._waiting.popleft()
        if isinstance(first, AudioFrame):
            return self._gather(first)
        self._queued_bytes -= _bytes(first)
        return first

    def _gather(self, frame: AudioFrame) -> Speech:
        pcm, taken_ms = [frame.pcm], uplink_ms(len(frame.pcm))
        while self._waiting and isinstance(following := self._waiting[0], AudioFrame):
            taken_ms += uplink_ms(len(following.pcm))
            if taken_ms > BATCH_MS:
                break
            frame = following
            pcm.append(frame.pcm)
            self._waiting.popleft()
        speech = Speech(frame.seq, b"".join(pcm))
        self.queued_ms -= uplink_ms(len(speech.pcm))
        return speech

    def _drop_oldest(self) -> None:
        for index, waiting in enumerate(self._waiting):
            if isinstance(waiting, AudioFrame):
                lost_ms = uplink_ms(len(waiting.pcm))
                self.queued_ms -= lost_ms
                self.dropped_ms += lost_ms
                del self._waiting[index]
                return


def _bytes(command: ModelCommand) -> int:
    """About what a command costs to keep. Tool results are few: each answers a call of the model's."""
    match command:
        case ShowImage(data=data):
            return len(data)
        case SayText(text=text) | Note(text=text):
            return COMMAND_BYTES + len(text)
        case _:
            return COMMAND_BYTES
