"""One call: from its first ticket to its closing message. What is said in it: `exchange.py`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Sequence

from protocol import media
from protocol.codec import media_error
from protocol.errors import REGISTRY
from protocol.server import ServerSession
from protocol.states import ServerState
from records.sessions import Session
from relay import clock
from relay.call.exchange import Exchange
from relay.call.terms import Terms
from relay.call.turn_writer import within
from relay.client.port import ClientConnection
from relay.failure import where
from relay.model.port import Legs, UpstreamError
from relay.ports import Ledger, Superseded

logger = logging.getLogger("relay.call")

FINAL_FLUSH_S = 1.0  #: for the store, so that the last turn's end is sent before the closing message
HANDLE_S = 1.0  #: how long a move waits for the resumption handle to be written
MOVE_S = 5.0  #: a client that was told to move and is still here is served again
FAREWELL_S = 3.0  #: for the client to take the closing message
WRITE_S = 10.0  #: what the final writes may take before the call is let go; `write_rest` has the others
GOES_ON = ("going_away", "superseded")  #: ends of a call that are not the end of its session


class Call:
    """`run` is its life; `serve` lends it a connection."""

    def __init__(
        self,
        record: Session,
        terms: Terms,
        ledger: Ledger,
        legs: Legs,
        past: Sequence[media.PastTurn] = (),
        news: asyncio.Event | None = None,
    ) -> None:
        """`past` are the finished turns that other relays have left. `news` is set when its state changes."""
        self.record = record
        self._news = news or asyncio.Event()
        self._exchange = Exchange(record, terms, ledger, legs, past, self.end, self._news)
        self._over = asyncio.Event()
        self._sleeps = False  #: its model leg is parked while the machine is suspended
        self.reason = ""  #: why it ended: `client`, or a code of the registry; empty while it goes on

    async def run(self) -> str:
        """The whole call. Returns why it ended: `client`, or a code of the registry."""
        recording = self._exchange.recording
        try:
            async with asyncio.TaskGroup() as writers:
                writing = writers.create_task(self._write(), name="turn_writer")
                await self._run_legs()
                self._exchange.hang_up.note_bill(clock.now())
                await within(FINAL_FLUSH_S, recording.flush())
                self._send_closing()
                await within(WRITE_S, self._write_rest())
                writing.cancel()
        except* Superseded:
            self.end("superseded")
            await within(WRITE_S, recording.give_up(clock.now()))
        except* Exception as failures:
            self._fail(failures)
        self._send_closing()
        await self._exchange.client.let_go(FAREWELL_S)
        return self.reason

    async def serve(self, connection: ClientConnection) -> None:
        """One client connection, until it is gone."""
        self._exchange.model.want()
        try:
            await self._exchange.client.serve(connection)
        except* Exception as failures:  # a message of this client met a fault of ours: the call goes on
            self._log("connection failed", failures)
            await connection.close(REGISTRY["internal"].close or 1011)

    def end(self, reason: str) -> None:
        """Close it, once, for this reason. The closing message follows when the record has the last turn."""
        if self._over.is_set():
            return
        self.reason = reason if reason == "client" or reason in REGISTRY else "internal"
        self._over.set()
        self._news.set()
        self._exchange.close(goes_on=self.reason in GOES_ON)

    # ---- what others see of it

    @property
    def session(self) -> ServerSession:
        return self._exchange.session

    @property
    def troubles(self) -> Counter[str]:
        """What its watchdogs found, and how often."""
        return self._exchange.troubles

    @property
    def is_over(self) -> bool:
        """Its end was decided; only its closing message and its final writes are to come."""
        return self._over.is_set()

    @property
    def is_written(self) -> bool:
        """The record has all of it, the end too."""
        return self._exchange.recording.is_written

    @property
    def unwritten(self) -> int:
        """Writes that wait for the store."""
        return self._exchange.recording.unwritten

    # ---- leaving this relay

    @property
    def is_moving(self) -> bool:
        """The client was told to go on elsewhere."""
        return self._exchange.is_moving

    @property
    def is_detached(self) -> bool:
        """No client is here; one that comes back is led elsewhere when this relay leaves."""
        return self._exchange.client.gone_at is not None

    @property
    def gone_s(self) -> float | None:
        """Seconds without a client, None while one is here."""
        gone_at = self._exchange.client.gone_at
        return None if gone_at is None else clock.now() - gone_at

    def is_at_gap(self, *, keep_context: bool) -> bool:
        """Nothing would be cut by a move now. `keep_context`: nor would the model forget anything."""
        return self._exchange.is_at_gap(keep_context=keep_context)

    def rotate(self) -> None:
        """Change the model leg at the next turn gap."""
        self._exchange.model.rotate()

    def sleep(self) -> None:
        """The machine stops: the model leg will not outlive that, and nobody is to wait for it meanwhile."""
        self._sleeps = self._exchange.model.is_wanted
        self._exchange.model.park()

    def wake(self) -> None:
        """The machine goes on: have another model leg. One that is there is dead, and may not show it."""
        self._exchange.model.replace_leg()
        if self._sleeps:
            self._sleeps = False
            self._exchange.go_on_here()
            self._exchange.flush()

    async def move(self, ends_in_s: float) -> None:
        """Have the client go on elsewhere, from here exactly: what it says now, the next relay hears."""
        exchange = self._exchange
        exchange.is_moving = True
        exchange.model.park()
        if exchange.resumption.handle is not None:
            exchange.recording.note_handle(exchange.resumption.news())
        try:
            await within(HANDLE_S, exchange.recording.flush())
        except Superseded:
            exchange.is_moving = False  # its client has not been told
            return self.end("superseded")
        self.go_away(ends_in_s)
        try:
            async with asyncio.timeout(MOVE_S):
                await self._over.wait()
        except TimeoutError:
            exchange.go_on_here()  # it should not talk to nobody
            exchange.flush()

    def drop_client(self) -> None:
        """Cut the client's connection off, as a network does; it may come back."""
        self._exchange.client.drop()

    def go_away(self, ends_in_s: float) -> None:
        """Tell the client that this relay will close, and that it should move."""
        self._exchange.is_moving = True
        self.session.send(media.GoingAway(round(ends_in_s * 1000), move=True))
        self._exchange.client.wake()

    # ---- its life

    async def _run_legs(self) -> None:
        """Until the call is over; whatever fails here ends it."""
        try:
            async with asyncio.TaskGroup() as legs:
                running = [
                    legs.create_task(self._run_model(), name="model"),
                    legs.create_task(self._exchange.keep_time(), name="time"),
                ]
                await self._over.wait()
                for task in running:
                    task.cancel()
        except* Exception as failures:
            self._fail(failures)

    async def _run_model(self) -> None:
        try:
            await self._exchange.model.run()
        except UpstreamError as error:
            self.end(error.code)

    def _fail(self, failures: BaseExceptionGroup[Exception]) -> None:
        """Our own fault: it ends this call and no other."""
        self._log("call failed", failures)
        with contextlib.suppress(Exception):  # it may be the conversation that is broken
            self.end("internal")

    def _log(self, what: str, failures: BaseExceptionGroup[Exception]) -> None:
        errors = [where(failure) for failure in failures.exceptions]
        logger.error(what, extra={"session_id": self.record.id, "errors": errors})

    def _send_closing(self) -> None:
        """`ended` to a client that asked for it, else the error's code before it. Once."""
        reason, session = self.reason, self.session
        if session.state is ServerState.ENDED:
            return
        if self.is_moving and reason == "superseded":
            reason = "going_away"  # it went where it was told to, and has heard of that
        elif reason != "client":
            retry_after_ms = self._exchange.hang_up.retry_after_ms(reason)
            session.send(media_error(reason, fatal=True, retry_after_ms=retry_after_ms))
        closing = media.Ended(reason, self._exchange.conversation.used) if reason not in GOES_ON else None
        session.end(closing, code=None if reason == "client" else reason)  # a client's own end: 1000
        self._exchange.client.wake()

    # ---- what is written of it

    async def _write(self) -> None:
        """Write what is noted, until cancelled. A fenced call must stop: its writes would be refused."""
        try:
            await self._exchange.recording.run()
        except Superseded:
            self.end("superseded")
            raise

    async def write_rest(self) -> None:
        """What the store did not take in time, however long it takes; nothing when all is written."""
        with contextlib.suppress(Superseded):
            await self._write_rest()

    async def _write_rest(self) -> None:
        await self._exchange.recording.finish(None if self.reason in GOES_ON else self.reason)
