"""One WebSocket: the setup, then its legs until the client or a close ends them.

reader ─▶ session      what the client sends
writer ◀─ outbox       the only one that writes to the socket
performance            turns of the model
handles, lifetime      by the clock
strikes                faults
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import ClientConnectionResetError, WSMessage, WSMsgType, web

from simulator import faults, refusal, wire
from simulator.admission import Admitted, Visitor, admit
from simulator.calls import Calls
from simulator.conversation import Conversation
from simulator.refusal import Close, Refusal
from simulator.session import Session
from simulator.strike import Strikes
from simulator.world import World

T = TypeVar("T")

REASON_BYTES = 123  #: all that a close frame has room for
OUTBOX_MESSAGES = 8192  #: about five minutes of speech; a client that far behind is cut off
FIRST_HANDLE_S = 0.1  #: after setupComplete (measured by others)
FASTEST_TICK_S = 0.02  #: real seconds between handles, whatever the time scale
CLOSING_S = 2.0  #: real seconds to wait for the client's half of a close


@dataclass(frozen=True, slots=True)
class Pong:
    data: bytes


class Connection:
    """A client's socket, from handshake to close."""

    def __init__(self, number: int, who: Visitor, request: web.Request, world: World) -> None:
        self.number = number
        self.session: Session | None = None
        self.is_closing = False
        self._who = who
        self._request = request
        self._world = world
        self._socket = web.WebSocketResponse(
            autoping=False, compress=False, max_msg_size=16 << 20, timeout=CLOSING_S
        )
        self._outbox: asyncio.Queue[bytes | Pong | Close] = asyncio.Queue(OUTBOX_MESSAGES)
        self._frozen = ""  #: mode of a freeze under way
        self._pong_delay_s = 0.0
        scripted = [fault for fault in world.scenario.faults if fault.at.connection in (None, number)]
        self.strikes = Strikes(world.clock, tuple(scripted), self._act)

    async def run(self) -> web.WebSocketResponse:
        """Serve the socket until it is closed."""
        await self._socket.prepare(self._request)
        self._note("connection.opened", version=self._who.version, constrained=self._who.is_constrained)
        self.strikes.connected()
        try:
            admitted = await self._set_up()
            if admitted:
                await self._converse(admitted)
        except Refusal as refused:
            await self._send_close(refused.close)
        finally:
            self._note("connection.closed", code=self._socket.close_code, **self._consumed())
        return self._socket

    # What a session asks of its outlet.

    def emit(self, message: dict[str, Any]) -> None:
        if self._frozen not in ("all", "hard"):
            self._put(wire.encode(message))

    def emit_audio(self, message: bytes) -> None:
        if not self._frozen:
            self._put(message)

    def turn_began(self, number: int) -> None:
        self.strikes.turn_began(number)

    def answer_began(self, number: int) -> None:
        self.strikes.answer_began(number)

    def take(self, kind: type[T], fits: Callable[[T], bool] = lambda _: True) -> T | None:
        fault = self.strikes.take(kind, fits)
        if fault is not None:
            self._note("fault.struck", fault=faults.name(fault))  # type: ignore[arg-type]
        return fault

    def close(self, close: Close) -> None:
        """Close once everything sent so far is out. Only the first close counts."""
        if not self.is_closing:
            self.is_closing = True
            self._put(close)

    async def _set_up(self) -> Admitted | None:
        """Read the setup and answer it. Returns None when the client left before. Raises Refusal."""
        message = await self._first_message()
        if message is None:
            return None
        if not isinstance(message, wire.SetupSent):
            raise Refusal(refusal.SETUP_FIRST)
        admitted = admit(self._who, message.setup, self._world, self.take(faults.RefuseHandle))
        slow = self.take(faults.SlowSetup)
        if slow:
            await self._world.clock.sleep(slow.delay_s)
        self.emit({"setupComplete": {"sessionId": admitted.memory.lineage}})
        return admitted

    async def _first_message(self) -> wire.ClientMessage | None:
        async for frame in self._socket:
            if frame.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                return wire.decode(frame.data)
        return None

    async def _converse(self, admitted: Admitted) -> None:
        """Run all legs; returns when the client left or the close was sent."""
        lineage = admitted.memory.lineage
        self.session = session = Session(
            Conversation(
                admitted.setup, admitted.memory, admitted.detector, Calls(), outlet=self, world=self._world
            )
        )
        self._note(
            "session.opened",
            session=lineage,
            resumed=admitted.was_resumed,
            model=admitted.setup.model.name,
            **self._consumed(),
        )
        self._world.handles.opened(lineage)
        try:
            async with asyncio.TaskGroup() as tasks:
                ends = {tasks.create_task(self._read(session)), tasks.create_task(self._write())}
                others = [
                    tasks.create_task(leg)
                    for leg in (
                        self._perform(session),
                        self._offer_handles(session),
                        self._live_out(admitted),
                        self.strikes.run(),
                    )
                ]
                self.strikes.set_up()
                _, left = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for task in [*left, *others]:
                    task.cancel()
        finally:
            self._world.handles.closed(lineage)

    async def _read(self, session: Session) -> None:
        async for frame in self._socket:
            if frame.type is WSMsgType.PING:
                self._pong(frame)
            elif frame.type in (WSMsgType.TEXT, WSMsgType.BINARY) and not self.is_closing:
                try:
                    session.handle(wire.decode(frame.data))
                except Refusal as refused:
                    self.close(refused.close)
                # A flood of frames must not starve the turns.
                await asyncio.sleep(0)

    async def _write(self) -> None:
        with contextlib.suppress(ClientConnectionResetError):
            while True:
                match await self._outbox.get():
                    case bytes(message):
                        await self._socket.send_bytes(message)
                    case Pong(data):
                        await self._socket.pong(data)
                    case Close() as close:
                        return await self._send_close(close)

    async def _perform(self, session: Session) -> None:
        try:
            await session.performance.run()
        except Refusal as refused:
            self.close(refused.close)

    async def _offer_handles(self, session: Session) -> None:
        """Handles come about every second, asked for or not."""
        clock = self._world.clock
        await clock.sleep(FIRST_HANDLE_S)
        while True:
            session.offer_handle()
            every_s = self._world.behaviour.handle_every_s
            await asyncio.sleep(max(FASTEST_TICK_S, clock.real(every_s)))

    async def _live_out(self, admitted: Admitted) -> None:
        """A connection lasts ten minutes, and never longer than its token."""
        clock, behaviour = self._world.clock, self._world.behaviour
        ends_at = clock.now() + behaviour.connection_limit_s
        warns_at = ends_at - behaviour.go_away_left_s
        token = admitted.token
        if token and token.expires_at <= warns_at:
            await clock.sleep_until(token.expires_at)
            return self.close(refusal.TOKEN_RAN_OUT)
        await clock.sleep_until(warns_at)
        self.emit({"goAway": {"timeLeft": f"{behaviour.go_away_left_s:g}s"}})
        self._note("go_away.sent", left_s=behaviour.go_away_left_s)
        if token and token.expires_at < ends_at:
            await clock.sleep_until(token.expires_at)
            return self.close(refusal.TOKEN_RAN_OUT)
        await clock.sleep_until(ends_at)
        return self.close(refusal.SERVER_RESET)

    def _act(self, fault: faults.Fault) -> None:
        """Carry out a fault that strikes by itself."""
        self._note("fault.struck", fault=faults.name(fault))
        match fault:
            case faults.CloseNow(code=code, reason=reason):
                self.close(Close(code, reason))
            case faults.GoAway():
                self._go_away(fault)
            case faults.Freeze(mode=mode, lasts_s=lasts_s):
                self._frozen = mode
                if lasts_s is not None:
                    self._later(lasts_s, self._thaw)
            case faults.SlowPong(delay_s=delay_s):
                self._pong_delay_s = delay_s
            case faults.Abort():
                if self._request.transport:
                    self._request.transport.abort()
            case faults.SpuriousInterrupted():
                if self.session:
                    self.session.performance.interrupt("fault")
            case faults.UnknownMessage(message=message):
                self.emit(message)
            case faults.EmptyContent():
                self.emit({"serverContent": {}})
            case _:
                raise AssertionError("an armed fault waits in `strikes` until it is taken")

    def _go_away(self, fault: faults.GoAway) -> None:
        left_s = fault.time_left_s
        self.emit({"goAway": {} if left_s is None else {"timeLeft": f"{left_s:g}s"}})
        if fault.closes:
            self._later(left_s or 0.0, lambda: self.close(Close(fault.code, fault.reason)))

    def _thaw(self) -> None:
        self._frozen = ""

    def _later(self, delay_s: float, do: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(self._world.clock.real(delay_s), do)

    def _pong(self, ping: WSMessage) -> None:
        if self._frozen == "hard":
            return
        pong = Pong(bytes(ping.data))
        if self._pong_delay_s:
            self._later(self._pong_delay_s, lambda: self._put(pong))
        else:
            self._put(pong)

    def _put(self, item: bytes | Pong | Close) -> None:
        try:
            self._outbox.put_nowait(item)
        except asyncio.QueueFull:
            self._note("outbox.full")
            if self._request.transport:
                self._request.transport.abort()

    async def _send_close(self, close: Close) -> None:
        self.is_closing = True
        self._note("close.sent", code=close.code, reason=close.reason)
        reason = close.reason.encode()[:REASON_BYTES].decode(errors="ignore").encode()
        await self._socket.close(code=close.code, message=reason)

    def _consumed(self) -> dict[str, Any]:
        """What the session has heard so far."""
        if self.session is None:
            return {}
        memory = self.session.conversation.memory
        planted = memory.planted
        return {
            "uplink_bytes": memory.uplink_bytes,
            "planted": list(planted.ranges),
            "missing": planted.missing(),
            "repeated": list(planted.repeated),
        }

    def _note(self, kind: str, **fields: Any) -> None:
        self._world.ledger.note(kind, connection=self.number, **fields)
