"""Keeps one media connection under a conversation: join, read and write, find the way back after a break.

ready ──▶ connect ──▶ hello ──▶ live ──▶ broken ──▶ (jittered wait) ──▶ control `resume` ──▶ ready …
                                  └──▶ ended, or an error that no resume can mend
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ._protocol.audio import AudioFrame
from ._protocol.client import ClientSession
from ._protocol.control import Ready
from ._protocol.errors import REGISTRY, Retry
from ._protocol.media import Ended, Error, Live, ServerMessage
from ._protocol.states import ClientState
from .backoff import Backoff
from .control import Control
from .errors import LOCAL, VoiceError
from .outbox import Outbox
from .wire import open_wire

LIVE_TIMEOUT_S = 45.0  #: from the media connection to `live`: a credential may take 28 s, the model 15 s more
LAST_WORDS_S = 2.0  #: from a fatal error to the close that follows it
_COMES_BACK = ("resume", "refresh")  #: a resume brings a new ticket too
#: close code -> verdict; codes shared by several errors go to the one that a resume mends
_CLOSED: dict[int | None, str] = {
    entry.close: code for code, entry in sorted(REGISTRY.items(), key=lambda row: row[1].retry in _COMES_BACK)
} | {None: "connection_lost"}


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
        self._receive = receive  #: True: leave this relay, a resume leads to another
        self._refusal: Error | None = None  #: the fatal error of the present connection
        self._close_code: int | None = None
        self._moves = False
        self._is_reached = False  #: the handshake with the relay was done
        self._retry: Backoff | None = None  #: since the last connection that held
        self._live_at: float | None = None  #: loop time at which the last connection went live

    async def run(self, ready: Ready) -> None:
        """Returns when the session has ended. Raises VoiceError when it cannot go on."""
        while True:
            try:
                await self._serve(ready)
            except VoiceError as unreachable:  # which is no verdict on the session: another relay may be
                failure = unreachable
            else:
                if self._refusal is None and self.ended is not None:
                    return
                failure = self._verdict()
                if not self._may_come_back(failure.code):
                    raise failure
            await self._receive(Reconnecting(failure.code))
            ready = await self._way_back(ready.limits.resume_ms / 1000, failure)

    async def _serve(self, ready: Ready) -> None:
        """One connection, to its end. Raises VoiceError when it does not come to `live`."""
        self._refusal, self._is_reached, self._moves, self._close_code = None, False, False, None
        try:
            async with open_wire(ready.media.url, "ticket", ready.media.ticket) as wire:
                self._is_reached = True
                await self._talk(wire)
                self._close_code = wire.close_code
        except VoiceError as refused:
            self._is_reached = refused.code == "auth_invalid"  # it is the ticket that was not taken
            raise
        except TimeoutError:
            if self._refusal is None:
                raise VoiceError.of("connect_timeout") from None
        finally:
            self._outbox.close()

    async def _talk(self, wire: ClientConnection) -> None:
        """Hello, then both directions. Raises TimeoutError when what must come next does not come."""
        hello = self._session.hello()
        try:
            async with asyncio.timeout(LIVE_TIMEOUT_S) as deadline, asyncio.TaskGroup() as legs:
                writer = legs.create_task(self._write(wire), name="media writer")
                await self._read(wire, hello, deadline)
                writer.cancel()
        finally:
            self._session.lost()

    async def _read(self, wire: ClientConnection, hello: str, deadline: asyncio.Timeout) -> None:
        try:
            await wire.send(hello)
            async for data in wire:
                for item in self._session.receive(data):
                    await self._heed(item, deadline)  # one message gives at most one item
                if self.ended or self._moves:
                    return
        except ConnectionClosed:
            return

    async def _write(self, wire: ClientConnection) -> None:
        while True:
            item = await self._outbox.take()
            try:
                await wire.send(item)
            except ConnectionClosed:
                self._outbox.put_back(item)
                return

    async def _heed(self, item: ServerMessage | AudioFrame, deadline: asyncio.Timeout) -> None:
        now = asyncio.get_running_loop().time()
        match item:
            case Live():
                self.lives += 1
                self._live_at = now
                self._outbox.open(self._session.resend(now))
                deadline.reschedule(None)
            case Error(fatal=True):
                self._refusal = item
                deadline.reschedule(now + LAST_WORDS_S)
            case Ended() if self._refusal and _retry(self._refusal.code) in _COMES_BACK:
                return  # what ended is this relay's part
            case Ended():
                self.ended = item
        self._moves = await self._receive(item)

    def _verdict(self) -> VoiceError:
        """Why the connection that was just closed broke."""
        if self._session.state is ClientState.ENDED and self.ended is None:
            # By an `ended` that only ended this relay's part: there is a way back, so the session goes on.
            self._session.state = ClientState.BROKEN
        if self._moves:
            return VoiceError.of("going_away")
        if self._refusal is not None:
            return VoiceError.received(self._refusal)
        return VoiceError.of(_CLOSED.get(self._close_code, "connection_lost"))

    async def _way_back(self, patience_s: float, failure: VoiceError) -> Ready:
        """Resume, over and over. Raises VoiceError when the server says no or has stopped waiting for us."""
        self._retry = self._retry or Backoff(patience_s)
        if self._live_at is not None:
            self._retry.broke(asyncio.get_running_loop().time() - self._live_at, patience_s)
            self._live_at = None
        while True:
            await self._retry.wait(failure)
            try:
                return await self._control.resume(media_failed=not self._is_reached)
            except VoiceError as error:
                if error.code == "session_ended" and self._refusal is not None:
                    raise VoiceError.received(self._refusal) from None  # which is why it ended
                if not error.retryable:
                    raise
                failure = error

    def _may_come_back(self, code: str) -> bool:
        """Whether a resume may help. Of "try later" it is the session that is meant, once it has ended."""
        retry = _retry(code)
        return retry in _COMES_BACK or (retry == "later" and self.ended is None)


def _retry(code: str) -> Retry:
    """The registry's verdict; `never` for a code of a newer server."""
    if code in LOCAL:
        return "resume"
    return REGISTRY[code].retry if code in REGISTRY else "never"
