"""Keeps one media connection under a conversation: opens the session, joins, reads, writes, resumes.

What follows what is decided by `reconnect.Reconnect`; here it is done.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ._protocol.audio import AudioFrame
from ._protocol.client import ClientSession
from ._protocol.control import Ready, Start
from ._protocol.limits import FATAL_CLOSE_S, LIVE_TIMEOUT_S
from ._protocol.media import Ended, Error, GoingAway, Live, ServerMessage
from ._protocol.states import ClientState
from .control import Control
from .errors import LOCAL, VoiceError
from .outbox import Outbox
from .reconnect import MediaClose, Reconnect, Step, is_resumable, move_within_s
from .silence import SilenceWatch
from .wire import open_wire


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The media connection broke, or moves to another relay. `live` follows, or the conversation fails."""

    code: str  #: `connection_lost`, `going_away`, or what the server gave as reason


class Lifeline:
    """Connections of one session, one after the other. `run` owns them all."""

    def __init__(
        self,
        control: Control,
        session: ClientSession,
        outbox: Outbox,
        receive: Callable[[ServerMessage | AudioFrame | Reconnecting], Awaitable[bool]],
    ) -> None:
        self.lives = 0  #: times the conversation went live
        self.ended: Ended | None = None
        self._control = control
        self._session = session
        self._outbox = outbox
        self._receive = receive  #: True: this is a pause in which to leave a relay that goes away
        self._policy = Reconnect()
        self._ready: Ready | None = None  #: the newest
        # of the present connection:
        self._wire: ClientConnection | None = None
        self._refusal: Error | None = None  #: the fatal error
        self._live_at: float | None = None  #: loop time
        self._must_move = asyncio.Event()
        self._is_live = asyncio.Event()

    async def run(self, request: Start) -> None:
        """Returns when the session has ended. Raises VoiceError when it cannot go on."""
        step = self._policy.start(_now())
        while step.do != "end":
            await asyncio.sleep(step.wait_s + random.uniform(0, step.jitter_s))
            step = await (self._connect() if step.do == "connect" else self._ask(step, request))
        if step.error is not None:
            raise step.error

    async def _ask(self, step: Step, request: Start | None = None) -> Step:
        """Make one request on control."""
        try:
            if step.do == "start" and request is not None:
                self._ready = await self._control.start(request)
            else:
                self._ready = await self._control.resume(step.media_failed)
        except VoiceError as error:
            self._policy.is_admitted = self._control.session != ""
            return self._policy.failed(error, _now())
        return self._policy.ready(self._ready.limits.resume_ms / 1000)

    async def _connect(self) -> Step:
        """Open a media connection and talk until it is lost, or until another relay is ready to take over."""
        self._refusal, self._live_at = None, None
        self._must_move, self._is_live = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            mover = tasks.create_task(self._move(), name="mover")
            closed = await self._serve()
            if not self._must_move.is_set() or (self.ended and self._refusal is None):
                mover.cancel()
        step = self._policy.closed(closed, _now()) if mover.cancelled() else mover.result()
        if step.do == "stay":
            step = self._policy.closed(closed, _now())
        if step.do != "end":
            self.ended = None  # that was the end of the relay's part, if anything
            if self._session.state is ClientState.ENDED:
                self._session.state = ClientState.BROKEN
            await self._receive(Reconnecting(step.error.code if step.error else "going_away"))
        return step

    async def _move(self) -> Step:
        """Resume on another relay when it is due, and leave the present one only then."""
        await self._must_move.wait()
        step = self._policy.move()
        while step.do == "resume":
            step = await self._ask(step)
        if step.do == "connect" and self._wire is not None:
            await self._wire.close()
        return step

    async def _serve(self) -> MediaClose:
        """Serve one connection to its end."""
        assert self._ready is not None
        media, from_s, code = self._ready.media, time.time(), None
        try:
            async with open_wire(media.url, "ticket", media.ticket, media.protocols) as self._wire:
                await self._talk(self._wire)
                code = self._wire.close_code
        except VoiceError as refused:
            failure = refused if refused.code in LOCAL else VoiceError.of("connect_failed")
            return MediaClose(failure, refused.status, ticket_s=time.time() - from_s)
        except TimeoutError:
            pass
        finally:
            self._outbox.close()
        return MediaClose(
            live_s=None if self._live_at is None else _now() - self._live_at,
            code=code,
            refusal=None if self._refusal is None else VoiceError.received(self._refusal),
            is_ended=self.ended is not None,
        )

    async def _talk(self, wire: ClientConnection) -> None:
        """Hello, then both directions. Raises TimeoutError when what must come next does not come."""
        hello = self._session.hello()
        try:
            async with asyncio.timeout(LIVE_TIMEOUT_S) as deadline, asyncio.TaskGroup() as legs:
                watch = SilenceWatch(self._outbox.ping)
                others = (self._write(wire), self._watch(wire, watch))
                running = [legs.create_task(other, name="media") for other in others]
                await self._read(wire, hello, deadline, watch)
                for task in running:
                    task.cancel()
        finally:
            self._session.lost()

    async def _read(
        self, wire: ClientConnection, hello: str, deadline: asyncio.Timeout, watch: SilenceWatch
    ) -> None:
        try:
            with suppress(ConnectionClosed):  # what it was closed for is still to be read
                await wire.send(hello)
            async for data in wire:
                watch.hold()
                for item in self._session.receive(data):
                    await self._heed(item, deadline)  # one message gives at most one item
                watch.heard()
                if self.ended:
                    return
        except ConnectionClosed:
            return

    async def _watch(self, wire: ClientConnection, watch: SilenceWatch) -> None:
        """Cut the connection off when it has been silent for too long: a dead one answers no close."""
        await self._is_live.wait()
        await watch.run()
        wire.transport.abort()

    async def _write(self, wire: ClientConnection) -> None:
        while True:
            item = await self._outbox.take()
            try:
                await wire.send(item)
            except ConnectionClosed:
                self._outbox.put_back(item)
                return

    async def _heed(self, item: ServerMessage | AudioFrame, deadline: asyncio.Timeout) -> None:
        match item:
            case Live():
                self.lives += 1
                self._live_at = _now()
                self._is_live.set()
                self._outbox.open(self._session.resend())
                deadline.reschedule(None)
            case Error(fatal=True):
                self._refusal = item
                deadline.reschedule(_now() + FATAL_CLOSE_S)
            case GoingAway(move=True):
                within_s = move_within_s(item.ends_in_ms)
                asyncio.get_running_loop().call_later(within_s, self._must_move.set)
            case Ended() if self._refusal and is_resumable(self._refusal.code):
                return  # what ended is this relay's part
            case Ended():
                self.ended = item
        if await self._receive(item):
            self._must_move.set()


def _now() -> float:
    return asyncio.get_running_loop().time()
