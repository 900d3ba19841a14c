"""What went over the wire in a first contact: lines of connections, and a view of one of them. Pure."""

from __future__ import annotations

from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from gemini import refusals

#: open: its handshake; up, down: a message; mark: a step of the script; close: its end; refused: by HTTP;
#: asked: a request for a token, with the answer
Way = Literal["open", "up", "down", "mark", "close", "refused", "asked"]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened on a connection."""

    at_s: float  #: since the first contact began
    connection: str  #: scene and number, like `rotation.2`
    way: Way
    message: dict[str, Any] = field(repr=False)  #: Google's JSON; of the other ways: see the player
    is_binary: bool = False


@dataclass(frozen=True, slots=True)
class Signal:
    """One field of a server's message. Parts of a model's turn are `audio`, `thought`, `text` and `call`."""

    at_s: float
    kind: str
    value: Any = field(repr=False)


def signals(message: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every field of a server's message by its name; a content's fields as if they were the message's."""
    for name, value in message.items():
        if name != "serverContent" or not isinstance(value, dict):
            yield name, value
            continue
        for inner, held in value.items():
            if inner == "modelTurn":
                yield from _parts(held)
            else:
                yield inner, held


def _parts(turn: Any) -> Iterator[tuple[str, Any]]:
    for part in turn.get("parts", []) if isinstance(turn, dict) else []:
        if part.get("thought"):
            yield "thought", part
        elif "inlineData" in part:
            yield "audio", part["inlineData"]
        else:
            yield ("call" if "functionCall" in part else "text"), part


def pcm_of(blob: Any) -> bytes:
    """Audio of a blob in either alphabet of base64; none where it is unreadable."""
    try:
        return a2b_base64(str(blob["data"]).translate(str.maketrans("-_", "+/")))
    except (KeyError, TypeError, NotBase64):
        return b""


class Talk:
    """View of one connection. Lines are in the order in which they happened."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines

    @cached_property
    def down(self) -> list[Signal]:
        """All that the server said, after its handshake."""
        found = []
        for line in self.lines:
            if line.way == "down":
                found += [Signal(line.at_s, kind, value) for kind, value in signals(line.message)]
        return found

    def all(self, kind: str, since_s: float = 0.0, until_s: float = 1e9) -> list[Signal]:
        return [one for one in self.down if one.kind == kind and since_s <= one.at_s < until_s]

    def first(self, kind: str, since_s: float = 0.0) -> Signal | None:
        return next(iter(self.all(kind, since_s)), None)

    def sent_at(self, kind: str) -> list[float]:
        """When messages with that field were sent: `clientContent`, or one in it, like its `turns`."""
        return [
            line.at_s
            for line in self.lines
            if line.way == "up"
            and (kind in line.message or any(kind in held for held in line.message.values()))
        ]

    def marks(self, name: str) -> list[float]:
        """When steps of that name began or ended, like `speak.end`."""
        return [line.at_s for line in self.lines if line.way == "mark" and line.message.get("step") == name]

    @cached_property
    def end(self) -> tuple[int, str] | None:
        """Close code and reason, or status and text of a refused handshake; None: the client ended it."""
        for line in self.lines:
            if line.way in ("close", "refused"):
                return int(line.message["code"]), str(line.message["reason"])
        return None

    @cached_property
    def refusal(self) -> str | None:
        """The registry's code for a close, a refused handshake or a token that was not made; None for none.

        Empty: the server could not be reached.
        """
        if self.end is None:
            return None
        code, reason = self.end
        if code:
            return refusals.by_close(code, reason) if code >= 1000 else refusals.by_status(code, reason)
        return next((str(line.message.get("means", "")) for line in self.lines if line.way == "refused"), "")

    @cached_property
    def is_set_up(self) -> bool:
        return self.first("setupComplete") is not None

    def said(self, since_s: float = 0.0, until_s: float = 1e9) -> str:
        """The transcript of the agent's words, in lower case."""
        pieces = (one.value for one in self.all("outputTranscription", since_s, until_s))
        return "".join(str(piece.get("text", "")) for piece in pieces if isinstance(piece, dict)).lower()

    def sound_s(self, since_s: float = 0.0, until_s: float = 1e9) -> float:
        """Length of the agent's audio, taken as 24 kHz."""
        return sum(len(pcm_of(one.value)) for one in self.all("audio", since_s, until_s)) / 48_000

    @cached_property
    def turn_end(self) -> Signal | None:
        """The last end of a turn before the second speech begins: one reply may come as several turns."""
        second = (*self.marks("speak.start"), 1e9, 1e9)[1]
        return next(reversed(self.all("turnComplete", 0.0, second)), None)

    @property
    def spoken_s(self) -> float:
        """Length of the client's audio, silence too."""
        sent = (line.message.get("realtimeInput", {}).get("audio") for line in self.lines if line.way == "up")
        return sum(len(str(blob["data"])) for blob in sent if blob) * 3 / 4 / 32_000

    @property
    def delay_s(self) -> float | None:
        """From the end of speech to the first sign of an answer: the shortest, for a machine may be slow."""
        delays = []
        for spoke_s in self.marks("speak.end"):
            signs = (self.first(kind, spoke_s) for kind in ("inputTranscription", "audio"))
            delays += [sign.at_s - spoke_s for sign in signs if sign]
        return min(delays, default=None)

    @property
    def handle(self) -> str | None:
        """The newest handle that may be resumed from."""
        updates = [one.value for one in self.all("sessionResumptionUpdate") if isinstance(one.value, dict)]
        return next((one["newHandle"] for one in reversed(updates) if one.get("newHandle")), None)


class Recording:
    """Everything of one first contact."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def add(self, line: Line) -> None:
        self.lines.append(line)

    def names(self) -> list[str]:
        """Connections in the order in which they were begun."""
        return list(dict.fromkeys(line.connection for line in self.lines))

    def talks(self) -> list[Talk]:
        """Every connection, in that order."""
        by_name: dict[str, list[Line]] = {}
        for line in self.lines:
            by_name.setdefault(line.connection, []).append(line)
        return [Talk(lines) for lines in by_name.values()]

    @property
    def unreached(self) -> list[str]:
        """Connections and requests for which the server could not be reached."""
        asked = [line.connection for line in self.lines if line.way == "asked" and not line.message["code"]]
        return [name for name in self.names() if self.talk(name).refusal in ("", "mint_failed")] + asked

    def talk(self, name: str) -> Talk:
        """The connection of that name, which may have no line at all."""
        return Talk([line for line in self.lines if line.connection == name])
