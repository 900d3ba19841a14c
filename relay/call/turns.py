"""The turns of one call: begun, spoken, cut short, finished, amended; and what the client is told of each.

Pure. A user's turn and the answer to it share one number (docs/decisions/0003-turns-share-a-number.md).
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from protocol import media
from protocol.server import ServerSession
from protocol.states import TurnState
from relay.call.bill import Bill
from relay.call.told import Told
from relay.turn import Turn

Failure = Literal["empty", "rejected", "lost"]
SPEAKING = (TurnState.SPEAKING, TurnState.SPOKEN)  #: there is something to interrupt
FLUSH_WAIT_S = 1.0  #: how long an interrupted turn waits for the client to say what was played


class Turns:
    """Tells the client through `session`; leaves what is over for the record."""

    def __init__(self, session: ServerSession, bill: Bill, *, is_read: bool, first_turn: int) -> None:
        self.finished: deque[Turn] = deque()  #: for the record, in order
        self.told = Told(session)  #: words
        self.user: Turn | None = None  #: the turn the user is forming: the agent has not begun
        self.agent: Turn | None = None  #: the turn in which the agent speaks or spoke last
        self.answered_at = 0.0  #: loop time at which the agent last began to answer
        self.cut: Turn | None = None  #: of the agent, earlier: the client is to say what was heard of it
        self._session, self._bill = session, bill
        self.next_number = first_turn
        self._is_read = is_read

    @property
    def is_speaking(self) -> bool:
        """The agent's turn can be interrupted."""
        return self.agent is not None and self.agent.state in SPEAKING

    @property
    def sounds(self) -> bool:
        """The agent is heard, not read."""
        return not self._is_read

    def go_on_after(self, last_turn: int) -> None:
        """The client knows of turns up to `last_turn`, perhaps of another relay's that were never written."""
        if self.agent is None and self.user is None:
            self.next_number = max(self.next_number, last_turn + 1)

    def begin_user(self, now: float) -> Turn:
        """The turn the user's next words belong to, begun if need be."""
        if self.user is None:
            self.user = Turn(self.next_number, now)
            self.next_number += 1
        if not self.user.user_started:
            self.user.user_started = True
            self._session.send(media.TurnStarted(self.user.number, "user"))
        return self.user

    def begin_agent(self, now: float) -> Turn:
        """The agent begins to speak, which ends the user's turn."""
        if self.agent is not None and self.agent.state in SPEAKING:
            self.finish(self.agent, now)
        elif self.agent is not None and self.agent.state is TurnState.INTERRUPTED:
            self._finish_cut(now)
            self.cut = self.agent
            self._bill.take_tools(self.agent)
        turn, self.user = self.user or Turn(self.next_number, now), None
        self.next_number = max(self.next_number, turn.number + 1)
        self.agent, self.answered_at = turn, now
        turn.message_n, turn.is_read = self._session.receipts.told_n, self._is_read
        turn.advance("speech")
        if turn.user_started:
            self._session.send(media.TurnEnded(turn.number, "user"))
        self._session.send(media.TurnStarted(turn.number, "agent"))
        return turn

    def speak(self, pcm: bytes, now: float) -> Turn:
        """The agent's voice, in the turn that it has begun."""
        assert self.agent is not None
        self.agent.advance("speech")
        self.agent.add_audio(pcm, now)
        if not self._is_read:
            self._session.send_audio(self.agent.number, pcm)
        return self.agent

    def drop(self, pcm: bytes) -> Turn:
        """The agent's voice, when it was interrupted."""
        assert self.agent is not None
        self.agent.drop_audio(pcm)
        return self.agent

    def give_up(self, failure: Failure, now: float) -> None:
        """No answer to what the user said will come."""
        turn, self.user = self.user, None
        if turn is None:
            return
        turn.failure, turn.message_n = failure, self._session.receipts.message_n
        if turn.user_started:
            self._session.send(media.TurnEnded(turn.number, "user"))
        self.agent = turn
        self.finish(turn, now)

    def end_audio(self) -> None:
        """All of the agent's audio has come."""
        if self.agent is not None and self.agent.state is TurnState.SPEAKING:
            self.agent.advance("audio_end")
            self._session.send(media.TurnAudioEnd(self.agent.number))

    def interrupt(self, cause: Literal["user", "client", "server"], now: float) -> None:
        turn = self.agent
        if turn is None or turn.state not in SPEAKING:
            return
        turn.advance("interrupt")
        turn.cut_at, turn.finish_at = now, now + (0 if self._is_read else FLUSH_WAIT_S)
        self._session.interrupt(turn.number)
        self._session.send(media.TurnInterrupted(turn.number, cause))

    def cut_late(self, now: float) -> None:
        """The agent's answer is over, and is spoken over while the client plays the rest of it."""
        turn = self.agent
        if turn is None or turn.state is not TurnState.ENDED or turn.cut_at is not None:
            return
        turn.cut_at = now
        self._session.interrupt(turn.number)
        self._session.send(media.TurnInterrupted(turn.number, "user"))
        self.told.more("agent", turn, "")

    def played(self, report: media.Playback) -> Turn | None:
        """The client says what it played. Returns the interrupted turn that this settles."""
        is_all = report.state in ("drained", "flushed")
        if is_all:
            self._session.journal.played(report.turn)
        for turn in (self.agent, self.cut):
            if turn is not None and turn.number == report.turn:
                turn.played_ms = max(turn.played_ms or 0, report.played_ms)
                if is_all and turn.cut_at is not None and turn.state is TurnState.ENDED:
                    self.told.more("agent", turn, "")  # what was heard of it is known only now
                return turn if is_all and turn.is_interrupted else None
        return None

    def finish(self, turn: Turn, now: float) -> None:
        """The turn is over. The client is told so by `announce`, once it is written down."""
        if turn is self.cut:
            self.cut = None
        self._finish_cut(now)
        if turn is self.agent:
            self._bill.take_tools(turn)
        self._bill.settle(turn)
        turn.finish_at, turn.ended_at = None, now
        turn.advance("end")
        self.finished.append(turn)

    def _finish_cut(self, now: float) -> None:
        if self.cut is not None:
            self.finish(self.cut, now)

    def announce(self, turn: Turn) -> None:
        """Tell the client that a finished turn is over: from now on it must not be lost."""
        self._session.settled(turn.message_n)
        if turn.agent_words or turn.audio_ms:
            heard = turn.heard_text() if turn.cut_at is not None else None
            final = media.Transcript(f"a{turn.number}", turn.number, "agent", final=True, heard=heard)
            self._session.send(final)
        if turn.state is TurnState.ENDED:
            self._session.send(media.TurnEnded(turn.number, "agent", turn.outcome))

    def due(self, now: float) -> list[Turn]:
        """Turns that have waited long enough for the client to say what it played."""
        waiting = [turn for turn in (self.cut, self.agent) if turn is not None]
        return [turn for turn in waiting if turn.finish_at is not None and now >= turn.finish_at]

    def next_timeout(self) -> float | None:
        """Time at which to ask for what is `due`; None for never."""
        waits = [turn.finish_at for turn in (self.cut, self.agent) if turn is not None]
        return min((at for at in waits if at is not None), default=None)

    def close(self, now: float, *, goes_on: bool, is_asked_again: bool) -> None:
        """The call ends: what is unfinished is cut. See `Conversation.close`."""
        self.interrupt("server", now)
        self._finish_cut(now)
        if self.agent is not None and self.agent.state is not TurnState.ENDED:
            self.finish(self.agent, now)
        answered_n = self.agent.message_n if self.agent else self._session.receipts.acked.message_n
        is_said_again = is_asked_again or (goes_on and self._session.receipts.message_n > answered_n)
        if self.user is not None and self.user.user_words and not is_said_again:
            self.user.ended_at, self.user.message_n, self.user.failure = now, answered_n, "empty"
            self._bill.settle(self.user)
            self.finished.append(self.user)
            self.user = None
