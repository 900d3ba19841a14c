"""One call: a client that may come and go, joined to a model leg that may come and go."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from websockets.asyncio.server import ServerConnection

from gemini.messages import FlushAudio, ModelCommand, ModelEvent
from protocol import media
from protocol.audio import AudioFrame
from protocol.codec import media_error
from protocol.errors import REGISTRY, RemoteProtocolError
from protocol.server import ServerSession
from protocol.states import ServerState
from records.sessions import Session
from relay.call.conversation import Conversation
from relay.call.greeting import greeting
from relay.call.stopwatch import Stopwatch
from relay.call.turn_writer import TurnWriter, within
from relay.call.watchdog import MicWatchdog, ModelWatchdog
from relay.client.leg import ClientLeg, close
from relay.failure import where
from relay.model.connection import DEFAULT_PLAN, Legs, ModelConnection, Plan
from relay.model.port import UpstreamError
from relay.model.resumption import Resumption
from relay.model.uplink_queue import Speech, UplinkQueue
from relay.ports import Ledger, Superseded
from relay.timeouts import Timeouts
from relay.turn import Turn

logger = logging.getLogger("relay.call.call")

PARK_S = 15.0  #: a call without a client closes its model leg after this
FINAL_FLUSH_S = 1.0  #: for the store, so that the last turn's end is sent before the closing message
HANDLE_S = 1.0  #: how long a move waits for the resumption handle to be written
MOVE_S = 5.0  #: a client that was told to move and is still here is served again
TICK_S = 0.2  #: deadlines are looked at this often; none needs better
FAREWELL_S = 3.0  #: for the client to take the closing message
WRITE_S = 10.0  #: what the last writes may take before the call is let go; `write_rest` has the others
GOES_ON = ("going_away", "superseded")  #: ends of a call that are not the end of its session
FOR_THE_MODEL = (media.Text, media.Context, media.Image, media.Mic, media.Activity)  #: as often as one likes


@dataclass(frozen=True, slots=True)
class Terms:
    """What a call is held to."""

    epoch: int
    session_s: float  #: from now to the session's longest duration
    resume_s: float  #: how long it waits for a client that is gone
    plan: Plan = DEFAULT_PLAN  #: when and how its model leg is changed
    timeouts: Timeouts = field(default_factory=Timeouts)


class Call:
    """Lives from its first ticket to its closing message. `serve` lends it a connection."""

    def __init__(
        self,
        record: Session,
        terms: Terms,
        ledger: Ledger,
        legs: Legs,
        past: Sequence[media.PastTurn] = (),
    ) -> None:
        """`past` are the finished turns that other relays have left."""
        self._now = asyncio.get_running_loop().time
        self.record = record
        self.session = ServerSession(terms.epoch, self._now(), past)
        self._terms = terms
        self._ends_at = self._now() + terms.session_s
        self._uplink = UplinkQueue()
        self._resumption = Resumption(record.handle, self._now(), past)
        self._connection = ModelConnection(legs, self._uplink, self._resumption, terms.plan)
        self.rotate = self._connection.rotate  #: changes the model leg at the next turn gap
        self._watchdog = ModelWatchdog(terms.timeouts)
        self._mic = MicWatchdog(terms.timeouts.mic_s)
        self.is_written = False  #: the record has all of it, the end too
        self.is_moving = False  #: the client was told to go on elsewhere
        self.troubles: Counter[str] = Counter()  #: what its watchdogs found, for the log
        self._client = ClientLeg(
            self.session,
            text=self._text,
            audio=self._audio,
            written=self._resume_reading,
            noticed=self.noticed,
        )
        self._turn_writer = TurnWriter(ledger, record, terms.epoch, self.troubles)
        self._conversation = Conversation(
            self.session, record.tools, turns=record.config.turns, first_turn=record.next_turn
        )
        self._unannounced: deque[Turn] = deque()  #: finished, and not written yet
        self._connected = Stopwatch()  #: the model, which is paid for by the minute
        self._over = asyncio.Event()
        self._reason = ""

    async def run(self) -> str:
        """The whole call. Returns why it ended: `client`, or a code of the registry."""
        try:
            async with asyncio.TaskGroup() as pen:
                writing = pen.create_task(self._write(), name="turn_writer")
                await self._run_legs()
                self._turn_writer.note_connected(self._connected.seconds(self._now()))
                await within(FINAL_FLUSH_S, self._turn_writer.flush())
                self._send_closing()
                await within(WRITE_S, self._write_all())
                writing.cancel()
        except* Superseded:
            self.is_written = True  # nothing more of it may be
            self.end("superseded")
            await within(WRITE_S, self._turn_writer.tell_connected(self._connected.seconds(self._now())))
        except* Exception as failures:
            self._fail(failures)
        self._send_closing()
        await self._client.let_go(FAREWELL_S)
        return self._reason

    async def serve(self, connection: ServerConnection) -> None:
        """One client connection, until it is gone."""
        self._connection.want()
        try:
            await self._client.serve(connection)
        except* Exception as failures:  # a message of this client met a fault of ours: the call goes on
            self._log("connection failed", failures)
            await close(connection, REGISTRY["internal"].close or 1011)

    def end(self, reason: str) -> None:
        """Close it, once, for this reason. The closing message follows when the record has the last turn."""
        if self._over.is_set():
            return
        self._reason = reason if reason == "client" or reason in REGISTRY else "internal"
        self._over.set()
        self._conversation.close(self._now())
        self._flush_outputs()
        if (owed := self._conversation.take_owed())[1].total:
            self._turn_writer.note_tokens(*owed)

    def _send_closing(self) -> None:
        """`ended` to a client that asked for it, else the error's code before it. Once."""
        reason = self._reason
        if self.session.state is ServerState.ENDED:
            return
        if reason != "client":
            self.session.send(media_error(reason, fatal=True))
        last_word = media.Ended(reason, self._conversation.used) if reason not in GOES_ON else None
        self.session.end(last_word, code=None if reason == "client" else reason)  # a client's own end: 1000
        self._client.wake()

    # ---- leaving this relay

    @property
    def is_over(self) -> bool:
        """Its end was decided; only its closing message and its final writes are to come."""
        return self._over.is_set()

    @property
    def is_detached(self) -> bool:
        """Nobody is here; who comes back is led elsewhere when this relay leaves."""
        return self._client.gone_at is not None

    def is_at_gap(self, *, patient: bool) -> bool:
        """Nothing would be cut by a move now. `patient`: nor would the model forget anything."""
        if self.session.state is not ServerState.LIVE or not self._connection.is_up:
            return False  # it is being joined, or its model leg is just being changed
        is_kept = self._resumption.is_current and not self._unannounced
        return self.is_quiet and (is_kept or not patient)

    async def move(self, ends_in_s: float) -> None:
        """Have the client go on elsewhere, from here exactly: what it says now, the next relay hears."""
        self.is_moving = True
        self._connection.park()
        if self._resumption.handle is not None:
            self._turn_writer.note_handle(self._resumption.news())
        try:
            await within(HANDLE_S, self._turn_writer.flush())
        except Superseded:
            return self.end("superseded")
        self.go_away(ends_in_s)
        try:
            async with asyncio.timeout(MOVE_S):
                await self._over.wait()
        except TimeoutError:
            self._connection.want()  # it is still here, and should not talk to nobody

    def go_away(self, ends_in_s: float) -> None:
        """Tell the client that this relay will close, and that it should move."""
        self.is_moving = True
        self.session.send(media.GoingAway(round(ends_in_s * 1000), move=True))
        self._client.wake()

    # ---- what comes in

    def _audio(self, data: bytes) -> None:
        now = self._now()
        self._hand_on(self.session.receive_audio(data, now), now)

    def _hand_on(self, frames: list[AudioFrame], now: float) -> None:
        for frame in frames:
            self._mic.frame(now)
            self._uplink.put_audio(frame)

    def _text(self, text: str) -> None:
        now = self._now()
        message = self.session.receive_text(text, now)
        self._hand_on(self.session.audio_due(now), now)
        if message is None or self._over.is_set():
            return None
        if isinstance(message, media.Hello):
            self._conversation.go_on_after(message.last_turn)
            if self._connection.is_up:
                self._send_live()
        if isinstance(message, media.EndCall):
            return self.end("client")
        if self.is_moving and isinstance(message, media.Text):
            self._connection.want()  # it was written before the client heard that it should move
        if self._uplink.is_full and isinstance(message, FOR_THE_MODEL):
            return self.session.refuse("rate_limited", fatal=True)
        try:
            self._conversation.client_said(message, now)
            if isinstance(message, media.Mic):
                self._mic.said(message.state, now)
        except RemoteProtocolError as error:
            self.session.refuse(error.code, ref=error.ref)
        return self._flush_outputs()

    def heard(self, event: ModelEvent) -> None:
        if self._over.is_set():
            return
        self._conversation.uplink_dropped_ms = self._uplink.dropped_ms + self.session.uplink_dropped_ms
        self._watchdog.heard(event, self._now())
        self._conversation.model_said(event, self._now())
        self._resumption.answered_at = self._conversation.answered_at
        self._flush_outputs()
        if self.session.is_backed_up:
            self._connection.readable.clear()

    def _flush_outputs(self) -> None:
        """Pass on what the conversation left: commands to the model, turns to the record, words to all."""
        while self._conversation.commands:
            self._uplink.put_command(self._conversation.commands.popleft())
        while self._conversation.finished:
            turn = self._conversation.finished.popleft()
            self._resumption.note(turn, self._now())
            self._unannounced.append(turn)
            self._turn_writer.note(turn, self._announce)
        while self._conversation.amended:
            self._turn_writer.amend(self._conversation.amended.popleft())
        self._client.wake()

    def _announce(self, turn: Turn) -> None:
        """Turns up to this one are written: the client may count on them, whatever becomes of this relay."""
        while self._unannounced and self._unannounced[0].number <= turn.number:
            self._conversation.announce(self._unannounced.popleft())
        self._client.wake()

    def _resume_reading(self) -> None:
        """The client has taken something: the model may be read again once enough is gone."""
        if not self._connection.readable.is_set() and not self.session.is_backed_up:
            self._connection.readable.set()

    # ---- the legs

    async def _run_legs(self) -> None:
        """Until the call is over; whatever fails here ends it."""
        try:
            async with asyncio.TaskGroup() as legs:
                running = [
                    legs.create_task(self._run_model(), name="upstream"),
                    legs.create_task(self._watch(), name="watch"),
                ]
                await self._over.wait()
                for task in running:
                    task.cancel()
        except* Exception as failures:
            self._fail(failures)

    def _fail(self, failures: BaseExceptionGroup[Exception]) -> None:
        """Our own fault: it ends this call and no other."""
        self._log("call failed", failures)
        with contextlib.suppress(Exception):  # it may be the conversation that is broken
            self.end("internal")

    def _log(self, what: str, failures: BaseExceptionGroup[Exception]) -> None:
        errors = [where(failure) for failure in failures.exceptions]
        logger.error(what, extra={"session_id": self.record.id, "errors": errors})

    async def _run_model(self) -> None:
        try:
            await self._connection.run(self)
        except UpstreamError as error:
            self.end(error.code)

    @property
    def is_quiet(self) -> bool:
        """By what the model says and by our own ears: not every model tells when somebody speaks."""
        return self._conversation.is_quiet and not self._watchdog.is_engaged(self._now())

    def went_up(self, gap_ms: int | None) -> None:
        """The model leg is there, or there again."""
        self._connected.start(self._now())
        self._watchdog.leg_changed(self._now(), self._connection.silence_ms)
        if gap_ms is not None:
            self._conversation.changed_leg(gap_ms)
            self._client.wake()
        if self.session.state is ServerState.OPENING:
            self._send_live()

    def went_down(self) -> None:
        """The model leg is gone, for now or for good."""
        self._connected.stop(self._now())
        if not self._over.is_set():
            cut = self._conversation.leg_lost(self._now())
            if cut is not None:
                self._resumption.note(cut, self._now())
            self._flush_outputs()

    def remembered(self) -> None:
        """The model has issued a resumption handle; the first that holds a new turn is written down."""
        if self._resumption.has_news:
            self._turn_writer.note_handle(self._resumption.news())

    def handed(self, item: Speech | ModelCommand) -> None:
        self._watchdog.sent(item, self._now())
        if isinstance(item, Speech):
            self.session.handed(item.seq)

    def noticed(self, trouble: str) -> None:
        """A watchdog has found something: counted, and logged at once."""
        self.troubles[trouble] += 1
        logger.warning("watchdog", extra={"session_id": self.record.id, "trouble": trouble})

    def _send_live(self) -> None:
        ends_in_s, resume_s = self._ends_at - self._now(), self._terms.resume_s
        self.session.go_live(greeting(self.record, self.session, ends_in_s=ends_in_s, resume_s=resume_s))
        self._client.wake()

    async def _watch(self) -> None:
        """Deadlines: hello, tools, playback reports, parking, the missing client, the session's length."""
        while True:
            await asyncio.sleep(TICK_S)
            now = self._now()
            self.session.handle_timeout(now)
            self._hand_on(self.session.audio_due(now), now)
            if self._conversation.handle_timeout(now):
                self.noticed("tool_unanswered")
            self._check_watchdogs(now)
            self._flush_outputs()
            if self._connected.is_due(now):
                self._turn_writer.note_connected(self._connected.seconds(now))
            gone_s = now - self._client.gone_at if self._client.gone_at is not None else 0.0
            if gone_s >= PARK_S:
                self._connection.park()
            if gone_s >= self._terms.resume_s:
                self.end("abandoned")
            if now >= self._ends_at:
                self.end("session_limit")

    def _check_watchdogs(self, now: float) -> None:
        """What the watchdogs say, and what is done about it."""
        suspended = self._conversation.waits_for_tool or not self._connection.readable.is_set()
        if self._connection.is_up and (trouble := self._watchdog.check(now, suspended=suspended)):
            self.noticed(trouble)
            self._connection.replace_leg(forget=self._watchdog.is_repeated)
        if self._mic.is_mute(now, is_here=self._client.gone_at is None):
            self.noticed("mic_silent")
            self._conversation.commands.append(FlushAudio())
            self.session.send(media_error("mic_silent"))

    async def _write(self) -> None:
        """Write what is noted, until cancelled. A fenced call must stop: its writes would be refused."""
        try:
            await self._turn_writer.run()
        except Superseded:
            self.end("superseded")
            raise

    async def write_rest(self) -> None:
        """What the store did not take in time, however long it takes; nothing when all is written."""
        with contextlib.suppress(Superseded):
            await self._write_all()

    async def _write_all(self) -> None:
        await self._turn_writer.flush()
        if self._reason not in GOES_ON:
            await self._turn_writer.finish(self._reason)
        self.is_written = True

    @property
    def unwritten(self) -> int:
        """Writes that wait for the store."""
        return self._turn_writer.waiting
