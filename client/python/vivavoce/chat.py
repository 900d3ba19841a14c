"""The conversation as a list of lines, in the order of its turns: what to show of it at any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._protocol.media import History, PastTurn, Transcript, TurnEnded, TurnInterrupted
from .events import ConversationEvent

USUAL = ("", "completed", "interrupted")  #: outcomes of an answer with which nothing is wrong


@dataclass(slots=True)
class Line:
    """What one party said in one turn."""

    message: str  #: `u<turn>` or `a<turn>`
    turn: int
    role: Literal["user", "agent"]
    text: str = ""
    heard: str | None = None  #: after an interruption: the part of `text` that was heard
    interrupted: bool = False
    outcome: str = ""  #: why the answer is missing or incomplete: `empty`, `rejected`, `lost`


class Chat:
    """Kept up to date by every event of a conversation. Words may come after the end of their turn."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}

    @property
    def lines(self) -> list[Line]:
        """Lines with words in them; in a turn the user's first."""
        said = [line for line in self._lines.values() if line.text]
        return sorted(said, key=lambda line: (line.turn, line.role == "agent"))

    def take(self, event: ConversationEvent) -> None:
        """Act on an event; those that bring no words and end nothing are ignored."""
        match event:
            case Transcript():
                line = self._line(event.turn, event.role)
                line.text = event.text if event.whole else line.text + event.text
                if event.heard is not None:
                    line.heard, line.interrupted = event.heard, True
            case TurnInterrupted():
                self._line(event.turn, "agent").interrupted = True
            case TurnEnded(role="agent"):
                self._settle(event.turn, event.outcome)
            case History():
                for past in event.turns:
                    self._recall(past)

    def _recall(self, past: PastTurn) -> None:
        for role, text in (("user", past.user), ("agent", past.agent)):
            line = self._line(past.turn, "user" if role == "user" else "agent")
            line.text, line.heard, line.interrupted = text, None, past.interrupted and role == "agent"
        self._settle(past.turn, past.outcome)

    def _settle(self, turn: int, outcome: str) -> None:
        if outcome not in USUAL:
            self._line(turn, "user").outcome = self._line(turn, "agent").outcome = outcome

    def _line(self, turn: int, role: Literal["user", "agent"]) -> Line:
        message = f"{role[0]}{turn}"
        return self._lines.setdefault(message, Line(message, turn, role))
