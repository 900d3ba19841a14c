"""An agent with a greeting speaks first, as soon as somebody is there, and once. In virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gemini import messages as model
from protocol import media
from relay.model.port import UpstreamError
from relay.model.rotation import DEFAULT_PLAN
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model
from tests.relay.test_rotation import SECOND

pytestmark = pytest.mark.looptime

BEGIN = model.SayText(model.BEGIN, respond=True)
HELLO = (SECOND, model.Said("Hello."), model.GenerationEnded(), model.TurnCompleted(True))


def greeting() -> Model:
    here = Model()
    here.greets = True
    return here


async def test_it_begins_when_the_client_is_there_and_not_before() -> None:
    async with lone_call(greeting()) as (call, here):
        await asyncio.sleep(5)
        assert here.leg.commands == []
        listener = Listener(call)
        await asyncio.sleep(0.1)
        assert here.leg.commands == [BEGIN]
        here.leg.say(*HELLO)
        await asyncio.sleep(1)
        (kept,) = [turn for _, turn in here.book.turns]
        assert (kept.number, kept.user_text, kept.agent_text) == (1, "", "Hello.")
        assert [told.role for told in listener.of(media.TurnStarted)] == ["agent"]  # type: ignore[attr-defined]


async def test_it_does_not_begin_again_after_a_resume_nor_on_another_leg() -> None:
    async with lone_call(greeting(), plan=replace(DEFAULT_PLAN, rotate_after_s=60.0)) as (call, here):
        first = Listener(call)
        await asyncio.sleep(0.1)
        here.leg.say(*HELLO)
        await asyncio.sleep(1)
        here.leg.say(model.HandleChanged("after hello"))
        await first.leave()
        Listener(call)
        await asyncio.sleep(65)
        assert [leg.handle for leg in here.legs] == [None, "after hello"]
        assert [leg.commands for leg in here.legs] == [[BEGIN], []]


async def test_a_leg_that_is_lost_before_it_has_begun_is_followed_by_one_that_does() -> None:
    async with lone_call(greeting()) as (call, here):
        Listener(call)
        await asyncio.sleep(0.1)
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(2)
        assert [leg.commands for leg in here.legs] == [[BEGIN], [BEGIN]]


async def test_the_client_of_a_leg_that_was_lost_before_it_came_is_greeted() -> None:
    async with lone_call(greeting()) as (call, here):
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(2)
        Listener(call)
        await asyncio.sleep(0.1)
        assert [leg.commands for leg in here.legs] == [[], [BEGIN]]


async def test_an_agent_without_a_greeting_waits_for_the_user() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await asyncio.sleep(30)
        assert here.leg.commands == []
