"""A client's end of the media road, without I/O. The TypeScript client is held to the same vectors."""

from __future__ import annotations

from dataclasses import dataclass

from .audio import AudioFrame, decode_audio
from .codec import encode, server_messages
from .errors import RemoteProtocolError
from .limits import VERSIONS
from .media import (
    Ack,
    Ended,
    Error,
    Hello,
    History,
    Live,
    NumberedMessage,
    ServerMessage,
    TurnInterrupted,
    TurnStarted,
)
from .states import CLIENT, ClientState, advance
from .uplink import Uplink


@dataclass(slots=True)
class Counters:
    """Counts of what this end dropped, by reason."""

    unknown_types: int = 0  #: messages of a newer server
    bad: int = 0  #: messages that were not valid
    duplicate_events: int = 0
    duplicate_frames: int = 0
    interrupted_frames: int = 0  #: audio of a turn that was interrupted
    missing_frames: int = 0  #: gaps in the agent's audio that no interruption explains
    resent_frames: int = 0
    resent_messages: int = 0
    stale_uplink_ms: float = 0.0  #: microphone audio of a break that was too long to be kept


class ClientSession:
    """One session's media road over any number of connections."""

    def __init__(self) -> None:
        self.state = ClientState.NEW
        self.counters = Counters()
        self.after = (0, 0)  #: [e, n] of the last event received
        self.last_turn = 0
        self.interrupted = 0  #: audio of this turn and earlier is dropped
        self.capabilities: list[str] = []  #: of the present server, or of the last one
        self._expected_seq = 0  #: next audio frame of the agent
        self._frame_turn = 0  #: turn of the last one
        self._uplink = Uplink()

    def hello(self) -> str:
        """The first message of a new media connection."""
        self.state = advance(CLIENT, self.state, "hello")
        position = self.after, self.last_turn, self._expected_seq, self._uplink.kept_seq
        return encode(Hello(list(VERSIONS), *position))

    def lost(self) -> None:
        """Record that the media connection is lost."""
        self.state = advance(CLIENT, self.state, "lost")

    def receive(self, data: str | bytes) -> list[ServerMessage | AudioFrame]:
        """Return what is new in one message; drop and count duplicates and audio of interrupted turns."""
        try:
            if isinstance(data, bytes):
                return self._receive_audio(decode_audio(data))
            return self._receive_message(server_messages.decode(data))
        except RemoteProtocolError as error:
            self.counters.unknown_types += error.code == "unknown_type"
            self.counters.bad += error.code != "unknown_type"
            return []

    def audio(self, pcm: bytes) -> bytes:
        """Number a frame of microphone audio and remember it until it is of no more use."""
        frame = self._uplink.audio(pcm, is_live=self.state is ClientState.LIVE)
        self.counters.stale_uplink_ms = self._uplink.stale_ms
        return frame

    def say(self, message: NumberedMessage) -> str:
        """Number a message and remember it until the server has answered it. To be sent only while live."""
        return self._uplink.say(message, is_live=self.state is ClientState.LIVE)

    def resend(self) -> list[str | bytes]:
        """Return what to send again after `live`, in order: what the server lacks."""
        again = self._uplink.resend()
        self.counters.resent_frames += sum(isinstance(one, bytes) for one in again)
        self.counters.resent_messages += sum(isinstance(one, str) for one in again)
        return again

    def interrupt(self, turn: int) -> None:
        """The user or the app stopped the agent: audio of `turn` and earlier is dropped from now on."""
        self.interrupted = max(self.interrupted, turn)

    def _receive_audio(self, frame: AudioFrame) -> list[ServerMessage | AudioFrame]:
        if frame.seq < self._expected_seq:
            self.counters.duplicate_frames += 1
            return []
        gap, self._expected_seq = frame.seq - self._expected_seq, frame.seq + 1
        if frame.turn <= self.interrupted:
            self.counters.interrupted_frames += 1
            return []
        if frame.turn == self._frame_turn:  # between turns a gap is what an interruption took out
            self.counters.missing_frames += gap
        self._frame_turn = frame.turn
        return [frame]

    def _receive_message(self, message: ServerMessage) -> list[ServerMessage | AudioFrame]:
        if isinstance(message, Live):
            if self.state is not ClientState.JOINING or message.e < self.after[0]:
                self.counters.bad += 1  # unasked for, or from a relay that lost the session long ago
                return []
            self._go_live(message)
        elif isinstance(message, Ack):
            self._uplink.acked(message)
        elif message.n and not self._is_new(message):
            self.counters.duplicate_events += 1
            return []
        match message:
            case TurnInterrupted():
                self.interrupt(message.turn)
            case TurnStarted():
                self.last_turn = max(self.last_turn, message.turn)
            case History(turns):
                self.last_turn = max([self.last_turn, *(past.turn for past in turns)])
            case Ended() | Error(fatal=True, retryable=False):  # another fatal error ends the connection only
                self.state = advance(CLIENT, self.state, "end")
        return [message]

    def _is_new(self, message: ServerMessage) -> bool:
        position = (message.e, message.n)
        if position <= self.after:
            return False
        self.after = position
        return True

    def _go_live(self, live: Live) -> None:
        self.state = advance(CLIENT, self.state, "live")
        self.capabilities = live.capabilities
        if live.e != self.after[0]:  # another relay: its events and frames count from their start
            self.after, self._expected_seq = (live.e, 0), 0
        self._uplink.go_live(live)
