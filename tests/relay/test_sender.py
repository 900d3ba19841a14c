"""What a paused microphone means to the model: quiet in real time, and the end of its stream."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from protocol import media
from relay.call.pulse import SIGN_S
from relay.model.port import UpstreamError
from relay.model.sender import MARGIN_MS
from relay.timeouts import Timeouts
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model, ScriptedLeg
from tests.relay.speech import speak, talk
from tests.relay.test_rotation import one_turn

pytestmark = pytest.mark.looptime

ENOUGH_MS = model.SILENCE_MS + MARGIN_MS


def quiet_ms(leg: ScriptedLeg) -> int:
    """How much silence is at the end of what the leg has heard."""
    return (len(leg.pcm) - len(leg.pcm.rstrip(b"\0"))) // 32


async def test_the_silence_that_ends_a_turn_comes_in_real_time_and_then_the_end_of_the_stream() -> None:
    """A voice detection that goes by the clock hears no second of quiet in what comes at once."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await speak(listener, talk(1.0))
        listener.say(media.Mic("paused"))
        await asyncio.sleep(0.5)
        assert 300 <= quiet_ms(here.leg) <= 700 and here.leg.commands == []
        await asyncio.sleep(2)
        assert quiet_ms(here.leg) >= ENOUGH_MS and here.leg.commands == [model.FlushAudio()]


@pytest.mark.parametrize(("silence_ms", "least_ms"), [(3_000, 3_000 + MARGIN_MS), (200, ENOUGH_MS)])
async def test_it_is_as_long_as_the_agents_setup_has_it_and_enough_for_models_that_do_not_heed_that(
    silence_ms: int, least_ms: int
) -> None:
    here = Model()
    here.silence_ms = silence_ms
    async with lone_call(here) as (call, _):
        listener = Listener(call)
        await speak(listener, talk(0.2))
        listener.say(media.Mic("closed"))
        await asyncio.sleep(5)
        assert least_ms <= quiet_ms(here.leg) <= least_ms + 200


async def test_a_microphone_that_opens_again_ends_the_silence_and_the_users_turn_goes_on() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await speak(listener, talk(0.2))
        listener.say(media.Mic("paused"))
        await asyncio.sleep(0.5)
        listener.say(media.Mic("open"))
        await speak(listener, talk(3.0), 10)
        assert here.leg.commands == []
        silence = bytes(32 * ENOUGH_MS)
        assert quiet_ms(here.leg) == 0 and silence not in bytes(here.leg.pcm)


async def test_what_is_typed_meanwhile_does_not_wait_for_the_silence() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await speak(listener, talk(0.2))
        listener.say(media.Mic("paused"))
        await asyncio.sleep(0.1)
        listener.say(media.Text("and this"))
        await asyncio.sleep(0.1)
        assert here.leg.commands == [model.SayText("and this", respond=True)]
        await asyncio.sleep(2)
        assert here.leg.commands[-1] == model.FlushAudio()


async def test_a_leg_that_is_lost_meanwhile_leaves_the_whole_silence_to_the_next() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        await speak(listener, talk(1.0))
        listener.say(media.Mic("paused"))
        await asyncio.sleep(0.3)
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(3)
        assert len(here.legs) == 2
        assert quiet_ms(here.leg) >= ENOUGH_MS and any(here.leg.pcm)
        assert here.leg.commands == [model.FlushAudio()]


async def test_a_pause_within_what_is_said_again_is_a_pause_again() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        for first in (0, 10):
            await speak(listener, talk(0.2), first)
            listener.say(media.Mic("paused"))
            await asyncio.sleep(2)
            listener.say(media.Mic("open"))
        await speak(listener, talk(0.2), 20)
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(3)
        assert bytes(here.leg.pcm).count(bytes(32 * ENOUGH_MS)) == 2 and quiet_ms(here.leg) == 0
        assert here.leg.commands == [model.FlushAudio()] * 2


async def test_the_watchdog_waits_from_the_end_of_the_silence_on() -> None:
    here = Model()
    here.silence_ms = 5_000
    async with lone_call(here) as (call, _):
        listener = Listener(call)
        await speak(listener, talk(2.0))
        listener.say(media.Mic("paused"))
        here.leg.is_deaf = True
        await asyncio.sleep(5.4 + SIGN_S - 1)
        assert len(here.legs) == 1 and not call.troubles
        await asyncio.sleep(2)
        assert call.troubles == {"silent_model": 1}, "it is not let off, either"


async def test_a_microphone_that_fell_silent_without_a_word_is_a_pause_to_the_model() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        listener.say(media.Mic("open"))
        await speak(listener, talk(0.5))
        await asyncio.sleep(Timeouts().mic_s + 3)
        assert quiet_ms(here.leg) >= ENOUGH_MS and here.leg.commands == [model.FlushAudio()]
        listener.speak(100, b"\x01" * 640)
        await asyncio.sleep(0.1)
        assert quiet_ms(here.leg) == 0
