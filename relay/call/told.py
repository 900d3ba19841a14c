"""The words of turns, as the client is told of them."""

from __future__ import annotations

from collections import deque

from protocol import media
from protocol.media import Role
from protocol.server import ServerSession
from protocol.states import TurnState
from relay.turn import Turn
from relay.words import Words


class Told:
    """Pure. Leaves turns for the record that were written before, and have other words now."""

    def __init__(self, session: ServerSession) -> None:
        self.amended: deque[Turn] = deque()
        self._session = session

    def more(self, role: Role, turn: Turn, text: str) -> None:
        """`turn` has `text` already. What of an interrupted turn was heard is told anew with it."""
        self._tell(role, turn, text, whole=False)

    def anew(self, role: Role, turn: Turn, words: Words) -> None:
        """These are all the words of `turn`, since some turned out to be of another one."""
        if role == "user":
            turn.user_words = words
        else:
            turn.agent_words = words
        self._tell(role, turn, str(words), whole=True)

    def _tell(self, role: Role, turn: Turn, text: str, *, whole: bool) -> None:
        is_late = turn.state is TurnState.ENDED
        if is_late and not any(noted is turn for noted in self.amended):
            self.amended.append(turn)
        is_cut = role == "agent" and is_late and turn.cut_at is not None
        heard = turn.heard_text() if is_cut else None
        message, final = f"{role[0]}{turn.number}", is_late or role == "user"
        self._session.send(media.Transcript(message, turn.number, role, text, final, heard, whole))
