"""How a call ends when something is broken: the store, the model, or the call itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys

import pytest
from websockets.exceptions import ConnectionClosed

from gemini import messages as model
from protocol import media
from protocol.codec import encode
from protocol.errors import REGISTRY
from relay.call.call import GOES_ON
from relay.call.conversation import Conversation
from relay.ports import LedgerUnavailable
from tests.relay.fakes import House, Visitor, house, session
from tests.relay.test_server import answer, until


def broken(*_: object) -> None:
    raise ZeroDivisionError


async def failed(here: House, visitor: Visitor) -> None:
    """Let the call of `visitor` fail of its own code, in the middle of an answer."""
    here.model.leg.say(*answer())
    await visitor.until(media.TurnAudioEnd)
    here.model.leg.say(model.TokensUsed(tokens=None))  # type: ignore[arg-type]  # meets a fault of ours


async def test_a_call_that_fails_keeps_its_turn_and_ends_its_session() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        await failed(here, visitor)
        error = await visitor.until(media.Error)
        assert isinstance(error, media.Error) and error.code == "internal"
        assert await visitor.read_to_the_end() == 4450
        await until(lambda: not here.calls)
        assert here.book.finished == {"s1": "internal"}
        assert [turn.agent_text for _, turn in here.book.turns] == ["hi there"]


async def test_a_call_that_cannot_even_end_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(session(), session("s2")) as here, here.connect(here.book.ticket("s2")) as other:
        bystander, visitor = Visitor(), Visitor()
        await bystander.join(other)
        honest = here.model.leg
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            with monkeypatch.context() as patch:
                patch.setattr(Conversation, "close", broken)
                await failed(here, visitor)
                assert await visitor.read_to_the_end() == 4450
        honest.say(*answer(), model.TurnCompleted(idle=True))
        await bystander.until(media.Metrics)


async def test_a_code_that_this_relay_does_not_know_ends_its_call_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.model.opener.BACKOFF_S", (0.0,))
    async with house(session(), session("s2")) as here, here.connect(here.book.ticket("s2")) as other:
        bystander, visitor = Visitor(), Visitor()
        await bystander.join(other)
        honest = here.model.leg
        here.model.refuse_always = "word_of_a_newer_mint"
        async with here.connect(here.book.ticket()) as wire:
            visitor.wire = wire
            await wire.send(visitor.session.hello())
            error = await visitor.until(media.Error)
            assert isinstance(error, media.Error) and error.code == "internal"
            assert await visitor.read_to_the_end() == 4450
        honest.say(*answer(), model.TurnCompleted(idle=True))
        await bystander.until(media.Metrics)
        await until(lambda: here.book.finished == {"s1": "internal"})


async def test_a_store_that_comes_back_still_learns_that_the_session_is_over() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.model.leg.say(*answer())
        await visitor.until(media.TurnAudioEnd)
        tries, save, finish = 0, here.book.save_turn, here.book.finish

        async def stumbling(write: object, *facts: object) -> None:
            nonlocal tries
            tries += 1
            if tries in (1, 3):
                raise LedgerUnavailable
            await write(*facts)  # type: ignore[operator]

        here.book.save_turn = lambda *facts: stumbling(save, *facts)  # type: ignore[method-assign,assignment]
        here.book.finish = lambda *facts: stumbling(finish, *facts)  # type: ignore[method-assign,assignment]
        await wire.send(encode(media.EndCall()))
        assert await visitor.read_to_the_end() == 1000
        await until(lambda: not here.calls)
    assert here.book.finished == {"s1": "client"} and len(here.book.turns) == 1


async def test_a_session_that_ended_here_is_not_begun_anew_when_the_store_missed_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.call.call.WRITE_S", 0.1)
    async with house() as here:
        async with here.connect(here.book.ticket()) as wire:
            visitor = Visitor()
            await visitor.join(wire)
            here.book.down = True
            await failed(here, visitor)
            assert await visitor.read_to_the_end() == 4450
        await until(lambda: not here.calls)
        here.book.down = False
        async with here.connect(here.book.ticket()) as wire:
            assert json.loads(await wire.recv())["code"] == "session_ended"


async def test_a_store_that_is_down_for_a_while_loses_no_turn() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.book.down = True
        for _ in range(3):
            here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
            await visitor.until(media.TurnAudioEnd)
        await asyncio.sleep(0)
        here.book.down = False
        await until(lambda: len(here.book.turns) == 3)
    assert [turn.number for _, turn in here.book.turns] == [1, 2, 3]


async def test_a_client_that_sends_more_than_the_model_takes_is_cut_off_and_the_call_goes_on() -> None:
    image = encode(media.Image("image/png", bytes(700_000)))
    async with house() as here:
        visitor = Visitor()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            taking = asyncio.Event()
            send, here.model.leg.send = here.model.leg.send, lambda command: taking.wait()  # type: ignore[method-assign,assignment,return-value]
            with contextlib.suppress(ConnectionClosed):
                for _ in range(30):
                    await wire.send(image)
            error = await visitor.until(media.Error)
            assert isinstance(error, media.Error) and (error.code, error.fatal) == ("rate_limited", True)
            assert await visitor.read_to_the_end() == 4429
            here.model.leg.send = send  # type: ignore[method-assign]
            taking.set()
        visitor.session.lost()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            await wire.send(encode(media.Text("and this")))
            await until(lambda: model.SayText("and this", respond=True) in here.model.leg.commands)
            *images, _ = here.model.leg.commands
            assert len(images) >= 5
            kept = sum(len(image.data) for image in images if isinstance(image, model.ShowImage))
            assert kept < 6_000_000, "what was over the bound was never kept"


async def test_a_message_that_meets_a_fault_of_ours_costs_its_connection_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with house() as here:
        visitor = Visitor()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Conversation, "client_said", broken)
                await wire.send(encode(media.Text("hello")))
                assert await visitor.read_to_the_end() == 4450
        visitor.session.lost()
        async with here.connect(here.book.ticket()) as wire:
            assert (await visitor.join(wire)).resumed is False
            await wire.send(encode(media.Text("hello")))
            await visitor.until(media.TurnStarted)
    assert [record.message for record in caplog.records].count("connection failed") == 1


def test_no_code_that_ends_a_session_promises_a_way_back() -> None:
    ends = {code for code in REGISTRY if code.startswith("upstream_")}
    ends |= {"internal", "mint_failed", "store_unavailable", "session_limit", "abandoned"}
    assert not {code for code in ends if REGISTRY[code].retry in ("resume", "refresh")}
    assert {REGISTRY[code].retry for code in GOES_ON} == {"resume", "never"}


async def test_what_was_billed_last_is_written_when_the_call_ends() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
        await visitor.until(media.Metrics)
        here.model.leg.say(model.TokensUsed(media.Tokens(total=9)))
        await visitor.until(media.Usage)
        await wire.send(encode(media.EndCall()))
        assert await visitor.read_to_the_end() == 1000
        await until(lambda: not here.calls)
    assert here.book.owed == [(2, media.Tokens(total=9))]


def test_a_thread_that_waits_for_a_credential_does_not_keep_the_process() -> None:
    program = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
from relay.__main__ import exit_now
ThreadPoolExecutor(1).submit(time.sleep, 60)
exit_now(3)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=30).returncode == 3
