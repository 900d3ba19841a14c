"""The turns of one call: what the model and the client say becomes events, commands and finished turns.

Pure: no clock, no logger, no await. Whose turn it is follows from the sound of both sides, as heard here by
`user_started`, `user_stopped` and the agent's audio: what the model tells may come late, twice or never. Both
parties are in `speakers.py`, what the client is told of turns in `turns.py`.
"""

from __future__ import annotations

from collections import deque

from gemini import messages as model
from gemini.messages import ModelCommand, ModelEvent
from protocol import media
from protocol.control import ClientTool, Config
from protocol.errors import RemoteProtocolError
from protocol.media import ClientMessage, Tokens
from protocol.server import ServerSession
from protocol.states import TurnState
from relay.call.bill import Bill
from relay.call.client_tools import ClientTools
from relay.call.question import Ending
from relay.call.speakers import Agent, User
from relay.call.turns import Failure, Turns
from relay.turn import Turn

AS_USUAL = Config()


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
        self.uplink_dropped_ms = 0.0  #: told by the call, for the metrics
        self.cost = (0, False)  #: told by the call: micro-dollars that a client may know of, some estimated
        self._cited: tuple[int, model.Cited] | None = None  #: told last
        self._session = session
        self._toolbox = ClientTools(tools, session.epoch)
        self._manual = config.turns == "manual"
        self._bill = Bill(self._toolbox.used)
        is_read = config.reply == "text"
        self._turns = Turns(session, self._bill, is_read=is_read, first_turn=first_turn)
        self._user = User(self._turns)
        self._agent = Agent(self._turns, self._user)

    @property
    def finished(self) -> deque[Turn]:
        """Turns for the record, in order."""
        return self._turns.finished

    @property
    def amended(self) -> deque[Turn]:
        """Turns that were finished before, with words that came late."""
        return self._turns.told.amended

    @property
    def used(self) -> Tokens:
        """By the whole call."""
        return self._bill.used

    @property
    def answers(self) -> float | None:
        """Loop time at which the agent began to answer; None: no answer runs."""
        return self._turns.answered_at if self._agent.answers else None

    # ---- what is heard here

    def user_started(self, at: float) -> None:
        """The user began to speak at `at`, by our own hearing. Under manual turns the client says so."""
        if not self._manual:
            self._user.hear_start(at)

    def user_stopped(self, at: float, lasted_s: float = 0.0) -> None:
        """The user fell silent at `at`, which may be a while ago, and had spoken for so long."""
        if not self._manual:
            self._user.hear_stop(at, lasted_s)

    # ---- what the model says

    def model_said(self, event: ModelEvent, now: float) -> None:
        match event:
            case model.Audio(pcm):
                self._agent.speak(pcm, now)
            case model.Said(text, finished):
                self._agent.say(text, finished, now)
            case model.Heard(text, finished):
                self._user.say(text, finished, now)
            case model.SpeechStarted() if not self._user.is_heard:
                self._user.start(now)
            case model.SpeechEnded() if not self._user.is_heard:
                self._user.stop(now)
            case model.Interrupted():
                self._toolbox.spoken_of()
                self._agent.interrupted(now)
            case model.GenerationEnded():
                self._agent.generated(now)
            case model.TurnCompleted(idle):
                if idle:
                    self._toolbox.spoken_of()
                self._agent.completed(now, goes_on=not idle)
            case model.ToolRequested() | model.ToolsWithdrawn():
                self._use_tools(event, now)
            case model.Cited():
                self._cite(event)
            case model.TokensUsed(tokens):
                self._note_tokens(tokens)
            case _:
                pass  # the call's business

    def _use_tools(self, event: model.ToolRequested | model.ToolsWithdrawn, now: float) -> None:
        if isinstance(event, model.ToolsWithdrawn):
            step: object = self._toolbox.withdraw(event.ids)
        else:
            step = self._toolbox.request(event, now)
        if isinstance(step, model.AnswerTool):
            self.commands.append(step)
        elif isinstance(step, media.ToolCall | media.ToolCancel):
            self._session.send(step)

    def _recap_tools(self) -> None:
        """Tell the next leg of calls that it knows nothing of."""
        turn = self._turns.user or self._turns.agent
        if (said := self._toolbox.recap(turn.user_text if turn else "")) is not None:
            self.commands.append(said)

    def _cite(self, cited: model.Cited) -> None:
        """Tell what an answer is founded on: once for each turn, however often the model does."""
        user, agent = self._turns.user, self._turns.agent
        turn = user if agent is None or agent.state is TurnState.ENDED else agent
        number = turn.number if turn else agent.number if agent else 0
        if (number, cited) != self._cited:
            self._cited = number, cited
            sources = [media.Source(url, title) for url, title in cited.sources]
            self._session.send(media.Citation(number, sources, cited.html))

    def _note_tokens(self, tokens: Tokens) -> None:
        """On the turn's record; on the next one's when that turn is written already."""
        user, agent = self._turns.user, self._turns.agent
        turn = user if agent is None or agent.state is TurnState.ENDED else agent
        self._bill.add(tokens, turn)
        number = turn.number if turn else agent.number if agent else 0
        self._session.send(media.Usage(number, self._bill.used, *self.cost))

    def take_owed(self) -> tuple[int, Tokens]:
        """The number of the last turn, and what was billed since it was written. For the end of the call."""
        return self._turns.next_number - 1, self._bill.take_owed(self._turns.user)

    def go_on_after(self, last_turn: int) -> None:
        """The client knows of turns up to `last_turn`, perhaps of another relay's that were never written."""
        self._turns.go_on_after(last_turn)

    @property
    def is_quiet(self) -> bool:
        """Nobody speaks and nothing is awaited."""
        return not self._turns.is_speaking and not self._user.waits and not self.waits_for_tool

    def give_up(self, failure: Failure, now: float) -> None:
        """No answer to what the user said will come: his turn ends, and the client is told how."""
        self._user.words.release()
        self._turns.give_up(failure, now)

    @property
    def unanswered(self) -> Turn | None:
        """What the user said by voice; what is typed, the client says again by itself.

        Of what is answered just now too: the answer is no answer before it is in the record.
        """
        turn = self._turns.user or self._unfinished
        return None if turn is None or turn.ends_typed else turn

    @property
    def answered_from(self) -> float | None:
        """When what is being answered began to be said; None while nothing is."""
        turn = self._unfinished
        return None if turn is None else turn.started_at

    @property
    def _unfinished(self) -> Turn | None:
        """The earliest turn that the agent has begun, and that is not over."""
        begun = self._turns.cut, self._turns.agent
        return next((turn for turn in begun if turn and turn.state is not TurnState.ENDED), None)

    def leg_lost(self, ending: Ending, now: float) -> Turn | None:
        """The model leg is gone: what it had begun ends with what has come, when that has been played.

        Returns the turn that is cut like this.
        """
        self._toolbox.leg_lost()
        self._recap_tools()
        self._user.words.leg_lost(keeps_last=True)
        return self._agent.leg_lost(ending, now)

    def silence(self, now: float) -> None:
        """Stop the agent, if it speaks: there is something to be said at once."""
        if self._agent.silenced(now):
            self._toolbox.spoken_of()
            self.commands.append(model.StopAnswer())

    def expect(self, *, splits_replies: bool) -> None:
        """Of the model at the other end. `splits_replies`: one reply may come as several turns."""
        self._agent.expect(splits_replies=splits_replies)

    def changed_leg(self, gap_ms: int) -> None:
        """Another leg carries the conversation on; the client hears only how long there was none."""
        self._session.send(media.Metrics(self._turns.next_number - 1, leg_gap_ms=gap_ms))

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
                self._user.write(text, now)
                self.commands.append(model.SayText(text, respond))
            case media.Context(text, n):
                self.commands.append(model.Note(text, n))
            case media.Image(mime, data):
                self.commands.append(model.ShowImage(mime, data))
            case media.Interrupt(turn, played_ms):
                if self._agent.stopped(turn, played_ms, now):
                    self._toolbox.spoken_of()
                    self.commands.append(model.StopAnswer())
            case media.Playback():
                if settled := self._turns.played(message):
                    self._agent.finish(settled, now)
            case media.ToolResult():
                if (answer := self._toolbox.result(message, now)) is not None:
                    self.commands.append(answer)
                self._recap_tools()
            case media.Hello() | media.EndCall() | media.Ping():
                pass  # the call's and the session's business

    def _require(self, fits: bool, ref: str) -> None:
        if not fits:
            raise RemoteProtocolError("mode_refused", ref=ref)

    def _mark_activity(self, started: bool, now: float) -> None:
        """The client hears for us."""
        (self._user.hear_start if started else self._user.hear_stop)(now)
        self.commands.append(model.MarkActivity(started))

    # ---- time

    def next_timeout(self) -> float | None:
        """Time at which the driver must call `handle_timeout`; None for never."""
        waits = (
            self._toolbox.next_timeout(),
            self._turns.next_timeout(),
            self._agent.over_at,
            self._agent.words.next_timeout(),
            self._user.words.next_timeout(),
        )
        return min((at for at in waits if at is not None), default=None)

    def handle_timeout(self, now: float) -> bool:
        """True when a tool was given up."""
        cancelled, answers = self._toolbox.expire(now)
        if cancelled is not None:
            self._session.send(cancelled)
        self.commands.extend(answers)
        self._recap_tools()
        for turn in self._turns.due(now):
            self._agent.finish(turn, now)
        self._user.words.handle_timeout(now)
        self._agent.words.handle_timeout(now)
        self._agent.handle_timeout(now, waits=self.waits_for_tool)
        return cancelled is not None

    @property
    def waits_for_tool(self) -> bool:
        """The model waits for the client, not we for the model."""
        return self._toolbox.next_timeout() is not None

    def close(self, now: float, *, goes_on: bool = False, is_asked_again: bool = False) -> None:
        """The call ends: what is unfinished is cut here, so that the record has it.

        `goes_on`, on another relay: what its client will say again there is left out. `is_asked_again`: so is
        what the user has said, which is answered there.
        """
        self._user.words.close()
        self._agent.words.close()
        self._turns.close(now, goes_on=goes_on, is_asked_again=is_asked_again)

    def announce(self, turn: Turn) -> None:
        """Tell the client that a finished turn is over: from now on it must not be lost."""
        self._turns.announce(turn)
        if turn.state is TurnState.ENDED:
            first_audio_ms, dropped_ms = turn.first_audio_ms, round(self.uplink_dropped_ms)
            audio_ms = round(turn.audio_ms)
            measured = media.Metrics(turn.number, first_audio_ms, turn.generation_ms, audio_ms, dropped_ms)
            self._session.send(measured)
