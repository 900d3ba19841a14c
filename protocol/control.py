"""Messages of the control road (API Gateway). `start`, `resume` and `end` are its routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from .limits import CLIENT_TOOLS

Name = Annotated[str, Meta(min_length=1, max_length=64)]
# Python's `$` also matches before a final newline and other languages' does not: hence `(?!\n)$`.
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+(?!\n)$")]
Secret = Annotated[str, Meta(min_length=16, max_length=128, pattern=r"^[A-Za-z0-9_-]+(?!\n)$")]
Versions = Annotated[list[int], Meta(min_length=1, max_length=16)]


class Config(Struct, frozen=True, omit_defaults=True):
    """Settings that a client asks for; the agent's YAML says which of them it may change."""

    voice: Name | None = None
    language: Name | None = None  #: BCP 47
    turns: Literal["auto", "manual"] = "auto"  #: who says when the user's turn begins and ends
    reply: Literal["audio", "text"] = "audio"  #: text: transcripts only, and all of a cut one counts as heard


Scheduling = Literal["when_idle", "interrupt", "silent"]  #: when the agent speaks of a tool's result


class ClientTool(Struct, frozen=True, omit_defaults=True):
    """A tool that runs in the client."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_]*(?!\n)$")]
    description: Annotated[str, Meta(max_length=1024)] = ""
    parameters: dict[str, Any] = field(default_factory=dict)  #: JSON Schema of the arguments
    timeout_ms: Annotated[int, Meta(ge=100, le=120_000)] = 20_000
    scheduling: Scheduling = "when_idle"  #: of its result: once it is quiet, at once, or it only knows


class ClientInfo(Struct, frozen=True, omit_defaults=True):
    """Name, version and platform of the client, for logs and metrics."""

    name: Annotated[str, Meta(max_length=64)] = ""
    version: Annotated[str, Meta(max_length=64)] = ""
    platform: Annotated[str, Meta(max_length=64)] = ""


class Start(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="start"):
    """Open a session. The same `request` of the same user opens one session, however often it is sent."""

    request: Id
    versions: Versions
    agent: Name = "assistant"
    config: Config = Config()
    tools: Annotated[list[ClientTool], Meta(max_length=CLIENT_TOOLS)] = field(default_factory=list)
    metadata: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=256)]], Meta(max_length=16)
    ] = field(default_factory=dict)
    client: ClientInfo = ClientInfo()


class Resume(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="resume"):
    """Resume a session, after any kind of break."""

    session: Id
    resume_key: Secret
    media_failed: bool = False  #: the relay could not be reached: give me another


class End(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="end"):
    """End a session; before `live` this cancels it."""

    session: Id


class Media(Struct, frozen=True, omit_defaults=True):
    """Address of the media road, and the secret that admits to it once."""

    url: str
    ticket: str
    expires_at: int  #: Unix time in ms after which the ticket is refused
    protocols: list[str] = field(default_factory=list)  #: subprotocol entries to offer besides, unread


class Limits(Struct, frozen=True):
    """Limits of this session."""

    session_ms: int  #: longest duration of the whole session
    resume_ms: int  #: how long the session waits for a disconnected client


class Starting(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="starting"):
    """The session is admitted; a relay is on its way."""

    session: str
    resume_key: str
    stage: Literal["admitted", "relay", "model"]
    i: int  #: replies may overtake each other: one with a lower `i`, or after `ready`, is ignored
    eta_ms: int = 0  #: expected wait from now, 0 when unknown


class Ready(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="ready"):
    """Connect to `media.url` with `media.ticket`. Keep `resume_key`: it replaces the last one."""

    session: str
    resume_key: str
    media: Media
    limits: Limits
    i: int


class OpenSession(Struct, frozen=True, omit_defaults=True):
    """A session of the same user that is open."""

    session: str
    agent: str
    since: int  #: Unix time in ms
    connected: bool = False  #: a client is on it, as of some seconds ago


class ControlError(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="error"):
    """A refusal or a failure. `code` is in ERRORS.md."""

    code: str
    message: str
    retryable: bool = False
    fatal: bool = False  #: this request is over
    retry_after_ms: int = 0
    ref: str = ""  #: the request, session or message type this is about
    sessions: list[OpenSession] = field(default_factory=list)  #: with `quota_sessions`: those that are open
    i: int = 0


class ControlEnded(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="ended"):
    """Answers `end`."""

    session: str
    i: int = 0


ControlRequest = Start | Resume | End
ControlReply = Starting | Ready | ControlError | ControlEnded
