"""The client's side of a call: whichever connection is there now, read and written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from protocol.errors import REGISTRY
from protocol.limits import NORMAL_CLOSE
from protocol.server import ServerSession

SLOW_S = 30.0  #: one message that a client does not take for so long
CLOSE_S = 1.0  #: a close handshake that takes longer is cut off


class ClientLeg:
    """Serves one connection at a time; a newer one takes the place of the older."""

    def __init__(
        self,
        session: ServerSession,
        *,
        text: Callable[[str], None],
        audio: Callable[[bytes], None],
        written: Callable[[], None],
        noticed: Callable[[str], None] = lambda trouble: None,
    ) -> None:
        self.gone_at: float | None = asyncio.get_running_loop().time()  #: None while a client is there
        self._session = session
        self._text = text
        self._audio = audio
        self._written = written
        self._noticed = noticed
        self._outgoing = asyncio.Event()
        self._connection: ServerConnection | None = None
        self._patience: asyncio.Timeout | None = None  #: of the write under way
        self._free = asyncio.Event()
        self._free.set()

    def wake(self) -> None:
        """There may be something to write, or so much that the write under way is given up."""
        self._outgoing.set()
        if self._patience is None or self._patience.expired():
            return
        now, until = asyncio.get_running_loop().time(), self._patience.when() or 0.0
        if self._session.is_overfull:
            self._patience.reschedule(now)
        elif self._session.is_refused:
            self._patience.reschedule(min(until, now + CLOSE_S))

    async def serve(self, connection: ServerConnection) -> None:
        """Until this connection is gone, for whatever reason."""
        loop = asyncio.get_running_loop()
        await self._supersede()
        self._connection, self.gone_at = connection, None
        self._free.clear()
        self._session.attached(loop.time())
        try:
            async with asyncio.TaskGroup() as ways:
                writer = ways.create_task(self._write(connection))
                await self._read(connection)
                writer.cancel()
        finally:
            if _went_unanswered(connection):
                self._noticed("client_pong")
            self._connection, self.gone_at = None, loop.time()
            self._session.client_lost()
            self._free.set()

    async def let_go(self, within_s: float) -> None:
        """The call is over: wait for the client to take the closing message, else abort."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._free.wait()
        if self._connection is not None:
            self._connection.transport.abort()

    async def _supersede(self) -> None:
        while (older := self._connection) is not None:
            await close(older, REGISTRY["superseded"].close or 1000)
            await self._free.wait()

    async def _read(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for data in connection:
                if isinstance(data, bytes):
                    self._audio(data)
                else:
                    self._text(data)
                if self._session.has_output:
                    self.wake()

    async def _write(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                while (data := self._session.data_to_send()) is not None:
                    if not await self._send(connection, data):
                        return
                    self._written()
                if self._session.close_code is not None:
                    await close(connection, self._session.close_code)
                    return
                self._outgoing.clear()
                await self._outgoing.wait()

    async def _send(self, connection: ServerConnection, data: str | bytes) -> bool:
        """False when the client has not read for so long, or so little, that its connection was given up."""
        try:
            async with asyncio.timeout(SLOW_S) as self._patience:
                await connection.send(data)
        except TimeoutError:
            await self._give_up(connection)
            return False
        finally:
            self._patience = None
        return True

    async def _give_up(self, connection: ServerConnection) -> None:
        """Close it with the reason, which it learns should it read on just now."""
        if self._session.close_code is None:
            self._noticed("slow_client")
            self._session.refuse("slow_client", fatal=True)  # from here on it is not listened to, either
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while (answer := self._session.data_to_send()) is not None:
                    await connection.send(answer)
        await close(connection, self._session.close_code or NORMAL_CLOSE)


def _went_unanswered(connection: ServerConnection) -> bool:
    """The library has closed it because a pong was missing."""
    sent = connection.protocol.close_sent
    return sent is not None and sent.reason == "keepalive ping timeout"


async def close(connection: ServerConnection, code: int) -> None:
    """Close with `code`; a peer that does not answer in time is cut off."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await connection.close(code)
    connection.transport.abort()
