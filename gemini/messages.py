"""What a model leg tells us and what we tell it, in our own words. Only `wire.py` knows another's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from gemini import profiles
from gemini.profiles import Profile
from protocol.control import Scheduling
from protocol.media import Tokens

#: said to the model for a user who has said nothing yet: no model speaks first by itself (python-genai#1533)
BEGIN = "(The user is here and has said nothing yet. Begin the conversation.)"
#: said to it when nobody has spoken for long, and when the budget is used up
HELLO_THERE = "(The user has said nothing for a while. Ask in a few words whether they are still there.)"
GOODBYE = "(The time for this conversation is used up. Say so and say goodbye, in one short sentence.)"
#: said to a model that knows nothing of a tool's call, behind what the user asked
CALLED = "(Before the connection was changed, you called {name} with {args} for this. It returned {result}.)"
#: told as the agent's words where there are none: a model whose history ends on a question, or has two in a
#: row, may answer what was answered
UNWRITTEN = "(Answered by voice; the words were not kept.)"
UNHEARD = "(Interrupted before anything of the answer was heard.)"
UNANSWERED = "(No answer was given.)"
SILENCE_MS = 800  #: of quiet that ends a turn where the setup does not say; measured by others

# ---- what the model leg tells


@dataclass(frozen=True, slots=True)
class Audio:
    """The agent's voice: mono s16le, 24 kHz. Comes faster than it plays."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the transcript of the agent's voice, in no order with the audio."""

    text: str
    finished: bool = False  #: the model says that the transcript of this turn ends here; many never do


@dataclass(frozen=True, slots=True)
class Heard:
    """A piece of the transcript of what the user said, in no order with the audio."""

    text: str
    finished: bool = False  #: as in `Said`


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The model found that the user speaks."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The model found that the user has finished."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The agent's turn is cut short: the user spoke over it."""


@dataclass(frozen=True, slots=True)
class GenerationEnded:
    """All of the agent's audio has come; it may still play."""


#: why a turn completed: as usual, refused by the model or its filters, spoilt, or it waits for more words
Ending = Literal["usual", "rejected", "malformed", "wants_more"]


@dataclass(frozen=True, slots=True)
class TurnCompleted:
    """The agent is quiet. `idle` false: it will go on by itself."""

    idle: bool
    ending: Ending = "usual"


@dataclass(frozen=True, slots=True)
class WaitsForInput:
    """The model says nothing because it expects the user to go on: rightful silence."""


@dataclass(frozen=True, slots=True)
class ToolRequested:
    id: str  #: the model's own id; the client never sees it
    name: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolsWithdrawn:
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cited:
    """Pages that the agent found by a search, and answers by."""

    sources: tuple[tuple[str, str], ...]  #: url and title
    html: str  #: which the search's terms want shown


@dataclass(frozen=True, slots=True)
class TokensUsed:
    """A report of usage: of one turn, of a part of one, or of more. `gemini/usage.py` reads it."""

    tokens: Tokens
    prompt: int = 0  #: all that was read, also what is of no kind in `tokens`
    response: int = 0  #: all that was said, likewise


@dataclass(frozen=True, slots=True)
class HandleChanged:
    """The newest resumption handle; comes about every second."""

    handle: str


@dataclass(frozen=True, slots=True)
class AtWork:
    """No handle is to be had for now: the model answers, or waits for a tool. Comes as often as handles."""


@dataclass(frozen=True, slots=True)
class LegEnding:
    """The model will close the connection in `left_s` seconds; None when it does not say."""

    left_s: float | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message of so many bytes or characters of which nothing could be read."""

    size: int


ModelEvent = (
    Audio
    | Said
    | Heard
    | SpeechStarted
    | SpeechEnded
    | Interrupted
    | GenerationEnded
    | TurnCompleted
    | WaitsForInput
    | ToolRequested
    | ToolsWithdrawn
    | Cited
    | TokensUsed
    | HandleChanged
    | AtWork
    | LegEnding
    | Unreadable
)

# ---- what we tell the model


@dataclass(frozen=True, slots=True)
class SayText:
    text: str
    respond: bool


@dataclass(frozen=True, slots=True)
class Note:
    """Text for the agent to know, and not to answer. Told at a moment that cuts nothing."""

    text: str
    n: int = 0  #: number of the client's message


@dataclass(frozen=True, slots=True)
class ShowImage:
    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MarkActivity:
    """The user's turn begins or ends, when the client decides that."""

    started: bool


@dataclass(frozen=True, slots=True)
class FlushAudio:
    """The microphone has paused: the model should not wait for more."""


@dataclass(frozen=True, slots=True)
class StopAnswer:
    """The client has stopped the agent: what is still generated nobody will hear."""


@dataclass(frozen=True, slots=True)
class AnswerTool:
    id: str
    name: str
    result: dict[str, Any]
    scheduling: Scheduling = "when_idle"


@dataclass(frozen=True, slots=True)
class Recall:
    """What was said before, for a model that does not remember it. Makes no turn. May be nothing."""

    said: tuple[tuple[Literal["user", "agent"], str], ...]


ModelCommand = SayText | Note | ShowImage | MarkActivity | FlushAudio | StopAnswer | AnswerTool | Recall


@dataclass(frozen=True, slots=True)
class Credential:
    """What `mint` gives for one connection to the model."""

    token: str = field(repr=False)
    model: str
    expires_at_ms: int  #: Unix time
    lock: str  #: full: the token holds the handle; masked: we send it
    silence_ms: int = SILENCE_MS  #: of quiet that ends the user's turn, as the setup has it
    is_fallback: bool = False  #: it is not the agent's first model
    has_other: bool = False  #: the agent has another one, should this one not be had
    greets: bool = False  #: the agent begins the conversation, which is new
    sensitivity: str | None = None  #: to speech, as the agent has it: low or high
    setup_tokens: int = 0  #: about how many instructions and tools take, which are read for every turn
    idle_s: float | None = None  #: without speech or text for so long, the agent hangs up; None: never
    tells_cost: bool = False  #: the client may know what the session costs
    url: str = ""  #: where the token is a bearer: what it opens
    setup: dict[str, Any] | None = field(
        default=None, repr=False
    )  #: what no token holds: the first message's

    @property
    def profile(self) -> Profile:
        return profiles.of(self.model)
