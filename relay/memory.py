"""What the model behind the present handle remembers, and what it must be told again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from relay.model import Recall
from relay.turn import Turn

OVERLAP_S = 0.15  #: audio sent so shortly before a handle came may not be in it: the way there and back
KEPT_TURNS = 60  #: finished turns for a model that has forgotten everything
RECALL_CHARS = 8_000  #: of them, the latest that fit: a prompt, not an archive


@dataclass(frozen=True, slots=True)
class Handle:
    """A way back into the model's context as it was."""

    text: str
    at: float  #: loop time at which it came

    @property
    def covers(self) -> float:
        """Audio sent before this loop time is in it for certain."""
        return self.at - OVERLAP_S


class Memory:
    """Follows handles and turns."""

    def __init__(self) -> None:
        self.handle: Handle | None = None
        self.answered_at = 0.0  #: loop time at which the agent last began to answer
        self._turns: deque[tuple[float, Turn]] = deque(maxlen=KEPT_TURNS)  #: with the time each was noted

    @property
    def is_current(self) -> bool:
        """The handle holds every finished turn."""
        if self.handle is None:
            return False
        return not self._turns or self._turns[-1][0] <= self.handle.at

    def note(self, turn: Turn, now: float) -> None:
        """A turn has ended, or has lost the leg that spoke it. Noted twice, the first time counts."""
        if not self._turns or self._turns[-1][1] is not turn:
            self._turns.append((now, turn))

    def replay_from(self, handle: Handle | None) -> float:
        """Loop time from which what was sent must be sent again. What was answered is not said twice."""
        return max(handle.covers if handle else 0.0, self.answered_at)

    def recall(self, handle: Handle | None) -> Recall | None:
        """The turns that a model resumed by `handle` does not know, as they were heard."""
        since = handle.at if handle else 0.0
        lines: list[tuple[str, str]] = []
        chars = 0
        for noted_at, turn in reversed(self._turns):
            said = turn.user_text, turn.heard_text()
            chars += sum(map(len, said))
            if noted_at < since or chars > RECALL_CHARS:
                break
            lines += [(role, text) for role, text in (("agent", said[1]), ("user", said[0])) if text.strip()]
        return Recall(tuple(reversed(lines))) if lines else None  # type: ignore[arg-type]
