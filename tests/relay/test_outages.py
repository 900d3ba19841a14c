"""A model that is away: who waits is told soon, and it is still tried. In virtual time."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from protocol import media
from protocol.limits import UPLINK_HZ
from relay.call.outage import NOTICE_S
from relay.model.opener import FIRST_BACKOFF_S
from relay.model.port import UpstreamError
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model
from tests.relay.speech import hush, question, speak
from tests.relay.test_rotation import one_turn

pytestmark = pytest.mark.looptime

LOST = UpstreamError("upstream_unavailable")


def errors(listener: Listener) -> list[tuple[str, bool]]:
    return [(error.code, error.fatal) for error in listener.of(media.Error)]  # type: ignore[attr-defined]


async def test_a_model_that_cannot_be_reached_at_first_is_told_within_four_seconds() -> None:
    here = Model()
    here.refuse_always = "upstream_overload"
    async with lone_call(here) as (call, _):
        await asyncio.sleep(sum(FIRST_BACKOFF_S) + 0.1)
        assert sum(FIRST_BACKOFF_S) < 4 and call.reason == "upstream_overload"


async def test_a_model_that_is_lost_for_longer_is_told_of_at_once_and_still_tried() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        here.refuse = ["upstream_overload"] * 4
        here.leg.say(LOST)
        await asyncio.sleep(NOTICE_S - 0.5)
        assert errors(listener) == []
        await asyncio.sleep(1)
        assert errors(listener) == [("upstream_overload", False)]
        await asyncio.sleep(4)
        assert len(here.legs) == 2 and not call.is_over
        await asyncio.sleep(20)
        assert len(errors(listener)) == 1


@pytest.mark.parametrize("by", ["voice", "text"])
async def test_what_is_asked_of_a_model_that_is_away_is_told_of_at_once_and_answered_later(by: str) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        here.refuse = ["upstream_overload"] * 5
        here.leg.say(LOST)
        await asyncio.sleep(NOTICE_S + 1)
        if by == "voice":
            await hush(listener, 1, await speak(listener, question()))
        else:
            listener.say(media.Text("And now?"))
            await asyncio.sleep(0.1)
        assert errors(listener) == [("upstream_overload", False)] * 2
        await asyncio.sleep(12)
        assert here.leg.commands or len(here.leg.pcm) > UPLINK_HZ


async def test_a_short_break_is_told_nobody() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        here.refuse = ["upstream_overload"] * 2
        here.leg.say(LOST)
        await asyncio.sleep(20)
        assert errors(listener) == [] and len(here.legs) == 2


async def test_a_model_that_is_away_only_for_its_handle_is_told_what_was_said_instead() -> None:
    async with lone_call() as (_, here):
        await one_turn(here)
        here.refuse = ["upstream_overload"] * 2
        here.leg.say(LOST)
        await asyncio.sleep(3)
        assert here.minted == [None, "after why", "after why", None]
        assert here.leg.commands == [model.Recall((("user", "why"), ("agent", "because")))]
