"""What a client has said and the server may lack: numbered, and kept in order until it is acked. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from msgspec.structs import replace

from .audio import encode_audio, uplink_ms
from .codec import encode
from .limits import IMAGE_MESSAGES, KEPT_AUDIO_MS, KEPT_MESSAGES
from .media import Ack, Image, Live, NumberedMessage


@dataclass(slots=True)
class _Frame:
    place: int  #: in the order in which frames and messages were made
    seq: int
    pcm: bytes

    def encoded(self) -> bytes:
        return encode_audio(0, self.seq, self.pcm)


@dataclass(slots=True)
class _Said:
    place: int
    n: int
    message: NumberedMessage

    def encoded(self) -> str:
        return encode(replace(self.message, n=self.n))


class Uplink:
    """One session's frames and messages, over all its connections. Frames count from 0, messages from 1."""

    def __init__(self) -> None:
        self.stale_ms = 0.0  #: microphone audio of a break that was too long to be kept
        self._frames: deque[_Frame] = deque()
        self._frames_ms = 0.0
        self._messages: deque[_Said] = deque()
        self._seq, self._n, self._place = 0, 0, 0  #: the next frame's, the last message's, the last one's
        self._taken_n = 0  #: highest message that the server had at the last `live`
        self._next_seq = 0  #: the frame that it expected then
        self._is_fresh = (
            True  #: never live so far: the server may know numbers of this session that we do not
        )
        self._is_acked = True  #: the server acks messages, as far as is known

    @property
    def kept_seq(self) -> int:
        """The oldest frame that is kept; -1 for none."""
        return self._frames[0].seq if self._frames else -1

    def audio(self, pcm: bytes, *, is_live: bool) -> bytes:
        """Number a frame of microphone audio and keep it."""
        frame = _Frame(self._next_place(), self._seq, pcm)
        self._seq += 1
        self._frames.append(frame)
        self._frames_ms += uplink_ms(len(pcm))
        while self._frames_ms > KEPT_AUDIO_MS:
            stale_ms = self._forget_frame()
            self.stale_ms += 0.0 if is_live else stale_ms
        return frame.encoded()

    def say(self, message: NumberedMessage, *, is_live: bool) -> str:
        """Number a message and keep it; not for a server that would never ack it."""
        self._n += 1
        said = _Said(self._next_place(), self._n, message)
        if self._is_acked or not is_live:
            self._messages.append(said)
            self._drop_excess()
        return said.encoded()

    def go_live(self, live: Live) -> None:
        """Count on from what the server has; a client without memory does so for all that it has kept."""
        if self._is_fresh:
            for frame in self._frames:
                frame.seq += live.uplink_seq
            for said in self._messages:
                said.n += live.message_n
            self._seq, self._n = self._seq + live.uplink_seq, self._n + live.message_n
        self._is_fresh = False
        self._taken_n, self._next_seq = live.message_n, live.uplink_seq
        self._is_acked = "acks" in live.capabilities

    def acked(self, ack: Ack) -> None:
        while self._frames and self._frames[0].seq <= ack.seq:
            self._forget_frame()
        while self._messages and self._messages[0].n <= ack.message_n:
            self._messages.popleft()

    def resend(self) -> list[str | bytes]:
        """Return what the server lacks, in the order in which it was made."""
        lacking: list[_Said | _Frame] = [said for said in self._messages if said.n > self._taken_n]
        lacking += [frame for frame in self._frames if frame.seq >= self._next_seq]
        if not self._is_acked:
            self._messages.clear()
        return [kept.encoded() for kept in sorted(lacking, key=lambda kept: kept.place)]

    def _next_place(self) -> int:
        self._place += 1
        return self._place

    def _forget_frame(self) -> float:
        """The oldest. Returns its length in ms."""
        length_ms = uplink_ms(len(self._frames.popleft().pcm))
        self._frames_ms -= length_ms
        return length_ms

    def _drop_excess(self) -> None:
        """Forget the oldest messages: a server that answers none for so long has them, or is gone."""
        while sum(map(_weight, self._messages)) > KEPT_MESSAGES:
            self._messages.popleft()


def _weight(said: _Said) -> int:
    return IMAGE_MESSAGES if isinstance(said.message, Image) else 1
