"""One connection: the setup, then its legs until the client or a close ends it.

reader ─▶ dispatch     messages of the client
writer ◀─ outbox       the only task that writes to the socket
model turns            answers, one after another
handles, lifetime      by the clock
fault triggers         faults that are due
"""

import asyncio
import random
import traceback
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from simulator import faults
from simulator.conversation import bill
from simulator.conversation.calls import Calls
from simulator.conversation.conversation import Conversation
from simulator.conversation.dispatch import MessageDispatch
from simulator.conversation.world import World
from simulator.fault_triggers import FaultTriggers
from simulator.server.admission import Admitted, Handshake, admit
from simulator.server.line import Line
from simulator.server.shaping import Shaper
from simulator.wire import messages, refusal
from simulator.wire.refusal import Close, Refusal

FIRST_HANDLE_S = 0.1  #: after setupComplete (measured by others)
FASTEST_TICK_S = 0.02  #: real seconds between handles, whatever the time scale


class Connection:
    """A client's socket, from handshake to close."""

    def __init__(
        self, number: int, handshake: Handshake, request: web.Request, world: World, nth: int
    ) -> None:
        """`number` of the simulator's connections, `nth` of those of its scenario: what faults count."""
        self.number = number
        self.dispatch: MessageDispatch | None = None
        self.line = Line(request, world.clock)
        self.outlet = Shaper(self.line, world.clock, world.scenario.signals, _chance(number, world))
        self._handshake = handshake
        self._world = world
        scripted = [fault for fault in world.scenario.faults if fault.at.connection in (None, nth)]
        self.triggers = FaultTriggers(world.clock, tuple(scripted), self._act, self._note)

    async def run(self) -> web.WebSocketResponse:
        """Serve the socket until it is closed."""
        response = await self.line.open()
        self._note(
            "connection.opened", version=self._handshake.version, constrained=self._handshake.is_constrained
        )
        self.triggers.connected()
        try:
            admitted = await self._set_up()
            if admitted:
                await self._run_legs(admitted)
        except Refusal as refused:
            await self._hang_up(refused.close)
        except Exception:  # the top of a connection: our error is noted, the client sees a 1011
            self._note("connection.failed", trace=traceback.format_exc())
            await self._hang_up(refusal.INTERNAL)
        finally:
            self.triggers.stop()
            consumed = self.dispatch.conversation.memory.consumed() if self.dispatch else {}
            self._note("connection.closed", code=self.line.code, **consumed)
        return response

    async def _set_up(self) -> Admitted | None:
        """Read the setup and answer it. Returns None when the client left before. Raises Refusal."""
        frame = await self.line.first_frame()
        if frame is None:
            return None
        message = messages.decode(frame)
        if not isinstance(message, messages.SetupSent):
            raise Refusal(refusal.SETUP_FIRST)
        if refuses := self.triggers.take(faults.RefuseSetup):
            raise Refusal(Close(refuses.code, refuses.reason))
        admitted = admit(self._handshake, message.setup, self._world, self.triggers.take(faults.RefuseHandle))
        if admitted.was_resumed and self.triggers.take(faults.ForgetContext) is not None:
            admitted.memory.entries.clear()
        slow = self.triggers.take(faults.SlowSetup)
        setup_s = self._world.behaviour.setup_s + (slow.delay_s if slow else 0)
        if setup_s:
            await self._world.clock.sleep(setup_s)
        self.line.emit({"setupComplete": {"sessionId": admitted.memory.lineage}})
        return admitted

    async def _run_legs(self, admitted: Admitted) -> None:
        """Run all legs; returns when the client left or the close was sent."""
        self.dispatch = dispatch = MessageDispatch(self._conversation(admitted))
        lineage, resumed = admitted.memory.lineage, admitted.was_resumed
        name = admitted.setup.model.name
        consumed = admitted.memory.consumed()
        self._note("session.opened", session=lineage, resumed=resumed, model=name, **consumed)
        self._world.handles.opened(lineage)
        try:
            async with asyncio.TaskGroup() as tasks:
                ends = {tasks.create_task(self._read(dispatch)), tasks.create_task(self._write())}
                others = [tasks.create_task(leg) for leg in self._legs(dispatch, admitted)]
                self.triggers.set_up()
                _, left = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                bill.hang_up(dispatch.model_turns.turn, dispatch.conversation)
                for task in [*left, *others]:
                    task.cancel()
        finally:
            self._world.handles.closed(lineage)

    def _conversation(self, admitted: Admitted) -> Conversation:
        return Conversation(
            number=self.number,
            setup=admitted.setup,
            memory=admitted.memory,
            detector=admitted.detector,
            calls=Calls(),
            outlet=self.outlet,
            triggers=self.triggers,
            world=self._world,
        )

    def _legs(self, dispatch: MessageDispatch, admitted: Admitted) -> list[Coroutine[Any, Any, None]]:
        """Tasks that run until they are cancelled."""
        return [
            self._run_turns(dispatch),
            self._offer_handles(dispatch),
            self._limit_lifetime(admitted),
        ]

    async def _read(self, dispatch: MessageDispatch) -> None:
        async for frame in self.line.frames():
            try:
                dispatch.handle(messages.decode(frame))
            except Refusal as refused:
                self.line.close(refused.close)
            # A flood of frames must not starve the turns.
            await asyncio.sleep(0)

    async def _write(self) -> None:
        close = await self.line.write()
        if close:
            await self._hang_up(close)

    async def _run_turns(self, dispatch: MessageDispatch) -> None:
        try:
            await dispatch.model_turns.run()
        except Refusal as refused:
            self.line.close(refused.close)

    async def _offer_handles(self, dispatch: MessageDispatch) -> None:
        """Send a resumption handle at the configured interval; each turn sends another at its end."""
        clock = self._world.clock
        await clock.sleep(FIRST_HANDLE_S)
        while True:
            dispatch.model_turns.offer_handle()
            every_s = self._world.behaviour.handle_every_s
            await asyncio.sleep(max(FASTEST_TICK_S, clock.real(every_s)))

    async def _limit_lifetime(self, admitted: Admitted) -> None:
        """Send `goAway` and close at the connection's limit, or close when its token expires."""
        clock, behaviour = self._world.clock, self._world.behaviour
        ends_at = clock.now() + behaviour.connection_limit_s
        runs_out_at = admitted.token.expires_at if admitted.token else ends_at + 1
        left_s = behaviour.go_away_left_s
        await clock.sleep_until(min(ends_at - left_s, runs_out_at))
        if runs_out_at > ends_at - left_s:
            self.outlet.emit({"goAway": {"timeLeft": f"{left_s:g}s"}})
            self._note("go_away.sent", left_s=left_s)
            await clock.sleep_until(min(ends_at, runs_out_at))
        self.line.close(refusal.TOKEN_RAN_OUT if runs_out_at <= ends_at else refusal.SERVER_RESET)

    def _act(self, fault: faults.Fault) -> None:
        """Carry out a fault that acts by itself."""
        match fault:
            case faults.CloseNow(code=code, reason=reason):
                self.line.close(Close(code, reason))
            case faults.GoAway():
                self._go_away(fault)
            case faults.Freeze(mode=mode, lasts_s=lasts_s):
                self.line.freeze(mode, lasts_s)
            case faults.Stall(lasts_s=lasts_s, pongs=pongs):
                self.line.stall(lasts_s, pongs=pongs)
            case faults.SlowPong(delay_s=delay_s):
                self.line.pong_delay_s = delay_s
            case faults.Abort():
                self.line.abort()
            case faults.SpuriousInterrupted():
                if self.dispatch:
                    self.dispatch.model_turns.interrupt("fault")
            case faults.UnknownMessage(message=message):
                self.outlet.emit(message)
            case faults.EmptyContent():
                self.line.emit({"serverContent": {}})
            case faults.Garbage(text=text):
                self.line.emit_raw(text.encode())
            case _:
                raise AssertionError("an armed fault waits in its trigger until it is taken")

    def _go_away(self, fault: faults.GoAway) -> None:
        left_s = fault.time_left_s
        self.outlet.emit({"goAway": {} if left_s is None else {"timeLeft": f"{left_s:g}s"}})
        if fault.closes:
            close = Close(fault.code, fault.reason)
            self._world.clock.later(left_s or 0.0, lambda: self.line.close(close))

    async def _hang_up(self, close: Close) -> None:
        self._note("close.sent", code=close.code, reason=close.reason)
        await self.line.hang_up(close)

    def _note(self, kind: str, **fields: Any) -> None:
        self._world.ledger.note(kind, connection=self.number, **fields)


def _chance(number: int, world: World) -> random.Random:
    """Draws of this connection: the same in every run with the scenario's seed."""
    seed = world.behaviour.seed
    return random.Random() if seed is None else random.Random(f"{seed} {number}")
