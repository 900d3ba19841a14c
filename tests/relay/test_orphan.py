"""A relay whose table is gone, as after `sam delete`: it ends itself, and a passing outage ends none."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from gemini import messages as model
from protocol import media
from protocol.codec import encode
from records.relays import LOST_S
from relay.call.registry import UNWRITTEN_S
from relay.task.service import FAREWELL_S, HEARTBEAT_S, REFUSED_DRAIN_S, REFUSED_S, STORE_NOTICE_S
from tests.relay.fakes import CONFIG, Visitor, house
from tests.relay.test_store_trouble import answer, until

SHORT = replace(CONFIG, idle_s=10.0)


@pytest.mark.looptime
async def test_an_idle_relay_whose_record_cannot_be_reached_ends_itself() -> None:
    """Whatever the reason: with the stack go the role, the table and the network, in that order."""
    async with house(config=SHORT) as here:
        here.task.is_down = True
        await asyncio.sleep(LOST_S + 2 * HEARTBEAT_S)
        assert here.task.calls[-2:] == ["stopping", "leave"]


@pytest.mark.looptime
async def test_a_relay_whose_table_is_gone_waits_for_no_idle_time() -> None:
    """It was the last that the stack left behind, and nobody would end it."""
    async with house(config=replace(CONFIG, idle_s=3600.0)) as here:
        here.task.is_refused = True
        await asyncio.sleep(REFUSED_S + 2 * HEARTBEAT_S)
        assert here.task.calls[-2:] == ["stopping", "leave"]


@pytest.mark.looptime
async def test_a_table_that_refuses_for_a_moment_and_one_that_does_not_answer_are_not_gone() -> None:
    async with house(config=replace(CONFIG, idle_s=3600.0)) as here:
        for _ in range(4):
            here.task.is_refused = True
            await asyncio.sleep(REFUSED_S - HEARTBEAT_S)
            here.task.is_refused, here.task.is_down = False, True
            await asyncio.sleep(2 * HEARTBEAT_S)
            here.task.is_down = False
        assert "stopping" not in here.task.calls


async def test_a_relay_whose_table_is_gone_ends_with_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 0.02)
    monkeypatch.setattr("relay.task.service.REFUSED_S", 0.1)
    monkeypatch.setattr("relay.task.service.REFUSED_DRAIN_S", 0.2)
    async with house(config=replace(CONFIG, idle_s=3600.0)) as here:
        async with here.connect(here.book.ticket()) as wire:
            visitor = Visitor()
            await visitor.join(wire)
            here.task.is_refused = True
            assert await visitor.read_to_the_end() == 4453, "going away"
        await until(lambda: "leave" in here.task.calls)


def test_a_relay_whose_table_is_gone_has_ended_within_two_minutes() -> None:
    assert 2 * HEARTBEAT_S + REFUSED_S + REFUSED_DRAIN_S + FAREWELL_S + 3 * STORE_NOTICE_S < 120


@pytest.mark.looptime
async def test_an_outage_that_passes_ends_no_relay() -> None:
    async with house(config=SHORT) as here:
        here.task.is_wanted = True  # somebody is on the way to it
        for _ in range(3):
            here.task.is_down = True
            await asyncio.sleep(LOST_S - HEARTBEAT_S)
            here.task.is_down = False
            await asyncio.sleep(2 * HEARTBEAT_S)
        assert "stopping" not in here.task.calls


@pytest.mark.looptime
async def test_a_relay_without_its_record_is_not_gone_before_it_was_idle_for_its_time() -> None:
    async with house(config=replace(CONFIG, idle_s=3 * LOST_S)) as here:
        here.task.is_down = True
        await asyncio.sleep(2 * LOST_S)
        assert "stopping" not in here.task.calls
        await asyncio.sleep(LOST_S + 2 * HEARTBEAT_S)
        assert here.task.calls[-1] == "leave"


async def test_a_call_goes_on_without_the_record_and_the_relay_ends_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 0.02)
    monkeypatch.setattr("relay.task.service.LOST_S", 0.05)
    async with house(config=replace(CONFIG, idle_s=0.05)) as here:
        here.task.is_wanted = True  # until its caller is there, on a machine as busy as it may be
        async with here.connect(here.book.ticket()) as wire:
            visitor = Visitor()
            await visitor.join(wire)
            here.task.is_wanted = False
            here.task.calls.clear()
            here.task.is_down = True
            beats = here.task.calls.count("heartbeat")
            await until(lambda: here.task.calls.count("heartbeat") > beats + 10)
            here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
            await visitor.until(media.TurnEnded)
            assert "stopping" not in here.task.calls
            await wire.send(encode(media.EndCall()))
            assert await visitor.read_to_the_end() == 1000
        await until(lambda: "leave" in here.task.calls)


async def test_the_table_is_told_which_sessions_wait_for_their_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 0.02)
    async with house() as here:
        async with here.connect(here.book.ticket()) as wire:
            await Visitor().join(wire)
            beats = here.task.calls.count("heartbeat")
            await until(lambda: here.task.calls.count("heartbeat") > beats + 1)
            assert here.task.gone == {}
            (session,) = here.calls
        await until(lambda: here.task.gone.keys() == {session})
        assert all(0 <= gone_s < 60 for gone_s in here.task.gone.values())


async def test_turns_that_no_store_takes_keep_a_relay_for_long_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "relay.call.registry")
    monkeypatch.setattr("relay.call.call.WRITE_S", 0.05)
    monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 0.02)
    monkeypatch.setattr("relay.task.service.LOST_S", 0.05)
    monkeypatch.setattr("relay.task.service.FAREWELL_S", 0.05)
    async with house(config=replace(CONFIG, idle_s=0.05)) as here:
        here.task.is_wanted = True  # until its caller is there, on a machine as busy as it may be
        async with here.connect(here.book.ticket()) as wire:
            visitor = Visitor()
            await visitor.join(wire)
            here.task.is_wanted = False
            here.task.calls.clear()
            here.book.down = here.task.is_down = True
            here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
            await visitor.until(media.TurnAudioEnd)
            await wire.send(encode(media.EndCall()))
            await visitor.read_to_the_end()
        beats = here.task.calls.count("heartbeat")
        await until(lambda: here.task.calls.count("heartbeat") > beats + 10)
        assert "stopping" not in here.task.calls
        monkeypatch.setattr("relay.call.registry.UNWRITTEN_S", 0.05)
        await until(lambda: "leave" in here.task.calls)
    (lost,) = [record for record in caplog.records if record.message == "not written"]
    assert lost.session_id == "s1"  # type: ignore[attr-defined]
    assert UNWRITTEN_S > LOST_S
