"""The client's side of a call: whichever connection is there now, read and written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from protocol.codec import Outgoing
from protocol.errors import REGISTRY
from protocol.limits import NORMAL_CLOSE
from protocol.server import ServerSession
from relay.client.events import ClientEvent, ClientLeft, ClientSaid, ClientSpoke, ClientTook
from relay.client.port import CLOSE_S, ClientConnection, ConnectionLost
from relay.ports import TroubleFound
from relay.share import JSON_BYTES, JSON_WEIGHT, PACE_S, Share

SLOW_S = 30.0  #: one message that a client does not take for so long


class ClientLeg:
    """Serves one connection at a time; a newer one takes the place of the older.

    `emit` hears of everything at once, so that what is decided next is decided on all that has come.
    """

    def __init__(self, session: ServerSession, emit: Callable[[ClientEvent], None]) -> None:
        self._now = asyncio.get_running_loop().time
        self.gone_at: float | None = self._now()  #: None while a client is there
        self._session, self._emit = session, emit
        self._outgoing = asyncio.Event()
        self._connection: ClientConnection | None = None
        self._deadline: asyncio.Timeout | None = None  #: of the write under way
        self._free = asyncio.Event()
        self._free.set()

    def wake(self) -> None:
        """There may be something to write, or so much that the write under way is given up."""
        self._outgoing.set()
        self._limit_write()

    def _limit_write(self) -> None:
        """Give the write under way less time when too much waits behind it, or its connection is to close."""
        if self._deadline is None or self._deadline.expired():
            return
        now, until = self._now(), self._deadline.when() or 0.0
        if self._session.is_overfull:
            self._deadline.reschedule(now)
        elif self._session.is_refused:
            self._deadline.reschedule(min(until, now + CLOSE_S))

    async def serve(self, connection: ClientConnection) -> None:
        """Until this connection is gone, for whatever reason."""
        await self._supersede()
        self._connection, self.gone_at = connection, None
        self._free.clear()
        self._session.attached(self._now())
        try:
            async with asyncio.TaskGroup() as ways:
                writer = ways.create_task(self._write(connection))
                await self._read(connection)
                writer.cancel()
        finally:
            if connection.lost_by:
                self._emit(TroubleFound(f"client_{connection.lost_by}"))
            self._connection, self.gone_at = None, self._now()
            self._session.client_lost()
            self._free.set()
            self._emit(ClientLeft())

    async def let_go(self, within_s: float) -> None:
        """The call is over: wait for the client to take the closing message, else cut it off."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._free.wait()
        self.drop()

    def drop(self) -> None:
        """Cut the present connection off; its client may come back."""
        if self._connection is not None:
            self._connection.abort()

    def next_timeout(self) -> float | None:
        """Time at which the driver must call `handle_timeout`; None for never."""
        return self._session.next_timeout()

    def handle_timeout(self, now: float) -> None:
        self._session.handle_timeout(now)
        if frames := self._session.audio_due(now):
            self._emit(ClientSpoke(frames))

    async def _supersede(self) -> None:
        while (older := self._connection) is not None:
            await older.close(REGISTRY["superseded"].close or NORMAL_CLOSE)
            await self._free.wait()

    async def _read(self, connection: ClientConnection) -> None:
        share = Share(PACE_S)
        while (data := await connection.receive()) is not None:
            if isinstance(data, bytes):
                self._hear(data)
            else:
                self._take(data)
            if self._session.has_output:
                self.wake()
            is_json = isinstance(data, str)
            await share.spend(JSON_BYTES + JSON_WEIGHT * len(data) if is_json else len(data))

    def _hear(self, data: bytes) -> None:
        self._emit(ClientSpoke(self._session.receive_audio(data, self._now())))

    def _take(self, text: str) -> None:
        now = self._now()
        message = self._session.receive_text(text, now)
        if frames := self._session.audio_due(now):
            self._emit(ClientSpoke(frames))
        if message is not None:
            self._emit(ClientSaid(message))

    async def _write(self, connection: ClientConnection) -> None:
        share = Share()
        with contextlib.suppress(ConnectionLost):
            while True:
                while (said := self._session.data_to_send()) is not None:
                    if not await self._send(connection, said):
                        return
                    self._emit(ClientTook())
                    await share.spend()
                if self._session.close_code is not None:
                    await connection.close(self._session.close_code)
                    return
                self._outgoing.clear()
                await self._outgoing.wait()

    async def _send(self, connection: ClientConnection, said: Outgoing) -> bool:
        """False when the client has not read for so long, or so little, that its connection was given up."""
        try:
            async with asyncio.timeout(SLOW_S) as self._deadline:
                self._limit_write()
                await connection.send(said)
        except TimeoutError:
            await self._give_up(connection)
            return False
        finally:
            self._deadline = None
        return True

    async def _give_up(self, connection: ClientConnection) -> None:
        """Close it with the reason, which it learns should it read on just now."""
        if self._session.close_code is None:
            self._emit(TroubleFound("slow_client"))
            self._session.refuse("slow_client", fatal=True)  # from here on it is not listened to, either
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while (answer := self._session.data_to_send()) is not None:
                    await connection.send(answer)
        await connection.close(self._session.close_code or NORMAL_CLOSE)
