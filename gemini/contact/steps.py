"""Steps of a scene: what the player does next, as data. A scene is a generator of them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal

from gemini.contact.recording import Signal

Heard = Callable[[list[Signal]], bool]  #: whether what came since the last prompt is what is waited for


@dataclass(frozen=True, slots=True)
class Open:
    """Connect with a new token.

    `setup` is locked in the token, in google-genai's spelling; None: an open token, and `first` says it all.
    """

    setup: dict[str, Any] | None = None
    lock: Literal["full", "masked"] = "full"
    handle: str | None = field(default=None, repr=False)
    first: dict[str, Any] | None = None  #: the first message; None: as the relay sends it
    token: Literal["new", "same", "none", "wrong"] = "new"  #: same: that of the connection before
    by_header: bool = False  #: the token is in a header instead of the query


@dataclass(frozen=True, slots=True)
class Send:
    """A message, as it is. A prompt: what is waited for later comes after it."""

    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Speak:
    """A shipped sample at the speed of speech. A prompt."""

    sample: Literal["question", "interruption"]


@dataclass(frozen=True, slots=True)
class Until:
    """Wait; `listens`: the microphone sends silence meanwhile. The step's result: whether it came."""

    heard: Heard
    within_s: float
    listens: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """The step's result: the Talk of the present connection, up to now."""


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping, and its pong within the time."""

    within_s: float


@dataclass(frozen=True, slots=True)
class Close:
    """Hang up."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a token, by its raw body. The step's result is the answer's status."""

    body: dict[str, Any]
    key: Literal["ours", "wrong", "none"] = "ours"
    method: Literal["POST", "GET"] = "POST"


Step = Open | Send | Speak | Until | Look | Ping | Close | Ask
Script = Generator[Step, Any, None]


def never(_: list[Signal]) -> bool:
    """For a wait that takes all its time."""
    return False


def has(kind: str) -> Heard:
    return lambda came: any(one.kind == kind for one in came)


def sounds(came: list[Signal]) -> bool:
    """The agent's voice has begun."""
    return has("audio")(came)


def ended(came: list[Signal]) -> bool:
    return has("turnComplete")(came)


def answered(came: list[Signal]) -> bool:
    """A turn with sound has ended, after the last interruption, and the model will not go on by itself."""
    cuts = [at for at, one in enumerate(came) if one.kind == "interrupted"]
    rest = came[cuts[-1] + 1 :] if cuts else came
    voice = next((at for at, one in enumerate(rest) if one.kind == "audio"), len(rest))
    status = [one.value for one in rest[voice:] if one.kind == "interactionStatus"]
    return ended(rest[voice:]) and status[-1:] != ["IN_PROGRESS"]


def sounds_after_end(came: list[Signal]) -> bool:
    """The agent's voice has begun after the end of a turn."""
    return _sounds_after("turnComplete", came)


def sounds_after_cut(came: list[Signal]) -> bool:
    """The agent's voice has begun after an interruption."""
    return _sounds_after("interrupted", came)


def _sounds_after(kind: str, came: list[Signal]) -> bool:
    first = next((at for at, one in enumerate(came) if one.kind == kind), len(came))
    return sounds(came[first:])
