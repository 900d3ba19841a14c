"""Dispatch of client messages: the effect of each on the conversation.

`handle` never waits. It notes the message, cuts the current turn if the message
interrupts it, and queues what is to be answered; `model_turns.py` does the rest.
"""

from typing import Any, assert_never

from simulator.conversation import calls
from simulator.conversation.conversation import Conversation
from simulator.conversation.model_turns import ModelTurns
from simulator.conversation.replies import Read
from simulator.session.context import VIDEO_TOKENS, Entry
from simulator.session.setup import text_of
from simulator.speech.turn_detection import SpeechEnded, SpeechEvent, SpeechStarted
from simulator.wire import messages, refusal
from simulator.wire.refusal import Refusal, invalid


class MessageDispatch:
    """Client messages in; turns, transcripts, calls and handles out through the outlet."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.model_turns = ModelTurns(conversation)

    def handle(self, message: messages.ClientMessage) -> None:
        """Take one message after the setup. Raises Refusal when Google would close the socket."""
        at = self.conversation
        match message:
            case messages.AudioSent(pcm):
                self._hear(pcm)
            case messages.ActivityMarked(is_start):
                if not at.setup.detection.disabled:
                    raise Refusal(refusal.EXPLICIT_ACTIVITY)
                self._follow(at.detector.begin() if is_start else at.detector.end())
            case messages.AudioStreamEnded():
                self._end_stream()
            case messages.TextSent(text):
                self._read(text)
            case messages.ContentSent(turns, turn_complete):
                self._take_content(turns, turn_complete)
            case messages.ToolResponded(responses):
                for response in responses:
                    self._take_response(calls.read(response, at.setup))
            case messages.VideoSent():
                at.memory.entries.append(Entry("user", "", video_tokens=VIDEO_TOKENS))
            case messages.ContextUpdated(update):
                at.setup = at.setup.updated(update)
                at.note("context.updated")
            case messages.SetupSent():
                raise Refusal(refusal.SETUP_FIRST)
            case _:
                assert_never(message)

    def _hear(self, pcm: bytes) -> None:
        at = self.conversation
        at.memory.uplink_bytes += len(pcm)
        at.memory.watermarks.feed(pcm)
        self._follow(at.detector.feed(pcm))

    def _end_stream(self) -> None:
        at = self.conversation
        if not at.setup.detection.disabled and at.world.behaviour.stream_end == "honour":
            self._follow(at.detector.end())

    def _follow(self, events: list[SpeechEvent]) -> None:
        at = self.conversation
        for event in events:
            kind = "ACTIVITY_START" if isinstance(event, SpeechStarted) else "ACTIVITY_END"
            if at.world.behaviour.voice_activity == "sent":
                at.outlet.emit({"voiceActivity": {"type": kind, "audioOffset": f"{event.at_s:.3f}s"}})
            if isinstance(event, SpeechEnded):
                at.note("speech.ended", at_s=round(event.at_s, 3))
                self.model_turns.user_is_silent.set()
                self.model_turns.ask(event.utterance)
                continue
            at.note("speech.started", at_s=round(event.at_s, 3))
            self.model_turns.user_is_silent.clear()
            if at.setup.interrupts:
                self.model_turns.interrupt("speech")

    def _read(self, text: str) -> None:
        """Typed while the model speaks, it interrupts like speech does (our guess)."""
        if self.conversation.setup.interrupts:
            self.model_turns.interrupt("text")
        self.model_turns.ask(Read(text))

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
            self.model_turns.interrupt("content")
            self.model_turns.ask(Read(text_of(asked[0]) if asked else self._taken_back()))

    def _taken_back(self) -> str:
        """Remove and return the user's latest entry of the context; answering it adds it again."""
        entries = self.conversation.memory.entries
        return entries.pop().text if entries and entries[-1].role == "user" else ""

    def _take_response(self, response: calls.Response) -> None:
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
            self.model_turns.settle()
            return
        if response.scheduling == "INTERRUPT":
            self.model_turns.interrupt("tool")
        self.model_turns.ask(response.returned)
