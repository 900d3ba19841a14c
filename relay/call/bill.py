"""What the turns of one call have used: tokens and tools."""

from __future__ import annotations

from collections import deque

from gemini.usage import plus
from protocol.media import Tokens
from relay.turn import ToolUse, Turn


class Bill:
    """Tokens of the whole call, and what is on no turn's record yet."""

    def __init__(self, tools: deque[ToolUse]) -> None:
        """`tools`: those that were used; what is on a turn's record is taken from it."""
        self._tools = tools
        self.used = Tokens()  #: by the whole call
        self._owed = Tokens()  #: billed when its turn was written already; for the next turn's record

    def add(self, tokens: Tokens, turn: Turn | None) -> None:
        """`turn`: the one that is not written yet, if there is one."""
        if turn is None:
            self._owed = plus(self._owed, tokens)
        else:
            turn.tokens = plus(turn.tokens, tokens)
        self.used = plus(self.used, tokens)

    def settle(self, turn: Turn) -> None:
        """`turn` is to be written: what is owed goes on its record."""
        turn.tokens, self._owed = plus(turn.tokens, self._owed), Tokens()

    def take_tools(self, turn: Turn) -> None:
        """`turn` is over: the tools that were used are its."""
        turn.tools += self._tools
        self._tools.clear()

    def take_owed(self, turn: Turn | None) -> Tokens:
        """What no record has at the end of the call: also of `turn`, which is none of the record."""
        owed, self._owed = self._owed, Tokens()
        return owed if turn is None else plus(owed, turn.tokens)
