"""Queue to the media socket: messages in order, and a little microphone audio."""

from __future__ import annotations

import asyncio
from collections import deque

from ._protocol.audio import HEADER_BYTES, uplink_ms
from ._protocol.client import ClientSession
from ._protocol.codec import encode
from ._protocol.limits import KEPT_AUDIO_MS, UPLINK_KEPT_S
from ._protocol.media import ClientMessage, NumberedMessage, Ping, Pong
from ._protocol.uplink_delay import UplinkDelay
from .form import FrameForm

AUDIO_MS = UPLINK_KEPT_S * 1000  #: audio waiting; beyond it the oldest is dropped: live speech loses value
MESSAGES = 256  #: messages waiting; beyond it their sender waits


class Waiting:
    """Audio that waits, in ms: a second of it.

    More where it must: what is said again after a break, and what was said while the line was silent, each
    until it has gone. A narrow line is not silent: its pongs come late, and they come.
    """

    def __init__(self) -> None:
        self.ms = 0.0
        self._room_ms = AUDIO_MS
        self._silent_at = 0.0  #: without another pong the line is silent from then on, not narrow

    def begin(self, again_ms: float) -> None:
        """Another connection, on which so much is said again."""
        self.ms, self._room_ms = again_ms, AUDIO_MS + again_ms
        self._silent_at = 0.0

    def pong(self, sent_at: float, now: float) -> None:
        """On a narrow line the next one takes about as long as this one took."""
        self._silent_at = now + (now - sent_at) + UPLINK_KEPT_S

    def add(self, ms: float, now: float) -> None:
        self.ms += ms
        if now > self._silent_at:
            self._room_ms = min(self.ms + AUDIO_MS, KEPT_AUDIO_MS)

    def take(self, ms: float) -> None:
        """So much waits no more. Room that is not needed is none any more."""
        self.ms -= ms
        self._room_ms = max(AUDIO_MS, min(self._room_ms, self.ms + AUDIO_MS))

    @property
    def is_too_much(self) -> bool:
        return self.ms > self._room_ms


class Numbered(str):
    """A message that the protocol session keeps until it is acked."""


class Outbox:
    """Filled by the conversation, emptied by the one task that writes the socket.

    What has a number, audio too, is left to the protocol session over a break, which gives it back to `open`;
    other messages survive it here.
    Audio waits here while the line is full (`delay`), unless a message stands behind it. It takes its form
    when it is written.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self.is_open = False
        self.dropped_ms = 0.0  #: audio given up because the socket was too slow, or the line too narrow
        self.delay = UplinkDelay()
        self._queue: deque[str | bytes] = deque()
        self._waiting = Waiting()
        self._unsent = 0  #: messages that only the session has, since the connection was lost
        self._reports: deque[str] = deque()  #: overtake what is in the queue
        self._pings: dict[float, float] = {}  #: `t` of our own that are not answered, and when they were sent
        self._ping = ""  #: the last of them as it was written
        self._form = FrameForm(session)
        self._is_probed = False  #: the ping before the oldest frame was written, if one was due
        self._has_work = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    @property
    def queued_ms(self) -> float:
        """Audio that waits."""
        return self._waiting.ms

    @property
    def is_narrow(self) -> bool:
        """The line does not carry PCM, or did not a moment ago."""
        return self._form.is_narrow(_now())

    def open(self, resend: list[str | bytes]) -> None:
        """Open the queue to a live connection: `resend` goes out first, then what waited."""
        self.is_open, self._unsent = True, 0
        self.delay.connected()
        self._pings.clear()
        self._queue.extendleft(Numbered(one) if isinstance(one, str) else one for one in reversed(resend))
        self._waiting.begin(sum(map(_frame_ms, resend)))
        self._signal()

    def close(self) -> None:
        """Record that the connection is lost; what the session keeps is dropped."""
        self.is_open = self._is_probed = False
        self._queue = deque(item for item in self._queue if not _is_kept(item))
        self._reports.clear()
        self._waiting.begin(0.0)
        self._signal()

    def audio(self, frame: bytes) -> None:
        """Queue a numbered frame of microphone audio, at the cost of the oldest when too much waits."""
        if not self.is_open:
            return
        self._queue.append(frame)
        self._waiting.add(_frame_ms(frame), _now())
        while self._waiting.is_too_much:
            self._drop_oldest_frame()
            self._form.dropped(_now())
        if self.delay.is_full:
            self._form.held(_now())
        self._signal()

    def answered(self, pong: Pong) -> bool:
        """A pong came: what waits for room on the line may go. Return whether it answers a ping of ours."""
        sent_at = self._pings.pop(pong.t, None)
        if sent_at is None:
            return False
        self.delay.answered(sent_at, pong.server_ms / 1000, _now())
        self._waiting.pong(sent_at, _now())
        self._signal()
        return True

    def ping(self) -> None:
        """Ask for a pong, before all that waits."""
        now = _now()
        self._pings[now * 1000] = now
        self.report(encode(Ping(now * 1000)))

    async def message(self, message: ClientMessage) -> None:
        """Queue a message, connected or not; waits while too many are queued."""
        while len(self._queue) + self._unsent >= MESSAGES:
            self._has_room.clear()
            await self._has_room.wait()
        if not isinstance(message, NumberedMessage):
            self._queue.append(encode(message))
        elif self.is_open:
            self._queue.append(Numbered(self._session.say(message)))
        else:
            self._session.say(message)
            self._unsent += 1
        self._signal()

    def tell(self, text: str) -> None:
        """Queue a message that is worth something now or never, behind what was said before."""
        if self.is_open:
            self._queue.append(text)
            self._signal()

    def report(self, text: str) -> None:
        """Send a message that is worth something now or never, before all that waits."""
        if self.is_open:
            self._reports.append(text)
            self._signal()

    async def take(self) -> str | bytes:
        """The next to write; waits for a connection and for something to say."""
        while not (self.is_open and (self._reports or self._is_ready())):
            self._has_work.clear()
            await self._has_work.wait()
        if self._reports:
            return self._reports.popleft()
        if isinstance(self._queue[0], bytes) and not self._is_probed:
            self._is_probed = True
            now = _now()
            if self.delay.frame(_frame_ms(self._queue[0]) / 1000, now):
                self._pings[now * 1000] = now
                self._ping = encode(Ping(now * 1000))
                return self._ping
        item = self._queue.popleft()
        self._is_probed = self._is_probed and isinstance(item, str)
        self._waiting.take(_frame_ms(item))
        self._signal()
        return item if isinstance(item, str) else self._form.written(item, _now())

    def put_back(self, item: str | bytes) -> None:
        """The socket broke before `item` was written."""
        if not _is_kept(item) and item != self._ping:
            self._queue.appendleft(item)

    def _is_ready(self) -> bool:
        if not self._queue:
            return False
        return not self.delay.is_full or any(isinstance(item, str) for item in self._queue)

    def _signal(self) -> None:
        self._has_work.set()
        self._has_room.set()

    def _drop_oldest_frame(self) -> None:
        oldest = next(item for item in self._queue if isinstance(item, bytes))
        self._queue.remove(oldest)
        self._waiting.take(_frame_ms(oldest))
        self.dropped_ms += _frame_ms(oldest)


def _is_kept(item: str | bytes) -> bool:
    """The protocol session has it: it need not survive a break here."""
    return isinstance(item, bytes | Numbered)


def _frame_ms(item: str | bytes) -> float:
    return uplink_ms(len(item) - HEADER_BYTES) if isinstance(item, bytes) else 0.0


def _now() -> float:
    return asyncio.get_running_loop().time()
