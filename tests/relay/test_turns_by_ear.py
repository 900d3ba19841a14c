"""Turns of the user by our own hearing, in virtual time: a model may tell nothing of them, or late."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gemini import messages as model
from protocol import media
from protocol.control import Config
from relay.call.hearing import QUIET_S
from relay.model.rotation import DEFAULT_PLAN
from tests.relay import sounds
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model
from tests.relay.speech import hush, question, speak
from tests.relay.test_rotation import SECOND, one_turn

pytestmark = pytest.mark.looptime


def cough() -> list[bytes]:
    """Heard as speech, and nobody makes words of it."""
    return question()[:16]


def started(listener: Listener, role: str = "user") -> list[int]:
    return [told.turn for told in listener.of(media.TurnStarted) if told.role == role]  # type: ignore[attr-defined]


async def test_a_turn_begins_at_once_whatever_the_model_tells() -> None:
    async with lone_call() as (call, _):
        listener = Listener(call)
        number = await hush(listener, 1, 0)
        assert started(listener) == []
        await speak(listener, question()[:15], number)
        await asyncio.sleep(0.01)
        assert started(listener) == [1], "0.3 s after its first sound"


async def test_the_latency_told_is_counted_from_the_last_word() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await hush(listener, 1, 0)
        number = await speak(listener, question(), number)
        await hush(listener, 1, number)
        here.leg.say(model.SpeechEnded(), model.Heard("when?"), SECOND, model.TurnCompleted(idle=True))
        await asyncio.sleep(0.1)
        (told,) = [each.first_audio_ms for each in listener.of(media.Metrics)]  # type: ignore[attr-defined]
        assert 1_200 <= told <= 1_300, "a second of quiet, and the sample ends quietly, too"


async def test_a_late_end_of_an_answered_turn_is_still_its_end() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await speak(listener, question(), 0)
        here.leg.say(SECOND)
        await hush(listener, 1, number)
        here.leg.say(model.TurnCompleted(idle=True))
        await asyncio.sleep(0.1)
        (told,) = [each.first_audio_ms for each in listener.of(media.Metrics)]  # type: ignore[attr-defined]
        assert 200 <= told <= 300, "it was heard late, and dated back"


async def test_a_cough_ends_in_silence_and_the_next_words_go_on_in_its_turn() -> None:
    plan = replace(DEFAULT_PLAN, rotate_after_s=6.0)
    async with lone_call(plan=plan) as (call, here):
        listener = Listener(call)
        await one_turn(here)
        number = await speak(listener, cough(), 0)
        number = await hush(listener, 6, number)
        assert call.is_at_gap(keep_context=True)
        assert len(here.legs) == 2, "the turn that it opened puts no rotation off"
        await speak(listener, question(), number)
        here.leg.say(model.Heard("when?"), SECOND, model.TurnCompleted(idle=True))
        await asyncio.sleep(0.1)
        assert started(listener) == [1, 2]
        assert started(listener, "agent") == [1, 2]
        assert here.book.turns[-1][1].user_text == "when?"
        assert listener.of(media.Error) == []


async def test_a_call_that_ends_after_a_cough_has_no_turn_of_it() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await speak(listener, cough(), 0)
        await hush(listener, 2, number)
    assert here.book.turns == []


async def test_a_microphone_that_is_released_ends_the_users_words() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await speak(listener, question()[:150], 0)
        listener.say(media.Mic("paused"))
        await asyncio.sleep(2.0)
        here.leg.say(SECOND, model.TurnCompleted(idle=True))
        await asyncio.sleep(0.1)
        (told,) = [each.first_audio_ms for each in listener.of(media.Metrics)]  # type: ignore[attr-defined]
        assert 1_950 <= told <= 2_000 + QUIET_S * 1000


async def test_a_client_that_says_when_it_speaks_is_not_listened_to() -> None:
    async with lone_call(config=Config(turns="manual")) as (call, _):
        listener = Listener(call)
        await speak(listener, question(), 0)
        assert started(listener) == []
        listener.say(media.Activity("start"))
        await asyncio.sleep(0.01)
        assert started(listener) == [1]


@pytest.mark.parametrize(("sensitivity", "turns"), [("low", []), (None, [1]), ("high", [1])])
async def test_a_kiosk_does_not_hear_who_speaks_from_afar(sensitivity: str | None, turns: list[int]) -> None:
    here = Model()
    here.sensitivity = sensitivity
    async with lone_call(here) as (call, _):
        listener = Listener(call)
        far = [*sounds.frames(sounds.at_level(sounds.spoken()["interruption"], -38))]
        await speak(listener, far, 0)
        assert started(listener) == turns
