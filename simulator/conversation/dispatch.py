"""Dispatch of client messages: the effect of each on the conversation.

`handle` never waits. It notes the message, cuts the current turn if the message
interrupts it, and queues what is to be answered; `model_turns.py` does the rest.
"""

from collections import deque
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

HELD = 3_000  #: messages that wait for the history: a minute of audio; the oldest go (our guess)


class MessageDispatch:
    """Client messages in; turns, transcripts, calls and handles out through the outlet."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.model_turns = ModelTurns(conversation)
        self._waits_for_history = conversation.setup.waits_for_history
        self._held: deque[messages.ClientMessage] = deque(maxlen=HELD)

    def handle(self, message: messages.ClientMessage) -> None:
        """Take one message after the setup. Raises Refusal when Google would close the socket."""
        at = self.conversation
        if self._waits_for_history and isinstance(message, messages.REALTIME):
            self._held.append(message)
            return
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
                    self._take_response(calls.read(response, at.setup, needs_id=at.calls.needs_id))
            case messages.VideoSent():
                at.memory.entries.append(Entry("user", "", video_tokens=VIDEO_TOKENS))
            case messages.ContextUpdated(update):
                if not at.setup.model.profile.context_update.value:
                    raise invalid()
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
        told = at.world.behaviour.stream_end
        heeds = told == "honour" if told else at.setup.model.profile.flush.value == "stream_end"
        if heeds and not at.setup.detection.disabled:
            self._follow(at.detector.end())

    def _follow(self, events: list[SpeechEvent]) -> None:
        at, told = self.conversation, self.conversation.world.behaviour.voice_activity
        tells = told == "sent" if told else at.setup.model.profile.voice_activity.value
        for event in events:
            kind = "ACTIVITY_START" if isinstance(event, SpeechStarted) else "ACTIVITY_END"
            if tells:
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
        self._check_content(turns)
        if self._waits_for_history:
            self._take_history(turns, turn_complete)
            return
        asked = turns[-1:] if turn_complete else []
        for turn in turns[: len(turns) - len(asked)]:
            at.remember(turn.get("role") or "user", text_of(turn))
        if turn_complete or at.setup.model.profile.client_content_interrupts.value:
            self.model_turns.interrupt("content")
        if turn_complete:
            self.model_turns.ask(Read(text_of(asked[0]) if asked else self._taken_back()))

    def _check_content(self, turns: list[dict[str, Any]]) -> None:
        """Raises Refusal where the model takes no turns any more, and for a role that it does not know."""
        model, at = self.conversation.setup.model, self.conversation
        history = model.profile.history.value
        if (history == "at_start" and at.memory.turn) or (
            history == "history_config" and not self._waits_for_history
        ):
            raise invalid()
        for turn in turns:
            if turn.get("role") not in (("user", "model") if model.needs_role else ("user", "model", None)):
                raise invalid()

    def _take_history(self, turns: list[dict[str, Any]], is_all: bool) -> None:
        """What was said before, which is not answered. What came meanwhile is taken after all of it."""
        for turn in turns:
            self.conversation.remember(turn.get("role") or "user", text_of(turn))
        if is_all:
            self._waits_for_history = False
            while self._held:
                self.handle(self._held.popleft())

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
