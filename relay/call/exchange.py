"""What client and model of one call say to each other, by way of the conversation.

Nothing here waits: an event of either side, or the time, comes in; what follows from it is queued on both
sides and noted for the record before the next one is looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from gemini.messages import Credential, FlushAudio, ModelCommand, ModelEvent, StopAnswer
from protocol import media
from protocol.audio import AudioFrame
from protocol.codec import media_error
from protocol.errors import RemoteProtocolError
from protocol.server import ServerSession
from protocol.states import ServerState
from records.sessions import Session
from relay import clock
from relay.call.alarm import Alarm
from relay.call.conversation import Conversation
from relay.call.greeting import Welcome
from relay.call.hang_up import HangUp
from relay.call.hearing import Heard, Hearing, UserStarted, sensitivity_of
from relay.call.microphone_frames import MicrophoneFrames
from relay.call.recording import Recording
from relay.call.terms import Limits, Terms
from relay.call.watchdogs import Watchdogs
from relay.client.events import ClientEvent, ClientLeft, ClientSaid, ClientSpoke, ClientTook
from relay.client.leg import ClientLeg
from relay.model.connection import ModelConnection
from relay.model.events import ConnectionEvent, HandleIssued, LegClosed, LegOpened, ModelSaid, PongCame, Sent
from relay.model.meter import Meter
from relay.model.metered import MeteredLegs
from relay.model.port import Legs
from relay.model.resumption import Resumption
from relay.model.uplink_queue import Quiet, Speech
from relay.ports import Ledger, TroubleFound
from relay.turn import Turn

logger = logging.getLogger("relay.call.exchange")

FOR_THE_MODEL = (media.Text, media.Context, media.Image, media.Mic, media.Activity)  #: as often as one likes


class Exchange:
    """Joins a client leg that comes and goes to a model connection that comes and goes."""

    def __init__(
        self,
        record: Session,
        terms: Terms,
        ledger: Ledger,
        legs: Legs,
        past: Sequence[media.PastTurn],
        end: Callable[[str], None],
        news: asyncio.Event,
    ) -> None:
        """`end` is told, with a code of the registry or `client`, why the call is to end.

        `news` is set when `is_at_gap` may have changed, or a client has left.
        """
        now = clock.now()
        self.is_over = False  #: it ends: what still comes in is not looked at
        self.is_moving = False  #: the client was told to go on elsewhere
        self.troubles: Counter[str] = Counter()  #: what the watchdogs found, for the log
        self.session = ServerSession(terms.epoch, now, past, record.message_n, record.uplink_seq, terms.pace)
        self.resumption = Resumption(record.handle, now, past)
        self.client = ClientLeg(self.session, self._on_client)
        meter = Meter()
        legs = MeteredLegs(legs, meter)
        self.model = ModelConnection(legs, self.resumption, terms.plan, self._on_model, self.is_quiet)
        self.conversation = Conversation(
            self.session, record.tools, config=record.config, first_turn=record.next_turn
        )
        self.recording = Recording(ledger, record, terms.epoch, self.troubles, self._announce, meter)
        self.hang_up = HangUp(self.session, self.conversation, self.recording, meter, end, now)
        self._record, self._end, self._news = record, end, news
        self._limits = Limits(now + terms.session_s, terms.resume_s)
        self._welcome = Welcome(record, self.session, self.conversation, self.model, self._limits)
        self._hearing, self._hears = Hearing(), record.config.turns == "auto"
        self._watchdogs = Watchdogs(terms.timeouts, is_read=record.config.reply == "text")
        self._alarm, self._frames = Alarm(), MicrophoneFrames(record.uplink_seq)
        self._fallback = record.model  #: of the agent's models, the one that is used instead of its first
        self._asked = self._watchdogs.model.questions.times  #: as the model's side was told last
        self._gap: tuple[bool, ...] = ()  #: what `news` was last set for

    def is_at_gap(self, *, keep_context: bool) -> bool:
        """Nothing would be cut by a move now. `keep_context`: nor would the model forget anything."""
        if self.session.state is not ServerState.LIVE or not self.model.is_up:
            return False  # it is being joined, or its model leg is just being changed
        is_kept = self.resumption.is_current and not self.recording.has_unannounced
        return self.is_quiet() and (is_kept or not keep_context)

    def is_quiet(self) -> bool:
        """By what the model says and by our own ears: not every model tells when somebody speaks."""
        return self.conversation.is_quiet and not self._watchdogs.model.is_engaged(clock.now())

    def go_on_here(self) -> None:
        """Undo a parking for a client that stays: from now on a leg that is not there is missed."""
        if self.model.want():
            self._watchdogs.outage.begin(clock.now())

    def close(self, *, goes_on: bool) -> None:
        """The call ends, or `goes_on` elsewhere: what is unfinished is cut, and noted for the record."""
        self.is_over = True
        self.model.stop()
        is_asked_again = goes_on and self._open_from is not None
        self.conversation.close(clock.now(), goes_on=goes_on, is_asked_again=is_asked_again)
        self.flush()

    def flush(self) -> None:
        """Pass on what the conversation left: commands to the model, turns to the record, words to all."""
        now, conversation = clock.now(), self.conversation
        if not self.is_over:
            self.hang_up.look(now, is_quiet=self.is_quiet(), is_here=self.client.gone_at is None)
        while conversation.commands:
            command = conversation.commands.popleft()
            if isinstance(command, StopAnswer):
                self._watchdogs.model.questions.unwanted()
            self.model.put(command)
        while conversation.finished:
            turn = conversation.finished.popleft()
            self.resumption.note(turn, now)
            turn.uplink_seq = self._frames.of_turn(turn, now, self._open_from)
            self.recording.note(turn)
        while conversation.amended:
            self.recording.amend(conversation.amended.popleft())
        self._note_question(now)
        self._notice_changes(now)
        self.client.wake()
        self._alarm.set(*self._deadlines(now))

    @property
    def _open_from(self) -> float | None:
        """Since then something is said that is not in a finished turn. Loop time."""
        questions = self._watchdogs.model.questions
        answered_from = None if questions.has_tool else self.conversation.answered_from  # not called twice
        since = questions.began_at, answered_from
        return min((at for at in since if at is not None), default=None)

    def _note_question(self, now: float) -> None:
        """Have what is not answered written down, for another relay."""
        said, began_at = self.conversation.unanswered, self._open_from
        if said is not None and not self._watchdogs.model.questions.user_speaks:
            words = "" if began_at is None else said.user_text
            self.recording.note_question(said.number, words, self._frames.since(began_at or now))

    def _settle_audio(self, now: float) -> None:
        """Tell the client which frames of its microphone no relay will want again."""
        self.session.settled_audio(self._frames.settled(now, self._open_from, self.recording.unwritten_from))

    def note_trouble(self, trouble: str) -> None:
        """A watchdog has found something: counted, and logged at once."""
        self.troubles[trouble] += 1
        logger.warning("watchdog", extra={"session_id": self._record.id, "trouble": trouble})

    def _announce(self, turn: Turn) -> None:
        self.conversation.announce(turn)
        self._settle_audio(clock.now())
        self._notice_changes(clock.now())
        self.client.wake()

    # ---- the client

    def _on_client(self, event: ClientEvent) -> None:
        match event:
            case ClientSpoke(frames):
                self._take_audio(frames)
            case ClientTook():
                self._read_on()
            case ClientSaid(message):
                self._act_on(message)
            case ClientLeft():
                self._alarm.set(*self._deadlines(clock.now()))
                self._news.set()
            case TroubleFound(trouble):
                self.note_trouble(trouble)

    def _take_audio(self, frames: Sequence[AudioFrame]) -> None:
        now = clock.now()
        if frames:
            self._watchdogs.mic.frame(now)
        if self.hang_up.is_closing:
            return
        for frame in frames:
            self.model.put(frame)
            self._frames.note(frame.seq, now)
            if self._hears:
                self._note_heard(*self._hearing.hear(frame.pcm, now))
        self._alarm.set(self.client.next_timeout(), self._watchdogs.mic.next_timeout())

    def _note_heard(self, *told: Heard | None) -> None:
        """The user speaks, or has stopped."""
        for heard in told:
            if heard is None or self.is_over:
                continue
            self.hang_up.idle.user_spoke(now := clock.now())
            if isinstance(heard, UserStarted):
                self._watchdogs.model.user_started(heard.at)
                self.conversation.user_started(heard.at)
                self.model.tell_notes(with_words=True)
            else:
                self._watchdogs.model.user_stopped(heard.at)
                self.conversation.user_stopped(heard.at, heard.lasted_s)
                self._watchdogs.outage.asked(now)
            self.flush()

    def _read_on(self) -> None:
        """The client has taken something: the model may be read again once enough is gone."""
        if not self.model.readable.is_set() and not self.session.is_backed_up:
            self.model.readable.set()
            self._notice_changes(clock.now())

    def _act_on(self, message: media.ClientMessage) -> None:
        if self.is_over:
            return None
        now = clock.now()
        if isinstance(message, media.Hello):
            self.conversation.go_on_after(message.last_turn)
            self._watchdogs.mic.frame(now)  # it was not here, and owed nothing
            if self.model.is_up:
                self._welcome.go_live(now)
        if isinstance(message, media.EndCall):
            return self._end("client")
        if isinstance(message, FOR_THE_MODEL):
            self.hang_up.idle.user_spoke(now)
            if self.hang_up.is_closing:
                return None
        if self.is_moving and isinstance(message, media.Text):
            self.go_on_here()  # it was written before the client heard that it should move
        if self.model.uplink.is_full and isinstance(message, FOR_THE_MODEL):
            self.session.receipts.give_back(message)
            return self.session.refuse("rate_limited", fatal=True)
        try:
            self.conversation.client_said(message, now)
            if isinstance(message, media.Mic):
                self._watchdogs.mic.said(message.state, now)
                if message.state != "open":
                    self._note_heard(self._hearing.stop(now))
        except RemoteProtocolError as error:
            self.session.refuse(error.code, ref=error.ref)
        if isinstance(message, media.Text):
            self._watchdogs.outage.asked(now)
        return self.flush()

    # ---- the model

    def _on_model(self, event: ConnectionEvent) -> None:
        now = clock.now()
        match event:
            case ModelSaid(said):
                self._hear(said, now)
            case Sent(item):
                self._note_sent(item, now)
            case HandleIssued():
                self._watchdogs.model.pulse.beat(now, at_work=False)
                if self.resumption.has_news:
                    self.recording.note_handle(self.resumption.news())
                self._notice_changes(now)
                self._alarm.set(self._watchdogs.model.next_timeout(now))
            case PongCame():
                self._watchdogs.model.pulse.pong(now)
            case LegOpened(gap_ms, credential):
                self._leg_opened(gap_ms, credential, now)
            case LegClosed():
                self._leg_closed(now)
            case TroubleFound(trouble):
                self.note_trouble(trouble)

    def _hear(self, said: ModelEvent, now: float) -> None:
        if self.is_over:
            self.hang_up.heard_late(said)
            return
        self.hang_up.model_said(said, now)
        self.conversation.uplink_dropped_ms = self.model.uplink.dropped_ms + self.session.uplink_dropped_ms
        self._hearing.model_said(said, now)
        self.session.receipts.untold = self.model.uplink.untold
        self.conversation.model_said(said, now)
        self._watchdogs.model.heard(said, now, self.conversation.answers)
        if self.session.is_backed_up:
            self.model.readable.clear()
        self.flush()

    def _note_sent(self, item: Speech | Quiet | ModelCommand, now: float) -> None:
        if isinstance(item, Speech):
            self._settle_audio(now)
        self._watchdogs.model.sent(item, now)
        self._notice_changes(now)
        self._alarm.set(self._watchdogs.model.next_timeout(now))

    def _leg_opened(self, gap_ms: int | None, credential: Credential, now: float) -> None:
        self.recording.account.model_connected(now)
        self._watchdogs.outage.end()
        self.hang_up.leg_opened(credential, now)
        self._hearing.adjust(sensitivity_of(credential.sensitivity))
        self._watchdogs.model.leg_changed(now, credential)
        self.conversation.expect(splits_replies=credential.profile.splits_replies.value)
        if credential.is_fallback and credential.model != self._fallback:
            self._fallback = credential.model
            self.recording.note_model(credential.model)
            self.note_trouble("model_fallback")
        if gap_ms is None:
            self._welcome.greets = credential.greets  # no later leg begins again
        else:
            self.conversation.changed_leg(gap_ms)
        if self.session.state is ServerState.OPENING:
            self._welcome.go_live(now)
        self.flush()

    def _leg_closed(self, now: float) -> None:
        self.recording.account.model_lost(now)
        if self.is_over:
            return
        if self.client.gone_at is None and self.model.is_wanted:
            self._watchdogs.outage.begin(now)
        ending = self._watchdogs.model.leg_lost(now, runs=self.conversation.answers is not None)
        cut = self.conversation.leg_lost(ending, now)
        if cut is not None:
            self.resumption.note(cut, now)
        if ending == "again" and cut is not None:
            self.resumption.asks_again(cut)
            self.model.asks_again(self._watchdogs.model.questions.times[1])
        self.flush()

    # ---- time

    async def keep_time(self) -> None:
        """Do what is due when it is due, until cancelled."""
        while not self.is_over:
            await self._alarm.wait()
            self._handle_timeout(clock.now())

    def _deadlines(self, now: float) -> Iterator[float | None]:
        yield self.client.next_timeout()
        yield self.conversation.next_timeout()
        yield self._hearing.next_timeout()
        yield self.recording.account.next_timeout(now)
        yield self._watchdogs.mic.next_timeout()
        yield self._watchdogs.outage.next_timeout()
        if self.model.is_up:
            yield self._watchdogs.model.next_timeout(now)
        yield self._limits.next_timeout(now, self.client.gone_at)
        yield self.hang_up.next_timeout(is_up=self.model.is_up)

    def _handle_timeout(self, now: float) -> None:
        """Hello, tools, playback reports, watchdogs, the missing client, the session's length."""
        self.client.handle_timeout(now)
        ran = self.conversation.answers
        if self.conversation.handle_timeout(now):
            self.note_trouble("tool_unanswered")
        if ran is not None and self.conversation.answers is None:
            self._watchdogs.model.answer_over(now)
        self._note_heard(self._hearing.handle_timeout(now))
        self._check_watchdogs(now)
        self.recording.account.handle_timeout(now)
        self.flush()
        if self._limits.is_parked(now, self.client.gone_at):
            self.model.park()
        if reason := self._limits.reached(now, self.client.gone_at):
            self._end(reason)

    def _check_watchdogs(self, now: float) -> None:
        """What they say, and what is done about it."""
        if self.model.is_up and (found := self._watchdogs.model.check(now, suspended=self._is_suspended)):
            self.note_trouble(found.trouble)
            if found.given_up is None:
                self.model.replace_leg()
            else:
                self.conversation.give_up(found.given_up, now)
        if self._watchdogs.outage.check(now) and self.session.state is ServerState.LIVE:
            self.session.send(media_error(self.model.refused))
        if self._watchdogs.mic.is_mute(now, is_here=self.client.gone_at is None):
            self.note_trouble("mic_silent")
            self.conversation.commands.append(FlushAudio())
            self.session.send(media_error("mic_silent"))

    @property
    def _is_suspended(self) -> bool:
        """It is not the model that is waited for, but a tool, or a client that does not read."""
        return self.conversation.waits_for_tool or not self.model.readable.is_set()

    def _notice_changes(self, now: float) -> None:
        self._watchdogs.suspend(self._is_suspended, now)
        self.resumption.answered_at = self._watchdogs.model.questions.answered_at
        if (asked := self._watchdogs.model.questions.times) != self._asked:
            self._asked = asked
            self.model.asks(*asked)
        is_quiet, is_current = self.is_quiet(), self.resumption.is_current
        if is_quiet:
            self.model.tell_notes(with_words=False)
        gap = is_quiet, is_current, self.recording.has_unannounced, self.model.is_up
        if gap != self._gap:
            self._gap = gap
            self._news.set()
            if is_quiet and is_current:
                self.model.turn_gap_opened()
