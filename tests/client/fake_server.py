"""Both roads on real loopback sockets, scripted by a test. The relay's half is the protocol's own session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from protocol.audio import AudioFrame
from protocol.codec import control_requests, encode, json_codec
from protocol.control import (
    ControlEnded,
    ControlReply,
    ControlRequest,
    End,
    Limits,
    Media,
    Ready,
    Resume,
    Starting,
)
from protocol.credentials import credential, offered
from protocol.limits import SUBPROTOCOL
from protocol.media import Agent, EndCall, Ended, Event, Live, LiveLimits
from protocol.server import ServerSession

PATIENCE_S = 10.0  #: for the client under test to do what a script waits for
Message = TypeVar("Message")


class Door:
    """One control connection and its one request."""

    def __init__(self, server: FakeServer, wire: ServerConnection, request: ControlRequest) -> None:
        self.server, self.wire, self.request = server, wire, request

    async def reply(self, reply: ControlReply) -> None:
        await self.wire.send(encode(reply))

    async def starting(self, stage: Any, i: int, session: str = "s-1") -> None:
        await self.reply(Starting(session, self.server.next_key(), stage, i, eta_ms=100))

    async def ready(self, i: int = 9, url: str | None = None) -> None:
        await self.reply(
            Ready(
                "s-1",
                self.server.next_key(),
                Media(
                    url or f"{self.server.origin}/r/0", self.server.next_ticket(), 0, self.server.protocols
                ),
                Limits(1_800_000, self.server.resume_ms),
                i,
            )
        )


class Peer:
    """One media connection, as the relay sees it."""

    def __init__(self, server: FakeServer, wire: ServerConnection) -> None:
        self.server, self.wire, self.call = server, wire, server.call
        self.said: list[Any] = []  #: JSON messages of this connection, after hello
        self.frames: list[AudioFrame] = []
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        """Read until the client is gone. Acknowledges audio when the server does."""
        async for data in self.wire:
            now = asyncio.get_running_loop().time()
            if isinstance(data, bytes):
                for frame in self.call.receive_audio(data, now):
                    self.frames.append(frame)
                    if self.server.acknowledges:
                        self.call.settled_audio(frame.seq)
            elif message := self.call.receive_text(data, now):
                self.said.append(message)
            self._changed.set()
            await self.flush()

    async def until(self, condition: Callable[[], Message | bool | None]) -> Message:
        """What `condition` gives, once it is true of what was received."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := condition()):
                self._changed.clear()
                await self._changed.wait()
        return found  # type: ignore[return-value]

    async def heard(self, kind: type[Message], count: int = 1) -> Message:
        """The `count`th message of that type."""

        def latest() -> Message | None:
            of_kind = [message for message in self.said if isinstance(message, kind)]
            return of_kind[count - 1] if len(of_kind) >= count else None

        return await self.until(latest)

    async def heard_frames(self, count: int) -> list[AudioFrame]:
        await self.until(lambda: len(self.frames) >= count)
        return self.frames

    async def live(self, **fields: Any) -> None:
        """Answer the hello."""
        await self.until(lambda: self.call.hello)
        limits = LiveLimits(1_800_000, self.server.resume_ms)
        self.call.go_live(Live("s-1", 1, Agent("assistant"), limits, **fields))
        await self.flush()

    async def send(self, *events: Event) -> None:
        for event in events:
            self.call.send(event)
        await self.flush()

    async def audio(self, turn: int, pcm: bytes) -> None:
        self.call.send_audio(turn, pcm)
        await self.flush()

    async def flush(self) -> None:
        while (said := self.call.data_to_send()) is not None:
            await self.wire.send(json_codec.encode(said))

    async def end(self) -> None:
        """Wait for the client's `end`, and answer it."""
        await self.heard(EndCall)
        await self.send(Ended("client"))

    def cut(self) -> None:
        """The network dies, without a word."""
        self.wire.transport.abort()


DoorScript = Callable[[Door], Awaitable[None]]
PeerScript = Callable[[Peer], Awaitable[None]]


async def admit(door: Door) -> None:
    """What a server does with every request when nothing is wrong."""
    if isinstance(door.request, End):
        await door.reply(ControlEnded("s-1"))
    else:
        await door.ready()


async def converse(peer: Peer) -> None:
    """A relay that says nothing until the client ends the call."""
    await peer.live()
    await peer.end()


class FakeServer:
    """Each connection of a road takes the next script of its list; then the default goes on."""

    def __init__(self) -> None:
        self.origin = ""
        self.doors: list[DoorScript] = []
        self.peers: list[PeerScript] = []
        self.requests: list[ControlRequest] = []
        self.tokens: list[str] = []
        self.call = ServerSession(1, 0.0)
        self.protocols: list[str] = []  #: entries that `ready` asks for besides
        self.offered: list[list[str]] = []  #: entries of each media connection
        self.acknowledges = True
        self.resume_ms = 5_000
        self.refuse_status: int | None = None  #: answers the next handshake
        self.refuse_media: tuple[int, str] | None = None  #: status and body for every handshake on media
        self._tickets: set[str] = set()
        self._keys: list[str] = []

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    @property
    def resumes(self) -> list[Resume]:
        return [request for request in self.requests if isinstance(request, Resume)]

    def next_key(self) -> str:
        self._keys.append(f"resume-key-number-{len(self._keys)}")
        return self._keys[-1]

    def next_ticket(self) -> str:
        self._tickets.add(ticket := f"ticket-{len(self._keys)}")
        return ticket

    def take_over(self, message_n: int = 0) -> None:
        """Another relay owns the session from now on; the record has the answers up to `message_n`."""
        self.call = ServerSession(self.call.epoch + 1, asyncio.get_running_loop().time(), (), message_n)

    def check_handshake(self, wire: ServerConnection, request: Request) -> Response | None:
        if self.refuse_status is not None:
            status, self.refuse_status = self.refuse_status, None
            return wire.respond(status, "")  # type: ignore[arg-type]
        if self.refuse_media is not None and request.path != "/v1":
            return wire.respond(*self.refuse_media)  # type: ignore[arg-type]
        return None

    async def handle(self, wire: ServerConnection) -> None:
        assert wire.request is not None
        entries = offered(wire.request.headers["Sec-WebSocket-Protocol"])
        try:
            if wire.request.path == "/v1":
                await self._control(wire, credential("jwt", entries, None))
            else:
                self.offered.append(entries)
                await self._media(wire, credential("ticket", entries, None))
        except ConnectionClosed:
            pass

    async def _control(self, wire: ServerConnection, token: str) -> None:
        self.tokens.append(token)
        request = control_requests.decode(await wire.recv())
        self.requests.append(request)
        if isinstance(request, Resume):
            assert request.resume_key in self._keys[-2:]
        script = self.doors.pop(0) if self.doors else admit
        await script(Door(self, wire, request))
        await wire.wait_closed()

    async def _media(self, wire: ServerConnection, ticket: str) -> None:
        self._tickets.remove(ticket)  # KeyError: used twice
        self.call.attached(asyncio.get_running_loop().time())
        peer = Peer(self, wire)
        script = self.peers.pop(0) if self.peers else converse
        async with asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(_until_closed(peer.listen()))
            await _until_closed(script(peer))
            if self.call is peer.call and self.call.close_code is not None:
                await wire.close(self.call.close_code)
            listener.cancel() if wire.close_code else None
        peer.call.client_lost()


async def _until_closed(work: Awaitable[None]) -> None:
    try:
        await work
    except ConnectionClosed:
        pass


@asynccontextmanager
async def fake_server() -> AsyncIterator[FakeServer]:
    """A running server; a script that failed fails the test."""
    server = FakeServer()
    failures: list[BaseException] = []

    async def handle(wire: ServerConnection) -> None:
        try:
            await server.handle(wire)
        except (Exception, asyncio.CancelledError) as error:
            failures.append(error)
            raise

    async with serve(
        handle,
        "127.0.0.1",
        0,
        subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
        process_request=server.check_handshake,
        close_timeout=1,
    ) as listening:
        server.origin = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server
    assert not failures, failures
