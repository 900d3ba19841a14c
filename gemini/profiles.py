"""What Google's models do differently: one table, by family of models. Pure, and imports nothing of ours.

Every entry is a `Fact`: a value, how far it can be trusted, and who says so. Mint, relay, simulator and
doctor read the same table; a model that nobody has described gets `CAUTIOUS`, which no known model refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

Confidence = Literal["documented", "reported", "guessed"]  #: by Google; by others who measured; by us

Text = Literal["client_content", "realtime"]
Flush = Literal["stream_end", "silence"]
Tools = Literal["both", "blocking", "non_blocking", "unwritten"]
Schema = Literal["json_schema", "restricted"]
Thinking = Literal["refused", "level", "optional"]
History = Literal["client_content", "history_config", "at_start"]
Interrupt = Literal["client_content", "none"]
Level = Literal["minimal", "low", "medium", "high"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fact(Generic[_T]):
    """One entry. `source` is an anchor of docs/sources.md, a thread `owner/repository#number` or a URL."""

    value: _T
    confidence: Confidence
    source: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What sets one family of models apart."""

    family: str
    text: Fact[Text]  #: how typed text goes; `client_content` is refused by some after the first turn
    flush: Fact[Flush]  #: what ends the user's turn when the microphone stops
    voice_activity: Fact[bool]  #: says when the user begins and stops to speak
    tools: Fact[Tools]  #: behaviours that a declaration may have; `unwritten`: leave it to the model
    schema: Fact[Schema]  #: of a tool's arguments: JSON Schema, or the subset of OpenAPI's
    response_name: Fact[bool]  #: a tool's result must name its function
    thinking: Fact[Thinking]  #: a level must be absent, must be there, may be there
    levels: Fact[tuple[Level, ...]]  #: of thought that it takes
    history: Fact[History]  #: how earlier turns are told; `at_start`: only before the first turn
    interrupt: Fact[Interrupt]  #: what stops an answer that is under way, besides speech
    client_content_interrupts: Fact[bool]  #: a `clientContent` ends the answer that is under way
    context_update: Fact[bool]  #: instructions and tools can be changed on an open connection
    proactive: Fact[bool]  #: may rightly not answer what was not meant for it
    status: Fact[bool]  #: `turnComplete` comes with `interactionStatus`
    splits_replies: Fact[bool]  #: one reply may come as several turns
    search: Fact[bool]  #: Google Search is among its tools
    silence_honoured: Fact[bool]  #: `silenceDurationMs` has an effect

    @property
    def takes_notes(self) -> bool:
        """What is not to be answered can be told by itself. Others answer all that they are told."""
        return self.text.value == "client_content"

    @property
    def schedules_results(self) -> bool:
        """A tool's result may say when the agent speaks of it: not where the agent always waits for it."""
        return self.tools.value in ("both", "non_blocking")

    @property
    def takes_history_late(self) -> bool:
        """Earlier turns can be told after the first one, to a model that was resumed."""
        return self.history.value == "client_content"

    @property
    def waits_for_history(self) -> bool:
        """A fresh connection waits for earlier turns and their end, and does nothing before."""
        return self.history.value == "history_config"


_MODEL_PAGE = "https://ai.google.dev/gemini-api/docs/models/gemini-3.8-live"
_LIVE_PAGE = "https://ai.google.dev/api/live"
_TOOLS_PAGE = "https://ai.google.dev/gemini-api/docs/live-api/tools"
_THINKING_PAGE = "https://ai.google.dev/gemini-api/docs/live-api/thinking"
_UNKNOWN = "docs/sources.md#gemini-profiles"

_ANY_LEVEL: tuple[Level, ...] = ("minimal", "low", "medium", "high")

_INTERRUPTS = Fact(True, "documented", _LIVE_PAGE)
_STOP: Fact[Interrupt] = Fact("client_content", "reported", "AidenAI-IO/aiden-firmware#644")
_SEARCHES = Fact(True, "documented", _TOOLS_PAGE)

V3_8 = Profile(
    family="gemini-3.8-live",
    text=Fact("client_content", "documented", _MODEL_PAGE),
    flush=Fact("silence", "reported", "openclaw/openclaw#152830"),
    voice_activity=Fact(False, "reported", "googleapis/python-genai#2981"),
    tools=Fact("both", "documented", _MODEL_PAGE),
    schema=Fact("json_schema", "reported", "livekit/agents#7302"),
    response_name=Fact(True, "documented", _TOOLS_PAGE),
    thinking=Fact("refused", "documented", _MODEL_PAGE),
    levels=Fact((), "documented", _MODEL_PAGE),
    history=Fact("client_content", "documented", _MODEL_PAGE),
    interrupt=_STOP,
    client_content_interrupts=_INTERRUPTS,
    context_update=Fact(True, "guessed", _UNKNOWN),
    proactive=Fact(True, "documented", _MODEL_PAGE),
    status=Fact(True, "documented", _THINKING_PAGE),
    splits_replies=Fact(False, "documented", _THINKING_PAGE),
    search=_SEARCHES,
    silence_honoured=Fact(True, "documented", _LIVE_PAGE),
)

EXTENDED_THINKING = replace(
    V3_8,
    family="gemini-3.8-live-extended-thinking",
    tools=Fact("non_blocking", "documented", _MODEL_PAGE),
    schema=Fact("restricted", "reported", "AidenAI-IO/aiden-firmware#708"),
    thinking=Fact("level", "documented", _THINKING_PAGE),
    levels=Fact(("low", "medium", "high"), "documented", _THINKING_PAGE),
    splits_replies=Fact(True, "documented", _THINKING_PAGE),
)

V3_1 = Profile(
    family="gemini-3.1-flash-live",
    text=Fact("realtime", "reported", "google/adk-python#5018"),
    flush=Fact("stream_end", "documented", _LIVE_PAGE),
    voice_activity=Fact(False, "reported", "googleapis/python-genai#1285"),
    tools=Fact("blocking", "documented", _TOOLS_PAGE),
    schema=Fact("json_schema", "reported", "livekit/agents#7302"),
    response_name=Fact(False, "guessed", _UNKNOWN),
    thinking=Fact("optional", "documented", _THINKING_PAGE),
    levels=Fact(_ANY_LEVEL, "documented", _THINKING_PAGE),
    history=Fact("history_config", "documented", _LIVE_PAGE),
    interrupt=Fact("none", "reported", "google/adk-python#5018"),
    client_content_interrupts=_INTERRUPTS,
    context_update=Fact(False, "guessed", _UNKNOWN),
    proactive=Fact(False, "documented", _MODEL_PAGE),
    status=Fact(False, "guessed", _UNKNOWN),
    splits_replies=Fact(False, "guessed", _UNKNOWN),
    search=_SEARCHES,
    silence_honoured=Fact(False, "reported", "googleapis/js-genai#1467"),
)

V2_5 = Profile(
    family="gemini-2.5-flash-native-audio",
    text=Fact("client_content", "documented", _LIVE_PAGE),
    flush=Fact("stream_end", "documented", _LIVE_PAGE),
    voice_activity=Fact(True, "guessed", _UNKNOWN),
    tools=Fact("both", "documented", _TOOLS_PAGE),
    schema=Fact("restricted", "reported", "googleapis/python-genai#1147"),
    response_name=Fact(False, "guessed", _UNKNOWN),
    thinking=Fact("optional", "documented", _THINKING_PAGE),  # it has a budget of tokens instead of a level
    levels=Fact((), "documented", _THINKING_PAGE),
    history=Fact("client_content", "documented", _LIVE_PAGE),
    interrupt=_STOP,
    client_content_interrupts=_INTERRUPTS,
    context_update=Fact(False, "guessed", _UNKNOWN),
    proactive=Fact(False, "documented", _MODEL_PAGE),
    status=Fact(False, "guessed", _UNKNOWN),
    splits_replies=Fact(False, "guessed", _UNKNOWN),
    search=_SEARCHES,
    silence_honoured=Fact(True, "documented", _LIVE_PAGE),
)

#: What no known model refuses, and what holds even if the model sends or does less than any other.
CAUTIOUS = Profile(
    family="",
    text=Fact("realtime", "guessed", _UNKNOWN),
    flush=Fact("silence", "guessed", _UNKNOWN),
    voice_activity=Fact(False, "guessed", _UNKNOWN),
    tools=Fact("unwritten", "guessed", _UNKNOWN),
    schema=Fact("restricted", "guessed", _UNKNOWN),
    response_name=Fact(True, "guessed", _UNKNOWN),
    thinking=Fact("optional", "guessed", _UNKNOWN),
    levels=Fact(_ANY_LEVEL, "guessed", _UNKNOWN),
    history=Fact("at_start", "guessed", _UNKNOWN),
    interrupt=Fact("none", "guessed", _UNKNOWN),
    client_content_interrupts=Fact(True, "guessed", _UNKNOWN),
    context_update=Fact(False, "guessed", _UNKNOWN),
    proactive=Fact(True, "guessed", _UNKNOWN),
    status=Fact(False, "guessed", _UNKNOWN),
    splits_replies=Fact(True, "guessed", _UNKNOWN),
    search=Fact(True, "guessed", _UNKNOWN),
    silence_honoured=Fact(False, "guessed", _UNKNOWN),
)

PROFILES = (V3_8, EXTENDED_THINKING, V3_1, V2_5)
#: one model of each of these families, under the name that Google gives it
MODELS = (
    "gemini-3.8-live",
    "gemini-3.8-live-extended-thinking",
    "gemini-3.1-flash-live-preview",
    "gemini-2.5-flash-native-audio-preview-12-2025",
)

_FAMILIES = tuple(  # in the order in which they are looked for
    (re.compile(pattern), profile)
    for pattern, profile in (
        (r".*extended-thinking", EXTENDED_THINKING),  # also of a family that comes
        (r"gemini-3\.8-live\b", V3_8),
        (r"gemini-3\.1-(flash-)?live\b", V3_1),
        (r"gemini-2\.5-flash-native-audio\b|gemini-(2\.5-flash-live|live-2\.5-flash)\b", V2_5),
    )
)


def bare(model: str) -> str:
    """The model's name without `models/` or a path of Vertex's before it."""
    return model.rpartition("/")[2]


def of(model: str) -> Profile:
    """Profile of the family that a model belongs to, whatever stands before its name. Never raises."""
    name = bare(model)
    return next((profile for pattern, profile in _FAMILIES if pattern.match(name)), CAUTIOUS)
