"""A relay carries what the record says is its own, up to its capacity, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from gemini import messages as model
from protocol import media
from tests.relay.fakes import CONFIG, House, Visitor, house, session
from tests.relay.test_server import answer, until

MANY = [session(f"s{number}") for number in range(1, 5)]


@pytest.fixture(autouse=True)
def quick_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 0.02)


async def fatal(visitor: Visitor) -> media.Error:
    error = await visitor.until(media.Error)
    assert isinstance(error, media.Error) and error.fatal
    return error


async def test_a_call_that_lives_on_elsewhere_ends_at_the_next_heartbeat_though_nothing_is_said() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.book.sessions["s1"] = session(epoch=2, relay="relay-2")
        assert (await fatal(visitor)).code == "superseded"
        assert await visitor.read_to_the_end() == 4409
        await here.model.leg.closed.wait()
        assert here.book.finished == {}, "its session goes on"


@pytest.mark.parametrize("unwritten", [False, True], ids=["nothing else to write", "a turn that is fenced"])
async def test_a_call_that_lives_on_elsewhere_still_tells_how_long_its_model_was_connected(
    monkeypatch: pytest.MonkeyPatch, unwritten: bool
) -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        if unwritten:
            monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 1e6)
            here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
        here.book.sessions["s1"] = session(epoch=2, relay="relay-2")
        assert (await fatal(visitor)).code == "superseded"
        await until(lambda: not here.calls)
        assert here.book.connected["s1"] > 0 and not here.book.turns


async def test_a_call_whose_session_came_back_to_this_relay_in_another_epoch_ends_too() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.book.sessions["s1"] = session(epoch=3)
        assert (await fatal(visitor)).code == "superseded"


async def test_a_call_whose_session_has_moved_and_ended_there_is_not_kept() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.book.sessions["s1"] = session(epoch=2, relay="relay-2", state="ENDED")
        assert (await fatal(visitor)).code == "superseded"
        await until(lambda: not here.calls)


@pytest.mark.parametrize(("reason", "close"), [("client", 1000), ("abandoned", 4423)])
async def test_a_call_whose_session_was_ended_in_the_record_ends_for_that_reason(
    reason: str, close: int
) -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.book.finished["s1"] = reason
        here.book.sessions["s1"] = session(state="ENDED")
        ended = await visitor.until(media.Ended)
        assert isinstance(ended, media.Ended) and ended.reason == reason
        assert await visitor.read_to_the_end() == close


async def test_a_call_of_which_there_is_no_record_at_all_ends() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        del here.book.sessions["s1"]
        assert (await fatal(visitor)).code == "superseded"
        here.book.sessions["s1"] = session()


async def test_a_store_that_does_not_answer_ends_no_call() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.book.down = True
        beats = here.task.calls.count("heartbeat")
        await until(lambda: here.task.calls.count("heartbeat") > beats + 3)
        here.book.down = False
        compared = here.book.compared
        await until(lambda: here.book.compared > compared + 3)
        here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
        await visitor.until(media.Metrics)


async def test_a_call_that_began_anew_while_the_record_was_read_is_left_alone() -> None:
    """The answer is about epoch 1, which this relay held when it asked; by then it holds epoch 3."""
    async with house() as here:
        newer = Visitor()
        compare = here.book.disowned

        async def slowly(held: Mapping[str, int]) -> dict[str, str]:
            here.book.sessions["s1"] = session(epoch=3)
            answered = await compare(held)
            if held == {"s1": 1} and not anew:
                anew.append(asyncio.create_task(begin_anew()))
                await asyncio.shield(anew[0])  # what asks has a time limit; the caller has not
            return answered

        async def begin_anew() -> None:
            wires.append(await here.connect(here.book.ticket()))
            await newer.join(wires[0])
            joined.set()

        joined = asyncio.Event()
        anew: list[asyncio.Task[None]] = []
        wires: list[ClientConnection] = []
        async with here.connect(here.book.ticket()) as wire:
            older = Visitor()
            await older.join(wire)
            here.book.disowned = slowly  # type: ignore[method-assign]
            assert (await fatal(older)).code == "superseded"
            await joined.wait()
            compared = here.book.compared
            await until(lambda: here.book.compared > compared + 3)
            here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
            await newer.until(media.Metrics)
            await wires[0].close()


# ---- capacity


async def join_all(here: House, *names: str) -> AsyncIterator[Visitor]:
    for name in names:
        visitor = Visitor()
        await visitor.join(await here.connect(here.book.ticket(name)))
        yield visitor


async def refusal(here: House, name: str) -> tuple[str, bool, int | None]:
    async with here.connect(here.book.ticket(name)) as wire:
        error = json.loads(await wire.recv())
        await wire.wait_closed()
        return error["code"], error["retryable"], wire.close_code


async def test_a_relay_takes_no_more_calls_than_its_capacity_and_says_so() -> None:
    async with house(*MANY, config=replace(CONFIG, capacity=2)) as here:
        guests = [guest async for guest in join_all(here, "s1", "s2")]
        assert await refusal(here, "s3") == ("capacity", True, 4424)
        assert set(here.calls) == {"s1", "s2"} and here.book.finished == {}
        here.calls["s1"].end("client")
        await guests[0].until(media.Ended)
        async with here.connect(here.book.ticket("s3")) as wire:
            await Visitor().join(wire)


async def test_who_comes_back_to_a_full_relay_finds_his_call() -> None:
    async with house(*MANY, config=replace(CONFIG, capacity=2)) as here:
        async for _ in join_all(here, "s1", "s2"):
            pass
        async with here.connect(here.book.ticket("s1")) as wire:
            await Visitor().join(wire)


async def test_a_full_relay_lets_go_of_what_is_not_its_own_before_it_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 1e6)
    async with house(*MANY, config=replace(CONFIG, capacity=2)) as here:
        async for _ in join_all(here, "s1", "s2"):
            pass
        here.book.sessions["s1"] = session("s1", epoch=2, relay="relay-2")
        async with here.connect(here.book.ticket("s3")) as wire:
            await Visitor().join(wire)
        assert await refusal(here, "s4") == ("capacity", True, 4424)


async def test_many_who_come_at_once_do_not_fill_a_relay_beyond_its_capacity() -> None:
    async with house(*MANY, config=replace(CONFIG, capacity=2)) as here:

        async def come(name: str) -> bool:
            wire = await here.connect(here.book.ticket(name))
            with contextlib.suppress(ConnectionClosed):  # it may be refused before it has spoken
                await wire.send('{"type":"hello","versions":[1]}')
            return bool(json.loads(await wire.recv())["type"] == "live")

        assert sorted(await asyncio.gather(*(come(each.id) for each in MANY))) == [False, False, True, True]
