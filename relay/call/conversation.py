"""The turns of one call: what the model and the client say becomes events, commands and finished turns.

Pure: no clock, no logger, no await. A user's turn and the agent's answer to it share one number, because the
model gives no order between a transcript and the audio that belongs to it.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from gemini import messages as model
from gemini.messages import ModelCommand, ModelEvent
from protocol import media
from protocol.control import ClientTool, Config
from protocol.errors import RemoteProtocolError
from protocol.media import ClientMessage, Tokens
from protocol.server import ServerSession
from protocol.states import TurnState
from relay.call.client_tools import ClientTools
from relay.turn import Turn

_SPEAKING = (TurnState.SPEAKING, TurnState.SPOKEN)  # there is something to interrupt
AS_USUAL = Config()
FLUSH_WAIT_S = 1.0  #: how long an interrupted turn waits for the client to say what was played


class Conversation:
    """Speaks to the client through `session`; leaves commands for the model and turns for the record."""

    def __init__(
        self,
        session: ServerSession,
        tools: list[ClientTool],
        *,
        config: Config = AS_USUAL,
        first_turn: int = 1,
    ) -> None:
        self.commands: deque[ModelCommand] = deque()  #: for the model leg, in order
        self.finished: deque[Turn] = deque()  #: for the record, in order
        self.amended: deque[Turn] = deque()  #: finished before, with words that came late
        self.used = Tokens()  #: by the whole call
        self.uplink_dropped_ms = 0.0  #: told by the call, for the metrics
        self.answered_at = 0.0  #: loop time at which the agent last began to answer
        self._session = session
        self._toolbox = ClientTools(tools, session.epoch)
        self._manual, self._is_read = config.turns == "manual", config.reply == "text"
        self._next_number = first_turn
        self._user: Turn | None = None  #: the turn the user is forming: the agent has not begun
        self._agent: Turn | None = None  #: the turn in which the agent speaks or spoke last
        self._owed = Tokens()  #: billed when its turn was written already; for the next turn's record
        self._muted = False  #: the rest of an interrupted answer is still coming in

    # ---- what the model says

    def model_said(self, event: ModelEvent, now: float) -> None:
        match event:
            case model.Audio(pcm):
                self._speak(pcm, now)
            case model.Said(text) if text:
                self._say(text, now)
            case model.Heard(text) if text:
                self._hear(text, now)
            case model.SpeechStarted():
                self._user_turn(now)  # heard here already, in most cases
            case model.SpeechEnded():
                self._user_turn(now).end_speech(now)  # our own hearing knows better when
            case model.Interrupted():
                self._interrupt("user", now)
            case model.GenerationEnded():
                self._end_audio()
            case model.TurnCompleted(idle):
                self._complete(idle, now)
            case model.ToolRequested() | model.ToolsWithdrawn():
                self._use_tools(event, now)
            case model.TokensUsed(tokens):
                self._bill(tokens)
            case _:
                pass  # the call's business, or a transcript's end without words

    def _speak(self, pcm: bytes, now: float) -> None:
        if self._muted:
            return
        turn = self._agent_turn(now)
        turn.add_audio(pcm, now)
        if not self._is_read:
            self._session.send_audio(turn.number, pcm)

    def _say(self, text: str, now: float) -> None:
        if self._muted:
            return
        turn = self._agent
        if turn is None or (self._answers_user and turn.state not in _SPEAKING):
            turn = self._agent_turn(now)  # words may come before their audio
        if taken := turn.agent_words.add(text):
            if turn.state is TurnState.ENDED:
                self.amended.append(turn)
            self._session.send(media.Transcript(f"a{turn.number}", turn.number, "agent", taken))

    def user_started(self, at: float) -> None:
        """The user speaks, by our own hearing. Under manual turns the client says so."""
        if not self._manual:
            self._user_turn(at).user_ended_at = None

    def user_stopped(self, at: float) -> None:
        """The user has said the last word of it, unless `user_started` follows."""
        turn = self._user or self._agent  # the agent may have begun in a pause
        if turn is not None and not self._manual and (turn is self._user or turn.user_ended_at is None):
            turn.user_ended_at = at

    def _hear(self, text: str, now: float) -> None:
        turn = self._agent
        if self._user is not None or turn is None or not self._comes_late(turn):
            turn = self._user_turn(now)
        if turn is self._user:
            turn.end_speech(now)
        self._take_user_words(turn, text)

    def _take_user_words(self, turn: Turn, text: str, *, typed: bool = False) -> None:
        """Collect and tell them. The model has all of them; the record and the client up to a bound."""
        if (typed or turn.ends_typed) and turn.user_words.needs_space(text):
            text = f" {text}"  # pieces of speech bring their spaces, what is typed does not
        turn.ends_typed = typed
        if taken := turn.user_words.add(text):
            said = media.Transcript(f"u{turn.number}", turn.number, "user", taken, final=True)
            self._session.send(said)

    @property
    def _answers_user(self) -> bool:
        """The agent's next words are about the turn that the user is forming: he has said something."""
        return self._user is not None and (
            self._user.user_ended_at is not None or not self._user.user_started
        )

    def _comes_late(self, turn: Turn) -> bool:
        """Words of the user, when the answer has begun, belong to what is answered.

        He has not begun anew: that is told by the model, or it would have interrupted itself.
        """
        if turn.state is TurnState.ENDED or turn.is_interrupted:
            return False
        return turn.user_started or not turn.user_words

    def _end_audio(self) -> None:
        if self._agent is not None and self._agent.state is TurnState.SPEAKING:
            self._agent.advance("audio_end")
            self._session.send(media.TurnAudioEnd(self._agent.number))

    def _complete(self, idle: bool, now: float) -> None:
        self._muted = False
        if idle and self._agent is not None and self._agent.state in _SPEAKING:
            self._end_audio()
            self._finish(self._agent, now)

    def _use_tools(self, event: model.ToolRequested | model.ToolsWithdrawn, now: float) -> None:
        if isinstance(event, model.ToolsWithdrawn):
            step: object = self._toolbox.withdraw(event.ids)
        else:
            step = self._toolbox.request(event, now)
        if isinstance(step, model.AnswerTool):
            self.commands.append(step)
        elif isinstance(step, media.ToolCall | media.ToolCancel):
            self._session.send(step)

    def _bill(self, tokens: Tokens) -> None:
        """On the turn's record; on the next one's when that turn is written already."""
        turn = self._user if self._agent is None or self._agent.state is TurnState.ENDED else self._agent
        if turn is None:
            self._owed = _add(self._owed, tokens)
        else:
            turn.tokens = _add(turn.tokens, tokens)
        self.used = _add(self.used, tokens)
        number = turn.number if turn else self._agent.number if self._agent else 0
        self._session.send(media.Usage(number, self.used))

    def take_owed(self) -> tuple[int, Tokens]:
        """The number of the last turn, and what was billed since it was written. For the end of the call."""
        owed, self._owed = self._owed, Tokens()
        if self._user is not None:  # it has no words, and so is no turn of the record
            owed = _add(owed, self._user.tokens)
        return self._next_number - 1, owed

    def go_on_after(self, last_turn: int) -> None:
        """The client knows of turns up to `last_turn`, perhaps of another relay's that were never written."""
        if self._agent is None and self._user is None:
            self._next_number = max(self._next_number, last_turn + 1)

    @property
    def is_quiet(self) -> bool:
        """Nobody speaks and nothing is awaited."""
        agent_speaks = self._agent is not None and self._agent.state in _SPEAKING
        turn = self._user  # a cough brings no words, and the next ones go on in its turn
        user_waits = turn is not None and (turn.user_ended_at is None or bool(turn.user_words))
        return not agent_speaks and not user_waits and not self.waits_for_tool

    def give_up(self, failure: Literal["empty", "rejected", "lost"], now: float) -> None:
        """No answer to what the user said will come: his turn ends, and the client is told how."""
        turn, self._user = self._user, None
        if turn is None:
            return
        turn.failure, turn.message_n = failure, self._session.receipts.message_n
        if turn.user_started:
            self._session.send(media.TurnEnded(turn.number, "user"))
        self._agent = turn
        self._finish(turn, now)

    def leg_lost(self, now: float) -> Turn | None:
        """The model leg is gone: what it had begun ends with what has come, when that has been played.

        Returns the turn that is cut like this.
        """
        self._muted = False
        withdrawn = self._toolbox.withdraw_all()
        if withdrawn is not None:
            self._session.send(withdrawn)
        turn = self._agent
        if turn is None or turn.state not in _SPEAKING:
            return None
        if turn.state is TurnState.SPEAKING:
            turn.failure = "lost"
        self._end_audio()
        turn.finish_at = max(now, (turn.first_audio_at or now) + turn.audio_ms / 1000)
        return turn

    def changed_leg(self, gap_ms: int) -> None:
        """Another leg carries the conversation on; the client hears only how long there was none."""
        self._session.send(media.Metrics(self._next_number - 1, leg_gap_ms=gap_ms))

    # ---- what the client says

    def client_said(self, message: ClientMessage, now: float) -> None:
        """Act on a message. Raises RemoteProtocolError for one that does not fit; nothing is changed then."""
        match message:
            case media.Mic(state):
                self._require(not self._manual, "mic")
                if state != "open":
                    self.commands.append(model.FlushAudio())
            case media.Activity(state):
                self._require(self._manual, "activity")
                self._mark_activity(state == "start", now)
            case media.Text(text, respond):
                self._type(text, respond, now)
            case media.Context(text, n):
                self.commands.append(model.Note(text, n))
            case media.Image(mime, data):
                self.commands.append(model.ShowImage(mime, data))
            case media.Interrupt(turn, played_ms):
                self._stop(turn, played_ms, now)
            case media.Playback():
                self._note_playback(message, now)
            case media.ToolResult():
                self.commands.append(self._toolbox.result(message, now))
            case media.Hello() | media.EndCall() | media.Ping():
                pass  # the call's and the session's business

    def _require(self, fits: bool, ref: str) -> None:
        if not fits:
            raise RemoteProtocolError("mode_refused", ref=ref)

    def _mark_activity(self, started: bool, now: float) -> None:
        turn = self._user_turn(now)
        if not started:
            turn.user_ended_at = now
        self.commands.append(model.MarkActivity(started))

    def _type(self, text: str, respond: bool, now: float) -> None:
        turn = self._user_turn(now)
        turn.user_ended_at = now
        self._take_user_words(turn, text, typed=True)
        self.commands.append(model.SayText(text, respond))

    def _stop(self, number: int, played_ms: int, now: float) -> None:
        turn = self._agent
        if turn is None or turn.number != number or turn.state not in _SPEAKING:
            return  # it ended while the message was on its way
        turn.played_ms = played_ms
        self._interrupt("client", now)
        self.commands.append(model.StopAnswer())

    def _note_playback(self, report: media.Playback, now: float) -> None:
        if report.state in ("drained", "flushed"):
            self._session.journal.played(report.turn)
        turn = self._agent
        if turn is None or turn.number != report.turn:
            return
        turn.played_ms = max(turn.played_ms or 0, report.played_ms)
        if report.state in ("drained", "flushed") and turn.is_interrupted:
            self._finish(turn, now)

    # ---- time

    def next_timeout(self) -> float | None:
        """Time at which the driver must call `handle_timeout`; None for never."""
        waits = (self._toolbox.next_timeout(), self._agent.finish_at if self._agent else None)
        return min((at for at in waits if at is not None), default=None)

    def handle_timeout(self, now: float) -> bool:
        """True when a tool was given up."""
        cancelled, answers = self._toolbox.expire(now)
        if cancelled is not None:
            self._session.send(cancelled)
        self.commands.extend(answers)
        if self._agent is not None and self._agent.finish_at is not None and now >= self._agent.finish_at:
            self._finish(self._agent, now)
        return cancelled is not None

    @property
    def waits_for_tool(self) -> bool:
        """The model waits for the client, not we for the model."""
        return self._toolbox.next_timeout() is not None

    def close(self, now: float, *, goes_on: bool = False) -> None:
        """The call ends: what is unfinished is cut here, so that the record has it.

        `goes_on`, on another relay: what its client will say again there is left out.
        """
        if self._agent is not None and self._agent.state in _SPEAKING:
            self._interrupt("server", now)
        if self._agent is not None and self._agent.state is not TurnState.ENDED:
            self._finish(self._agent, now)
        answered_n = self._agent.message_n if self._agent else self._session.receipts.acked.message_n
        is_said_again = goes_on and self._session.receipts.message_n > answered_n
        if self._user is not None and self._user.user_words and not is_said_again:
            self._user.ended_at, self._user.message_n, self._user.failure = now, answered_n, "empty"
            self._user.tokens, self._owed = _add(self._user.tokens, self._owed), Tokens()
            self.finished.append(self._user)
            self._user = None

    # ---- turns

    def _user_turn(self, now: float) -> Turn:
        """The turn the user's words belong to, opened if need be."""
        if self._user is None:
            self._user = Turn(self._next_number, now)
            self._next_number += 1
        if not self._user.user_started:
            self._user.user_started = True
            self._session.send(media.TurnStarted(self._user.number, "user"))
        return self._user

    def _agent_turn(self, now: float) -> Turn:
        """The turn the agent's words belong to. The agent's first word ends the user's turn."""
        turn = self._agent
        if turn is not None and turn.state is TurnState.SPEAKING:
            return turn
        if turn is not None and turn.state in (TurnState.SPOKEN, TurnState.INTERRUPTED):
            self._finish(turn, now)  # it goes on by itself, or speaks anew before the client reported
        turn, self._user = self._user or Turn(self._next_number, now), None
        self._next_number = max(self._next_number, turn.number + 1)
        self._agent, self.answered_at = turn, now
        turn.message_n, turn.is_read = self._session.receipts.told_n, self._is_read
        turn.advance("speech")
        if turn.user_started:
            self._session.send(media.TurnEnded(turn.number, "user"))
        self._session.send(media.TurnStarted(turn.number, "agent"))
        return turn

    def _interrupt(self, cause: Literal["user", "client", "server"], now: float) -> None:
        turn = self._agent
        if turn is None or turn.state not in _SPEAKING:
            return
        turn.advance("interrupt")
        turn.cut_at, turn.finish_at = now, now + (0 if self._is_read else FLUSH_WAIT_S)
        self._muted = True
        self._session.interrupt(turn.number)
        self._session.send(media.TurnInterrupted(turn.number, cause))

    def _finish(self, turn: Turn, now: float) -> None:
        """The turn is over. The client is told so by `announce`, once it is written down."""
        turn.tokens, self._owed = _add(turn.tokens, self._owed), Tokens()
        turn.tools += self._toolbox.used
        self._toolbox.used.clear()
        turn.finish_at, turn.ended_at = None, now
        turn.advance("end")
        self.finished.append(turn)

    def announce(self, turn: Turn) -> None:
        """Tell the client that a finished turn is over: from now on it must not be lost."""
        self._session.settled(turn.message_n)
        if turn.agent_words or turn.audio_ms:
            heard = turn.heard_text() if turn.cut_at is not None else None
            final = media.Transcript(f"a{turn.number}", turn.number, "agent", final=True, heard=heard)
            self._session.send(final)
        if turn.state is TurnState.ENDED:
            self._session.send(media.TurnEnded(turn.number, "agent", turn.outcome))
            self._session.send(self._metrics(turn))

    def _metrics(self, turn: Turn) -> media.Metrics:
        return media.Metrics(
            turn.number,
            turn.first_audio_ms,
            turn.generation_ms,
            round(turn.audio_ms),
            round(self.uplink_dropped_ms),
        )


def _add(a: Tokens, b: Tokens) -> Tokens:
    return Tokens(*(getattr(a, name) + getattr(b, name) for name in Tokens.__struct_fields__))
