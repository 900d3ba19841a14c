"""One exchange: what the user said, what the agent answered, and how much of that was heard."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from protocol.audio import downlink_ms
from protocol.media import Outcome, Tokens
from protocol.states import TURN, TurnState, advance
from relay.words import TextField, Words


@dataclass(slots=True)
class ToolUse:
    """A tool call that the model made in a turn."""

    call_id: str
    name: str
    args: dict[str, Any]
    asked_at: float
    ok: bool | None = None  #: None: nobody has answered
    took_ms: int = 0

    def answer(self, ok: bool, now: float) -> None:
        self.ok, self.took_ms = ok, round((now - self.asked_at) * 1000)


_USER, _AGENT = TextField(), TextField()


@dataclass
class Turn:
    """The user's part and the agent's share one number. Times are loop time in seconds."""

    number: int
    started_at: float
    ended_at: float = 0.0
    state: TurnState = TurnState.SILENT
    user_started: bool = False
    user_text: TextField = _USER  #: reads as `str`
    user_ended_at: float | None = None
    message_n: int = 0  #: the client's messages up to this number belong to this turn or an earlier one
    uplink_seq: int = -1  #: the microphone's frames up to this number belong to this turn or an earlier one
    is_read: bool = False  #: the user reads the agent's words and hears nothing
    ends_typed: bool = False  #: the user's last words so far were typed, not spoken
    agent_text: TextField = _AGENT
    audio_ms: float = 0.0  #: of the agent's voice, as far as it was passed on
    first_audio_at: float | None = None
    last_audio_at: float = 0.0
    dropped_ms: float = 0.0  #: of the agent's voice, what came after the interruption
    played_ms: int | None = None  #: what the client reported last
    cut_at: float | None = None  #: when an interruption was decided
    failure: Literal["empty", "rejected", "lost"] | None = None  #: why its answer is missing or incomplete
    finish_at: float | None = None  #: wait until then for the client to say what was played
    tokens: Tokens = field(default_factory=Tokens)
    tools: list[ToolUse] = field(default_factory=list)

    def advance(self, event: str) -> None:
        self.state = advance(TURN, self.state, event)

    @property
    def user_words(self) -> Words:
        return _USER.words(self)

    @user_words.setter
    def user_words(self, words: Words) -> None:
        _USER.put(self, words)

    @property
    def agent_words(self) -> Words:
        return _AGENT.words(self)

    @agent_words.setter
    def agent_words(self, words: Words) -> None:
        _AGENT.put(self, words)

    def end_speech(self, now: float) -> None:
        """The user's words are over by now, if nobody knows better when."""
        if self.user_ended_at is None:
            self.user_ended_at = now

    def add_audio(self, pcm: bytes, now: float) -> None:
        if not self.is_read:
            self.audio_ms += downlink_ms(len(pcm))
        if self.first_audio_at is None:
            self.first_audio_at = now
        self.last_audio_at = now

    def drop_audio(self, pcm: bytes) -> None:
        """Audio that is not passed on; its words may come all the same."""
        self.dropped_ms += downlink_ms(len(pcm))

    @property
    def lasted_s(self) -> float:
        return max(0.0, self.ended_at - self.started_at)

    @property
    def first_audio_ms(self) -> int:
        """End of the user's speech to the first audio here; 0 when either is unknown."""
        if self.user_ended_at is None or self.first_audio_at is None:
            return 0
        return max(0, round((self.first_audio_at - self.user_ended_at) * 1000))

    @property
    def generation_ms(self) -> int:
        return round((self.last_audio_at - self.first_audio_at) * 1000) if self.first_audio_at else 0

    @property
    def outcome(self) -> Outcome:
        if self.cut_at is not None:
            return "interrupted"
        return self.failure or "completed"

    @property
    def is_interrupted(self) -> bool:
        return self.state is TurnState.INTERRUPTED

    def heard_ms(self) -> float:
        """How much of the agent's voice was heard: what the client reported, else what time allows."""
        if self.cut_at is None:
            return self.audio_ms
        if self.played_ms is not None:
            return min(float(self.played_ms), self.audio_ms)
        if self.first_audio_at is None:
            return 0.0
        return min((self.cut_at - self.first_audio_at) * 1000, self.audio_ms)

    def heard_text(self) -> str:
        """The words heard. Without word times from the model, text is spread evenly over the audio.

        Of what is read, all words that were told.
        """
        if self.cut_at is None or self.is_read:
            return self.agent_text
        if self.audio_ms <= 0:
            return ""
        text = self.agent_text
        share = self.heard_ms() / (self.audio_ms + self.dropped_ms)
        return _whole_words(text, round(len(text) * share))


def _whole_words(text: str, chars: int) -> str:
    """The words of `text` whose larger half lies within the first `chars` characters."""
    if chars >= len(text):
        return text
    kept = end = 0
    for word in text.split(" "):
        if end + len(word) / 2 > chars:
            break
        end += len(word)
        kept = end
        end += 1  # the space behind it
    return text[:kept]
