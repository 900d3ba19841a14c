"""What happens at once on a relay: joins, ends and leaving. None of it may outlive or disturb another."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from websockets.exceptions import ConnectionClosed

from gemini import messages as model
from protocol import media
from protocol.audio import AudioFrame
from records.sessions import Session
from relay.task.service import Relay
from tests.relay.fakes import CONFIG, FakeBook, FakeTask, Model, Visitor, house, session, voice
from tests.relay.test_server import until


class GatedBook(FakeBook):
    """Holds every `load` until the gate opens."""

    def __init__(self, *sessions: Session) -> None:
        super().__init__(*sessions)
        self.gate = asyncio.Event()
        self.is_shut = True
        self.loading = 0

    async def load(self, session: str) -> Session | None:
        if self.is_shut:
            self.loading += 1
            await self.gate.wait()
        return await super().load(session)


async def test_of_many_connections_at_once_one_call_comes_and_one_client_stays() -> None:
    async with house() as here, contextlib.AsyncExitStack() as wires:
        tickets = [here.book.ticket() for _ in range(6)]
        joined = [await wires.enter_async_context(here.connect(ticket)) for ticket in tickets]

        async def join(wire: object) -> int | None:
            with contextlib.suppress(ConnectionClosed):
                await Visitor().join(wire)  # type: ignore[arg-type]
            return wire.close_code  # type: ignore[attr-defined,no-any-return]

        async with asyncio.TaskGroup() as group:
            for wire in joined:
                group.create_task(join(wire))
        await until(lambda: sum(wire.close_code is None for wire in joined) == 1)
        assert {wire.close_code for wire in joined} == {None, 4409}
        assert len(here.calls) == 1 and len(here.model.legs) == 1


async def test_a_client_that_joins_while_the_relay_leaves_begins_no_call() -> None:
    book = GatedBook(session())
    async with house(book=book) as here:
        async with here.connect(book.ticket()) as wire:
            await until(lambda: book.loading == 1)
            here.relay.leave()
            book.gate.set()
            error = json.loads(await wire.recv())
            assert (error["code"], error["retryable"]) == ("going_away", True)
            await wire.wait_closed()
            assert wire.close_code == 4453
        assert here.calls == {} and here.model.legs == []


async def test_a_call_that_ends_while_others_join_leaves_room_for_one_only() -> None:
    book = GatedBook(session())
    book.is_shut = False
    async with house(book=book) as here:
        async with here.connect(book.ticket()) as wire:
            await Visitor().join(wire)
            book.sessions["s1"] = session(epoch=2)
            book.is_shut = True
            async with here.connect(book.ticket()) as second:
                await until(lambda: book.loading == 1)
                here.calls["s1"].end("superseded")
                await until(lambda: "s1" not in here.calls)
                async with here.connect(book.ticket()) as third:
                    await until(lambda: third.state.name == "OPEN")
                    book.gate.set()
                    await Visitor().join(third)
                    await second.wait_closed()
        assert len(here.model.legs) == 2, "one of each epoch"


async def test_a_relay_forgets_the_sessions_it_refused() -> None:
    async with house(session(state="ENDED")) as here:
        async with here.connect(here.book.ticket()) as wire:
            assert json.loads(await wire.recv())["code"] == "session_ended"
        assert len(here.relay.registry.joining) == 0


async def test_a_connection_that_never_says_hello_to_an_ended_call_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.call.call.FAREWELL_S", 0.2)
    async with house() as here, here.connect(here.book.ticket()) as wire:
        await Visitor().join(wire)
        async with here.connect(here.book.ticket()) as mute:
            await wire.wait_closed()
            here.calls["s1"].end("session_limit")  # before the mute one has taken its place
            async with asyncio.timeout(8):  # its hello would be due after ten seconds
                await mute.wait_closed()
        await until(lambda: here.calls == {})


async def test_a_relay_shows_that_it_lives_while_it_tells_the_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 0.0)
    told, task = asyncio.Event(), FakeTask()
    relay = Relay(CONFIG, FakeBook(), task, Model().open)

    async def announce(port: int) -> None:
        await told.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run(announce))
        await until(lambda: "heartbeat" in task.calls)
        relay.leave()
        told.set()


async def test_a_long_answer_that_was_written_at_once_and_never_arrived_is_replayed() -> None:
    """The model is faster than its voice: all of it is in the socket before the first word is heard."""
    async with house() as here:
        visitor = Visitor()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            here.model.leg.say(model.Heard("tell me a story"), *[model.Audio(voice(9_600))] * 200)
            await visitor.until(AudioFrame)
            await until(lambda: not here.calls["s1"].session.has_output)
            wire.transport.abort()
        visitor.session.lost()
        here.model.leg.say(model.TurnCompleted(idle=True))
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            await visitor.until(media.Metrics)
    assert visitor.session.counters.missing_frames == 0
    assert sum(isinstance(message, AudioFrame) for message in visitor.got) == 200
