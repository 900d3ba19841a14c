"""Reactions of a conversation to what arrives: play, stop playing, run tools, change relay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from ._protocol.audio import AudioFrame
from ._protocol.client import ClientSession
from ._protocol.codec import encode
from ._protocol.media import (
    Ack,
    EndCall,
    GoingAway,
    Live,
    Mic,
    Playback,
    Pong,
    ToolCall,
    ToolCancel,
    TurnAudioEnd,
    TurnEnded,
    TurnInterrupted,
    TurnStarted,
)
from .events import ConversationEvent, EventQueue, Quality
from .outbox import Outbox
from .tools import Toolbox


class Speaker(Protocol):
    """Sink for the agent's audio. `playback.VirtualSpeaker` is one; a sound card is another."""

    def play(self, turn: int, pcm: bytes) -> None:
        """Queue 24 kHz mono s16le behind what is already queued."""

    def finish(self, turn: int) -> None:
        """No more audio of `turn` and earlier follows."""

    def flush(self, turn: int) -> int:
        """Be silent about `turn` and earlier at once. Returns how many ms of `turn` were heard."""

    async def run(self, report: Callable[[Playback], None]) -> None:
        """Play until cancelled; report every change, and once a second while playing."""


class Silence:
    """The speaker of a conversation that has none: it plays nothing and reports nothing."""

    def play(self, turn: int, pcm: bytes) -> None:
        pass

    def finish(self, turn: int) -> None:
        pass

    def flush(self, turn: int) -> int:
        return 0

    async def run(self, report: Callable[[Playback], None]) -> None:
        await asyncio.Event().wait()


class Reactions:
    """Between the media connections and the reader of events."""

    def __init__(
        self, session: ClientSession, outbox: Outbox, events: EventQueue, tools: Toolbox, speaker: Speaker
    ) -> None:
        self._session = session
        self._outbox = outbox
        self._events = events
        self._tools = tools
        self._speaker = speaker
        self._epoch = 0
        self._speaking = 0  #: the agent turn that is open, 0 for none
        self._is_awaited = False  #: the user has spoken, the agent has not
        self._must_move = False  #: the relay asked us to leave at the next turn gap
        self._mic: Mic | None = None  #: the latest word on the microphone
        self._playback: Playback | None = None  #: the latest report
        self._end: EndCall | None = None  #: sent, and perhaps lost with a connection
        self._is_narrow = False  #: as the reader of events knows it

    async def receive(self, item: ConversationEvent) -> bool:
        """Act on `item` and hand it on. True: now is the time to leave a relay that goes away."""
        match item:
            case AudioFrame():
                self._speaker.play(item.turn, item.pcm)
            case Live():
                self._catch_up(item)
            case TurnAudioEnd() | TurnEnded(role="agent"):
                self._speaker.finish(item.turn)
            case TurnInterrupted():
                self.silence(item.turn)
            case ToolCall():
                self._tools.call(item)
            case ToolCancel():
                self._tools.cancel(item.call_ids)
            case Ack():  # the protocol session's business only
                return False
            case Pong() if self._outbox.answered(item):
                self._watch_line()
                return False
        await self._events.put(item)
        return self._is_time_to_move(item)

    def silence(self, turn: int) -> int:
        """Stop playing `turn` at once. Returns how many ms of it were played."""
        self._session.interrupt(turn)
        self._events.drop_audio(turn)
        return self._speaker.flush(turn)

    def microphone(self, state: Literal["open", "paused", "closed"]) -> None:
        """Tell the server what the microphone does; after a break it hears the latest."""
        self._mic = Mic(state)
        self._outbox.tell(encode(self._mic))

    def report(self, playback: Playback) -> None:
        """Tell the server what was heard; after a break it hears the latest."""
        self._playback = playback
        self._outbox.report(encode(playback))

    def keep_end(self, message: EndCall) -> None:
        """Keep an `end` that was sent, to send it again after a break."""
        self._end = message

    def _watch_line(self) -> None:
        is_narrow = self._outbox.is_narrow
        if is_narrow is not self._is_narrow:
            self._is_narrow = is_narrow
            quality: Literal["good", "narrow"] = "narrow" if is_narrow else "good"
            self._events.post(Quality(quality, self._outbox.delay.delay_s, self._outbox.dropped_ms))

    def _catch_up(self, live: Live) -> None:
        """A connection is live: tell the server what it may have missed."""
        if live.e != self._epoch:  # another relay: what the last one had begun ends here
            self._speaker.finish(self._session.last_turn)
            self._epoch, self._speaking, self._is_awaited = live.e, 0, False
        self._must_move = False
        for latest in (self._mic, self._playback, self._end):
            if latest is not None:
                self._outbox.tell(encode(latest))

    def _is_time_to_move(self, item: ConversationEvent) -> bool:
        match item:
            case GoingAway(move=True):
                self._must_move = True
            case TurnEnded(role="user"):
                self._is_awaited = True
            case TurnStarted(role="agent"):
                self._speaking, self._is_awaited = item.turn, False
            case TurnEnded(role="agent") | TurnInterrupted():
                self._speaking, self._is_awaited = 0, False
        return self._must_move and not self._speaking and not self._is_awaited
