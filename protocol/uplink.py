"""What a client has said and the server may lack: numbered, and kept in order until it is acked. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from msgspec.structs import replace

from .audio import encode_audio, uplink_ms
from .codec import encode
from .limits import IMAGE_MESSAGES, KEPT_MESSAGES, RESEND_WINDOW_S
from .media import Ack, Image, Live, NumberedMessage


@dataclass(slots=True)
class _Frame:
    place: int  #: in the order in which frames and messages were made
    seq: int
    at: float
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
        self.stale_ms = 0.0  #: microphone audio that was too old to be sent again
        self._frames: deque[_Frame] = deque()
        self._messages: deque[_Said] = deque()
        self._seq, self._n, self._place = 0, 0, 0  #: the next frame's, the last message's, the last one's
        self._taken_n = 0  #: highest message that the server had at the last `live`
        self._is_fresh = (
            True  #: never live so far: the server may know numbers of this session that we do not
        )
        self._is_acked = True  #: the server acks messages, as far as is known

    def audio(self, pcm: bytes, now: float, *, is_live: bool) -> bytes:
        """Number a frame of microphone audio and keep it."""
        frame = _Frame(self._next_place(), self._seq, now, pcm)
        self._seq += 1
        self._frames.append(frame)
        self._drop_stale(now, is_lost=not is_live)
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
        self._taken_n, self._is_acked = live.message_n, "acks" in live.capabilities

    def acked(self, ack: Ack) -> None:
        while self._frames and self._frames[0].seq <= ack.seq:
            self._frames.popleft()
        while self._messages and self._messages[0].n <= ack.message_n:
            self._messages.popleft()

    def resend(self, now: float) -> list[str | bytes]:
        """Return what the server may lack and still wants, in the order in which it was made."""
        self._drop_stale(now, is_lost=True)
        lacking: list[_Said | _Frame] = [said for said in self._messages if said.n > self._taken_n]
        if not self._is_acked:
            self._messages.clear()
        return [kept.encoded() for kept in sorted([*lacking, *self._frames], key=lambda kept: kept.place)]

    def _next_place(self) -> int:
        self._place += 1
        return self._place

    def _drop_stale(self, now: float, *, is_lost: bool) -> None:
        while self._frames and self._frames[0].at < now - RESEND_WINDOW_S:
            stale = self._frames.popleft()
            if is_lost:
                self.stale_ms += uplink_ms(len(stale.pcm))

    def _drop_excess(self) -> None:
        """Forget the oldest messages: a server that answers none for so long has them, or is gone."""
        while sum(map(_weight, self._messages)) > KEPT_MESSAGES:
            self._messages.popleft()


def _weight(said: _Said) -> int:
    return IMAGE_MESSAGES if isinstance(said.message, Image) else 1
