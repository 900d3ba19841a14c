"""The relay's end of the media road, without I/O: bytes and time in, messages and audio frames out.

    ticket ok          hello              model leg up            socket lost          hello again
  ──────────▶ WAITING ───────▶ OPENING ───────────────▶ LIVE ───────────────▶ DETACHED ───────────▶ OPENING …

What the conversation says goes through `send` and `send_audio` and is kept in the journal, so that a client
that reconnects gets exactly what it lacks. Before its hello that is unknown: until then it gets
answers only. After the end a client that reconnects still gets the final events it lacks. What goes out is
encoded by the connection's codec (`ServerCodec`), when it is written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec.structs import replace

from .audio import DOWNLINK_MAX_BYTES, AudioFrame, check_uplink, decode_uplink
from .codec import Outgoing, client_messages, common_version, media_error, utf8_bytes
from .errors import REGISTRY, RemoteProtocolError
from .journal import Journal
from .limits import (
    BYTES_BURST,
    BYTES_PER_S,
    HELLO_TIMEOUT_S,
    MESSAGES_BURST,
    MESSAGES_PER_S,
    NORMAL_CLOSE,
    PENDING_AUDIO_MS,
    PENDING_EVENT_BYTES,
    VERSIONS,
)
from .media import (
    Activity,
    ClientMessage,
    Context,
    Event,
    Hello,
    History,
    Image,
    Live,
    Mic,
    PastTurn,
    Ping,
    Pong,
    Text,
)
from .pace import AudioPace, TokenBucket, UserPace, chars_of
from .receipts import Receipts
from .states import SERVER, ServerState, advance

REFUSALS_LIMIT = 100  #: refused messages on one connection before it is closed
_FATAL = ("rate_limited", "protocol_mismatch")  #: for the connection, when what comes in must not be read
_ORDERED = (Mic, Activity, Text, Context, Image)  #: has its place in the audio


class ServerSession:
    """One call's side of the protocol. It outlives its client connections."""

    def __init__(
        self,
        epoch: int,
        now: float,
        past: Sequence[PastTurn] = (),
        message_n: int = 0,
        uplink_seq: int = -1,
        pace: UserPace | None = None,
    ) -> None:
        """`past` are the finished turns of earlier epochs, in order; the numbers are as in `Receipts`.

        `pace` is shared with the user's other calls.
        """
        self.epoch = epoch
        self._past = past
        self.state = ServerState.WAITING
        self.journal = Journal(epoch)
        self.hello: Hello | None = None  #: of the present connection, or of the last one while there is none
        self.version = VERSIONS[-1]
        self.close_code: int | None = None  #: set: write what is pending, then close with it
        self.receipts = Receipts(message_n, uplink_seq)
        self._messages = TokenBucket(MESSAGES_PER_S, MESSAGES_BURST, now)  # these are the call's:
        self._bytes = TokenBucket(BYTES_PER_S, BYTES_BURST, now)  # reconnecting fills no bucket
        pace = pace or UserPace(now)
        self._audio, self._chars = AudioPace(pace.audio), pace.chars
        self._refusals = 0
        self._last_close = NORMAL_CLOSE  #: close code of the ended call
        self._deadline: float | None = None
        self.attached(now)

    # ---- the connection

    def attached(self, now: float) -> None:
        """A client connection is up; it must say hello next."""
        self.close_code = None
        self.hello = None
        self.journal.forget_answers()
        self._refusals = 0
        self._deadline = now + HELLO_TIMEOUT_S

    def client_lost(self) -> None:
        """Record that the client connection is lost, whatever the reason."""
        self.state = advance(SERVER, self.state, "lost")
        self._deadline = None

    def next_timeout(self) -> float | None:
        """Time at which the driver must call `handle_timeout` and `audio_due`; None for never."""
        waits = (self._deadline, self._audio.next_timeout())
        return min((at for at in waits if at is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self.refuse("hello_timeout", fatal=True)

    # ---- what the client says

    def receive_text(self, text: str | bytes, now: float) -> ClientMessage | None:
        """The message to act on; None for one that was here before, or answered here: `ping`, a refusal."""
        try:
            self._admit(utf8_bytes(text), now)
            message: ClientMessage = client_messages.decode(text)
            if isinstance(message, Hello):
                return self._receive_hello(message)
            if self.hello is None:
                raise RemoteProtocolError("out_of_order", ref="hello")
            if isinstance(message, Ping):
                self.journal.put_answer(Pong(message.t, int(now * 1000)))
                return None
            return self._admit_text(message, now) if self.receipts.take(message) else None
        except RemoteProtocolError as error:
            fatal = self.hello is None or error.code in _FATAL
            self.refuse(error.code, ref=error.ref, detail=error.detail, fatal=fatal)
            return None

    def receive_audio(self, data: bytes, now: float) -> list[AudioFrame]:
        """The frames to hand to the model now; those over the rate are due later, or dropped and counted."""
        try:
            self._admit(len(data), now)
            if self.hello is None:
                raise RemoteProtocolError("out_of_order", ref="hello")
            seq = check_uplink(data)
        except RemoteProtocolError as error:
            self.refuse(error.code, ref=error.ref, fatal=self.hello is None or error.code in _FATAL)
            return []
        if self.receipts.take_frame(seq):
            self._audio.put(data)
        return self.audio_due(now)

    def audio_due(self, now: float) -> list[AudioFrame]:
        """Frames whose time has come: ask before acting on a message of `receive_text`, too."""
        return [decode_uplink(data) for data in self._audio.take(now)]

    @property
    def uplink_dropped_ms(self) -> float:
        """Microphone audio given up because it came faster than it can have been spoken."""
        return self._audio.dropped_ms

    def settled_audio(self, seq: int) -> None:
        """Microphone frames up to that one will be wanted by no relay: their client need not keep them."""
        if ack := self.receipts.settled_audio(seq):
            self.journal.put_answer(ack)

    def settled(self, message_n: int) -> None:
        """Messages up to that one are answered and written down: their client need not keep them."""
        if ack := self.receipts.settled(message_n):
            self.journal.put_answer(ack)

    def client_keeps(self, frames: tuple[int, int]) -> bool:
        """Whether all these frames, the first to the last, will be sent again. If not, none is taken."""
        assert self.hello is not None
        first, last = frames
        if self.hello.after[0] and 0 <= self.hello.kept_seq <= first:
            return True
        self.receipts.skip_frames(last)
        return False

    # ---- what the conversation says

    def go_live(self, live: Live) -> None:
        """Answer the hello, and queue what the client lacks behind it."""
        self.state = advance(SERVER, self.state, "live")
        first = self._catch_up()
        taken = self.receipts
        live = replace(live, version=self.version, replay_from=first, uplink_seq=taken.seq + 1)
        self.journal.put_answer(replace(live, message_n=taken.message_n))
        if taken.acked.message_n:  # it may have been lost with a connection
            self.journal.put_answer(taken.acked)
        lacking = self._lacking_turns()
        if lacking:
            self.journal.put_answer(History(lacking))

    def send(self, event: Event) -> None:
        """Number an event, queue it, and keep it for a replay. After the end: nothing."""
        if self.state is not ServerState.ENDED:
            self.journal.put_event(event)

    def send_audio(self, turn: int, pcm: bytes) -> bool:
        """Queue the agent's voice, in frames that every client can take, however much comes at once.

        `pcm` is whole samples. False when its turn was interrupted, or the call has ended.
        """
        if self.state is ServerState.ENDED:
            return False
        starts = range(0, max(1, len(pcm)), DOWNLINK_MAX_BYTES)
        return all(self.journal.put_audio(turn, pcm[at : at + DOWNLINK_MAX_BYTES]) for at in starts)

    def interrupt(self, turn: int) -> float:
        """Let no further frame of `turn` out. Returns the milliseconds that were never written."""
        return self.journal.interrupt(turn)

    def end(self, event: Event | None = None, *, code: str | None = None) -> None:
        """Queue the closing message, `event`, then close. `code` names the error that ended the call.

        A client that has not said hello yet is only told that, and gets the rest when it reconnects in time.
        """
        if self.state is ServerState.ENDED:
            return
        if event is not None:
            self.send(event)
        if self.state is ServerState.OPENING:
            self._catch_up()
        elif self.hello is None:
            self.journal.put_answer(media_error(code or "session_ended", fatal=True))
        self.state = advance(SERVER, self.state, "end")
        self._deadline = None
        self._last_close = (REGISTRY[code].close if code else None) or NORMAL_CLOSE
        self.close_code = self._last_close

    def refuse(
        self, code: str, *, ref: str = "", detail: str = "", fatal: bool = False, retry_after_ms: int = 0
    ) -> None:
        """Answer a message that cannot be accepted; too many of them close the connection."""
        self._refusals += 1
        if self._refusals > REFUSALS_LIMIT:
            code, detail, fatal = "rate_limited", "", True
        if self.close_code is None:
            error = media_error(code, ref=ref, detail=detail, retry_after_ms=retry_after_ms, fatal=fatal)
            self.journal.put_answer(error)
        if fatal:  # an unknown type has no close code of its own, but closes when it comes before hello
            self.close_code = self.close_code or REGISTRY[code].close or REGISTRY["out_of_order"].close

    # ---- what goes out

    def data_to_send(self) -> Outgoing | None:
        """The next message to write; None when there is none that this connection may have now."""
        is_caught_up = self.state is ServerState.LIVE and self.close_code is None
        if is_caught_up or (self.state is ServerState.ENDED and self.hello is not None):
            return self.journal.take()
        return self.journal.take_answer()

    @property
    def has_output(self) -> bool:
        """The driver may have something to write, or a connection to close."""
        return self.journal.has_pending or self.close_code is not None

    @property
    def is_backed_up(self) -> bool:
        """So much waits that the model leg must not be read further."""
        journal = self.journal
        return journal.pending_ms > PENDING_AUDIO_MS or journal.waiting_bytes > PENDING_EVENT_BYTES // 2

    @property
    def is_overfull(self) -> bool:
        """So much waits, although the model is not read, that the client must be cut as `slow_client`."""
        return self.journal.waiting_bytes > PENDING_EVENT_BYTES

    @property
    def is_refused(self) -> bool:
        """The present connection is to be closed after its last answer; the call goes on."""
        return self.close_code is not None and self.state is not ServerState.ENDED

    # ----

    def _admit(self, size: int, now: float) -> None:
        if self.close_code is not None:
            raise RemoteProtocolError("out_of_order")
        if not self._messages.take(now) or not self._bytes.take(now, size):
            raise RemoteProtocolError("rate_limited")

    def _admit_text(self, message: ClientMessage, now: float) -> ClientMessage | None:
        """The message, behind the audio that came before it; None when it is over the rate of text."""
        chars = chars_of(message)
        if not self._chars.take(now, chars):
            wait_ms = math.ceil(self._chars.wait_s(now, chars) * 1000)
            kind = str(message.__struct_config__.tag)
            self.refuse("rate_limited", ref=kind, retry_after_ms=wait_ms)
            return None
        if isinstance(message, _ORDERED):
            self._audio.release(now)
        return message

    def _catch_up(self) -> int:
        """Queue what the client lacks. Returns the number of the first event of it, or 0."""
        assert self.hello is not None
        after_e, after_n = self.hello.after
        if after_e != self.epoch:  # it knows nothing of this epoch
            return self.journal.rewind(0, 0)
        return self.journal.rewind(after_n, self.hello.next_seq)

    def _lacking_turns(self) -> list[PastTurn]:
        """Turns that the client may not have to their end: it knows a turn from its beginning on."""
        assert self.hello is not None
        if self.hello.after[0] == self.epoch:  # it got them when it came into this epoch
            return []
        return [turn for turn in self._past if turn.turn >= self.hello.last_turn]

    def _receive_hello(self, hello: Hello) -> Hello | None:
        if self.hello is not None:
            raise RemoteProtocolError("out_of_order", ref="hello")
        self.version = common_version(hello.versions, VERSIONS)
        if hello.after[0] > self.epoch:  # the session has moved on: a resume leads to where it is now
            raise RemoteProtocolError("going_away")
        self.state = advance(SERVER, self.state, "hello")
        self.hello, self._deadline = hello, None
        if self.state is ServerState.ENDED:
            self._catch_up()
            self.close_code = self._last_close
            return None
        return hello
