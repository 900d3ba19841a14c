"""Messages of the media road (the relay). Audio travels beside them in binary frames (`audio.py`).

What a server says carries `e`, the relay's epoch, and `n`, which counts the events of that epoch from 1.
An event has an `n` of its own and is replayed to a client that comes back. `live`, `ack`, `pong` and an
`error` that refuses a message have none (0): they answer the connection and are never replayed.
What a client says in a conversation, besides audio, has an `n` of its own: it is said again after a break.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, field

from .control import Versions
from .limits import DOWNLINK_HZ, FRAME_MS, IMAGE_BYTES, TEXT_CHARS, UPLINK_HZ

Count = Annotated[int, Meta(ge=0, le=2**53)]
TurnNumber = Annotated[int, Meta(ge=0, le=0xFFFF)]
Milliseconds = Annotated[int, Meta(ge=0, le=86_400_000)]
Role = Literal["user", "agent"]

#: what became of an answer
Outcome = Literal[
    "completed",
    "interrupted",  #: cut short: by the user, the client, or the end of the call
    "empty",  #: the model ended its turn without an answer
    "rejected",  #: the model or its filters refused to answer
    "lost",  #: the model was lost while it answered, and the rest never came
]
OutcomeText = Annotated[str, Meta(examples=list(get_args(Outcome)))]  #: a newer server may have others

# ---- client to server


class Hello(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="hello"):
    """First message on every media connection."""

    versions: Versions
    after: tuple[Count, Count] = (0, 0)  #: [e, n] of the last event this client has
    last_turn: TurnNumber = 0  #: highest turn of every `turn.started` and `history` this client has taken
    next_seq: Count = 0  #: the downlink audio frame it expects next, within epoch `after[0]`
    kept_seq: int = -1  #: the oldest microphone frame that it keeps; -1: none


class Mic(Struct, frozen=True, tag_field="type", tag="mic"):
    """The microphone's state, under `turns: auto`. Leaving `open` flushes what the model has heard."""

    state: Literal["open", "paused", "closed"]


class Activity(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="activity"):
    """The user's turn begins or ends, under `turns: manual`."""

    state: Literal["start", "end"]
    n: Count = 0  #: counts the client's messages of this kind and the next four, from 1; 0: not numbered


class Text(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="text"):
    """Typed by the user."""

    text: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS)]
    respond: bool = True  #: false: wait for more before answering
    n: Count = 0


class Context(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="context"):
    """Text for the agent to know. Makes no turn and ends none: the agent learns it when it is quiet."""

    text: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS)]
    n: Count = 0


class Image(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="image"):
    """Image for the agent to see."""

    mime: Literal["image/jpeg", "image/png", "image/webp"]
    data: Annotated[bytes, Meta(min_length=1, max_length=IMAGE_BYTES)]  #: base64 on the wire
    n: Count = 0


class Interrupt(Struct, frozen=True, tag_field="type", tag="interrupt"):
    """Stop the agent. The server drops the rest of the turn."""

    turn: TurnNumber
    played_ms: Milliseconds  #: how much of the turn came out of the speaker


class Playback(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="playback"):
    """The truth about what was heard: at every change, and at least once a second while playing."""

    turn: TurnNumber
    state: Literal["started", "progress", "drained", "flushed"]
    played_ms: Milliseconds = 0
    buffered_ms: Milliseconds = 0


class ToolResult(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool.result"):
    """Result of a client-side tool."""

    call_id: Annotated[str, Meta(min_length=1, max_length=128)]
    ok: bool
    data: Any = None
    error: Annotated[str, Meta(max_length=1024)] = ""
    n: Count = 0


class EndCall(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="end"):
    """The user is done. Answered by `ended`."""

    reason: Annotated[str, Meta(max_length=128)] = ""


class Ping(Struct, frozen=True, tag_field="type", tag="ping"):
    """Round-trip probe; `t` comes back as it was."""

    t: Annotated[float, Meta(ge=0, le=2**53)]


NumberedMessage = Activity | Text | Context | Image | ToolResult  #: said again after a break
ClientMessage = (
    Hello | Mic | Activity | Text | Context | Image | Interrupt | Playback | ToolResult | EndCall | Ping
)

# ---- server to client


class AudioUp(Struct, frozen=True):
    """Format that the relay wants from the microphone."""

    rate_hz: int = UPLINK_HZ
    frame_ms: int = FRAME_MS


class AudioDown(Struct, frozen=True):
    """Format of the agent's frames."""

    rate_hz: int = DOWNLINK_HZ


class AudioFormats(Struct, frozen=True):
    up: AudioUp = AudioUp()
    down: AudioDown = AudioDown()


class Agent(Struct, frozen=True):
    """Agent of the session, as far as a client may know it."""

    name: str
    tools: list[str] = field(default_factory=list)


class LiveLimits(Struct, frozen=True):
    ends_in_ms: int  #: until the session's longest duration is reached
    resume_ms: int


class Live(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="live"):
    """Answers `hello`: the conversation is on."""

    session: str
    version: int
    agent: Agent
    limits: LiveLimits
    audio: AudioFormats = AudioFormats()
    capabilities: list[str] = field(default_factory=list)
    resumed: bool = False
    replay_from: int = 0  #: first event `n` that follows as replay, 0 for none
    uplink_seq: int = (
        0  #: the microphone frame expected next: only later ones are said again, or counted on from it
    )
    message_n: int = 0  #: highest number of a client's message that was taken: only later ones are said again
    lost_turns: list[int] = field(default_factory=list)
    e: int = 0
    n: int = 0


class PastTurn(Struct, frozen=True, omit_defaults=True):
    """A finished turn, as it is kept."""

    turn: int
    user: str = ""
    agent: str = ""  #: what was heard of it
    interrupted: bool = False
    truncated: bool = False  #: there was more than is kept
    outcome: OutcomeText = ""


class History(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="history"):
    """Finished turns of earlier relays that the client may not have. Replaces what it has of them."""

    turns: list[PastTurn]
    e: int = 0
    n: int = 0


class TurnStarted(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="turn.started"):
    """A party begins. The user's turn and the agent's answer to it share one number."""

    turn: int
    role: Role
    e: int = 0
    n: int = 0


class TurnAudioEnd(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="turn.audio_end"):
    """No more audio of this turn follows; it may still be playing."""

    turn: int
    role: Role = "agent"
    e: int = 0
    n: int = 0


class TurnEnded(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="turn.ended"):
    """The party has finished."""

    turn: int
    role: Role
    outcome: OutcomeText = ""  #: of the agent's part; empty from an older server
    e: int = 0
    n: int = 0


class TurnInterrupted(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="turn.interrupted"):
    """Drop queued audio of `turn` and earlier. No frame of it follows."""

    turn: int
    cause: Literal["user", "client", "server"]
    e: int = 0
    n: int = 0


class Transcript(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="transcript"):
    """Words of a party. Not ordered against audio. `text` is what to append to `message`, or all of it."""

    message: str  #: groups the deltas of one utterance
    turn: int
    role: Role
    text: str = ""
    final: bool = False
    heard: str | None = None  #: after an interruption: the whole of what the user heard
    whole: bool = False  #: `text` replaces that of `message`: some words were of another turn
    e: int = 0
    n: int = 0


class ToolCall(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool.call"):
    """Run this tool and answer with `tool.result`."""

    call_id: str
    name: str
    deadline_ms: int
    args: dict[str, Any] = field(default_factory=dict)
    e: int = 0
    n: int = 0


class ToolCancel(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool.cancel"):
    """Cancel these calls: their results are not wanted any more."""

    call_ids: list[str]
    e: int = 0
    n: int = 0


class ToolStatus(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool.status"):
    """Progress of a tool that runs on the server."""

    call_id: str
    name: str
    state: Literal["running", "done", "failed", "cancelled"]
    e: int = 0
    n: int = 0


class Source(Struct, frozen=True, omit_defaults=True):
    """A page that an answer is founded on."""

    url: str
    title: str = ""


class Citation(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="citation"):
    """What the agent found by a search of the web, and answers by."""

    turn: int
    sources: list[Source]
    html: str = ""  #: of a third party, to be shown beside the answer as it is: sandbox it
    e: int = 0
    n: int = 0


class Tokens(Struct, frozen=True, omit_defaults=True):
    """Model tokens by modality."""

    input_text: int = 0
    input_audio: int = 0
    input_image: int = 0
    output_text: int = 0
    output_audio: int = 0
    thoughts: int = 0  #: of the model before it answers; billed as text that it writes
    tool_use: int = 0  #: of what its own tools brought, such as a search; billed as text that it reads
    cached: int = 0  #: of the input, what was read before; part of the three inputs
    total: int = 0  #: more than the sum where the model does not say of what kind some are


class Usage(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="usage"):
    """Tokens and cost of the session so far."""

    turn: int
    tokens: Tokens
    cost_micro_usd: int = 0  #: of the model, in millionths of a dollar; 0 where clients are not to know it
    estimated: bool = False  #: the model has not told all of it: the rest is the server's reckoning
    e: int = 0
    n: int = 0


class Budget(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="budget"):
    """Most of a budget is used up. Before it is passed the agent says goodbye, and the session ends."""

    scope: Annotated[str, Meta(examples=["session", "user", "deployment"])]  #: whose budget it is
    used_percent: int
    resets_in_ms: int = 0  #: until there is a new one; 0: not within this session
    e: int = 0
    n: int = 0


class Metrics(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="metrics"):
    """Latencies of a turn."""

    turn: int
    first_audio_ms: int = 0  #: end of the user's speech, as the model found it, to the relay's first audio
    generation_ms: int = 0  #: first to last audio of the turn at the relay
    audio_ms: int = 0  #: how long the turn's audio lasts
    uplink_dropped_ms: int = 0  #: microphone audio given up since the call began
    leg_gap_ms: int | None = None  #: how long the model was away, when its connection was changed
    e: int = 0
    n: int = 0


class Ack(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="ack"):
    """What the client need not keep any more."""

    seq: int  #: microphone frames up to this one will be wanted by no relay; -1: none
    message_n: int = 0  #: messages up to this number are answered and in the record
    e: int = 0
    n: int = 0


class GoingAway(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="going_away"):
    """Notice that this relay will close. `move`: resume on control, at the next turn gap."""

    ends_in_ms: int
    move: bool = False
    e: int = 0
    n: int = 0


class Error(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="error"):
    """A refusal or a failure. `code` is in ERRORS.md; `fatal` means the connection closes next."""

    code: str
    message: str
    retryable: bool = False
    fatal: bool = False
    retry_after_ms: int = 0
    ref: str = ""
    e: int = 0
    n: int = 0


class Ended(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="ended"):
    """The session is over."""

    reason: str
    usage: Tokens = Tokens()
    e: int = 0
    n: int = 0


class Pong(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="pong"):
    """Answers `ping`."""

    t: float
    server_ms: int
    e: int = 0
    n: int = 0


Answer = Live | History | Ack | Pong  #: never replayed
Event = (
    TurnStarted | TurnAudioEnd | TurnEnded | TurnInterrupted | Transcript | ToolCall | ToolCancel | ToolStatus
    | Citation | Usage | Budget | Metrics | GoingAway | Error | Ended
)  # fmt: skip
ServerMessage = (
    Live | History | TurnStarted | TurnAudioEnd | TurnEnded | TurnInterrupted | Transcript | ToolCall
    | ToolCancel | ToolStatus | Citation | Usage | Budget | Metrics | Ack | GoingAway | Error | Ended | Pong
)  # fmt: skip
