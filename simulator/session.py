"""One conversation over one connection: what each client message sets off.

`handle` never waits. It notes the message, cuts the current turn if the message
interrupts it, and queues what is to be answered; `performance.py` does the rest.
"""

from typing import Any, assert_never

from simulator import calls as tools
from simulator import refusal, wire
from simulator.brain import Read
from simulator.context import VIDEO_TOKENS, Entry
from simulator.conversation import Conversation
from simulator.performance import Performance
from simulator.refusal import Refusal, invalid
from simulator.setup import text_of
from simulator.voice import SpeechEnded, SpeechStarted, VoiceEvent


class Session:
    """Client messages in; turns, transcripts, calls and handles out through the outlet."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.performance = Performance(conversation)

    def handle(self, message: wire.ClientMessage) -> None:
        """Take one message after the setup. Raises Refusal when Google would close the socket."""
        at = self.conversation
        match message:
            case wire.AudioSent(pcm):
                self._hear(pcm)
            case wire.ActivityMarked(is_start):
                if not at.setup.voice.disabled:
                    raise Refusal(refusal.EXPLICIT_ACTIVITY)
                self._follow(at.detector.begin() if is_start else at.detector.end())
            case wire.AudioStreamEnded():
                self._end_stream()
            case wire.TextSent(text):
                self._read(text)
            case wire.ContentSent(turns, turn_complete):
                self._take_content(turns, turn_complete)
            case wire.ToolResponded(responses):
                for response in responses:
                    self._take_response(tools.read(response, at.setup))
            case wire.VideoSent():
                at.memory.entries.append(Entry("user", "", video_tokens=VIDEO_TOKENS))
            case wire.ContextUpdated(update):
                at.setup = at.setup.updated(update)
                at.note("context.updated")
            case wire.SetupSent():
                raise Refusal(refusal.SETUP_FIRST)
            case _:
                assert_never(message)

    def _hear(self, pcm: bytes) -> None:
        at = self.conversation
        at.memory.uplink_bytes += len(pcm)
        at.memory.planted.feed(pcm)
        self._follow(at.detector.feed(pcm))

    def _end_stream(self) -> None:
        at = self.conversation
        if not at.setup.voice.disabled and at.world.behaviour.stream_end == "honour":
            self._follow(at.detector.end())

    def _follow(self, events: list[VoiceEvent]) -> None:
        at = self.conversation
        for event in events:
            kind = "ACTIVITY_START" if isinstance(event, SpeechStarted) else "ACTIVITY_END"
            if at.world.behaviour.voice_activity == "sent":
                at.outlet.emit({"voiceActivity": {"type": kind, "audioOffset": f"{event.at_s:.3f}s"}})
            if isinstance(event, SpeechEnded):
                at.note("speech.ended", at_s=round(event.at_s, 3))
                self.performance.user_is_silent.set()
                self.performance.ask(event.utterance)
                continue
            at.note("speech.started", at_s=round(event.at_s, 3))
            self.performance.user_is_silent.clear()
            if at.setup.interrupts:
                self.performance.interrupt("speech")

    def _read(self, text: str) -> None:
        """Typed while the model speaks, it interrupts like speech does (our guess)."""
        if self.conversation.setup.interrupts:
            self.performance.interrupt("text")
        self.performance.ask(Read(text))

    def _take_content(self, turns: list[dict[str, Any]], turn_complete: bool) -> None:
        """Past turns become history; with `turnComplete` the last one is answered, unconditionally."""
        at = self.conversation
        if at.setup.model.history_only_at_start and at.memory.turn:
            raise invalid()
        for turn in turns:
            roles = ("user", "model") if at.setup.model.needs_role else ("user", "model", None)
            if turn.get("role") not in roles:
                raise invalid()
        asked = turns[-1:] if turn_complete else []
        for turn in turns[: len(turns) - len(asked)]:
            at.remember(turn.get("role") or "user", text_of(turn))
        if turn_complete:
            self.performance.interrupt("content")
            self.performance.ask(Read(text_of(asked[0]) if asked else self._taken_back()))

    def _taken_back(self) -> str:
        """The user's last words in the context, out of it again: asking for an answer puts them back."""
        entries = self.conversation.memory.entries
        return entries.pop().text if entries and entries[-1].role == "user" else ""

    def _take_response(self, response: tools.Response) -> None:
        at = self.conversation
        pending = at.calls.answered(response)
        if pending is None:
            at.note("tool.stray", id=response.id)
            return
        at.note(
            "tool.answered",
            id=response.id,
            name=pending.name,
            scheduling=response.scheduling,
            twin=pending.is_twin,
        )
        if pending.is_twin:
            return
        at.remember("tool", response.returned.text)
        if pending.is_blocking:
            return
        if response.scheduling == "SILENT":
            self.performance.settle()
            return
        if response.scheduling == "INTERRUPT":
            self.performance.interrupt("tool")
        self.performance.ask(response.returned)
