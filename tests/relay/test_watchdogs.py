"""What the relay notices by itself, in virtual time: silence, endless turns, lost pongs, mute microphones."""

from __future__ import annotations

import asyncio
import logging
from array import array
from dataclasses import replace

import pytest

from gemini import messages as model
from protocol import media
from protocol.limits import FRAME_MAX_MS
from relay.client.leg import SLOW_S
from relay.model.rotation import DEFAULT_PLAN
from relay.timeouts import Timeouts
from tests.relay.calls import Listener, lone_call
from tests.relay.test_rotation import SECOND, one_turn

pytestmark = pytest.mark.looptime

USUAL = Timeouts()
SPEECH = array("h", [8_000, -8_000] * 800).tobytes()  # loud: FRAME_MAX_MS, the longest that a client may send
HUSH = array("h", [200, -200] * 800).tobytes()


async def speak(listener: Listener, pcm: bytes, seconds: float, first: int = 0) -> int:
    """Microphone audio in real time. Returns the next frame's number."""
    last = first + round(seconds * 1000 / FRAME_MAX_MS)
    for number in range(first, last):
        listener.speak(number, pcm)
        await asyncio.sleep(FRAME_MAX_MS / 1000)
    return last


async def test_a_model_that_owes_an_answer_and_is_silent_gets_another_leg_and_the_question_again() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        listener.say(media.Text("and now?"))
        await asyncio.sleep(USUAL.answer_s - 0.5)
        assert len(here.legs) == 1
        await asyncio.sleep(1.5)
        assert [leg.handle for leg in here.legs] == [None, "after why"]
        assert here.leg.commands == [model.SayText("and now?", respond=True)]
        here.leg.say(SECOND, model.Said("this"), model.GenerationEnded(), model.TurnCompleted(idle=True))
        await asyncio.sleep(1)
        answers = [e.turn for e in listener.of(media.TurnEnded) if e.role == "agent"]  # type: ignore[attr-defined]
        assert answers == [1, 2] and listener.of(media.Error) == []
        assert call.troubles == {"silent_model": 1}


async def test_speech_that_the_model_takes_without_a_word_is_said_again_to_another_leg() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        heard = await speak(listener, SPEECH, 2.0)
        await speak(listener, HUSH, USUAL.answer_s + 1, heard)
        assert len(here.legs) == 2 and call.troubles == {"silent_model": 1}
        assert SPEECH in bytes(here.leg.pcm)


async def test_an_open_microphone_in_a_quiet_room_changes_no_leg() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        await speak(listener, HUSH, 120.0)
        assert len(here.legs) == 1 and not call.troubles


async def test_coughs_far_apart_are_no_speech_that_nobody_answers() -> None:
    async with lone_call() as (call, here):
        listener, number = Listener(call), 0
        for _ in range(6):
            number = await speak(listener, SPEECH, 0.3, number)
            number = await speak(listener, HUSH, 2 * USUAL.answer_s, number)
        assert len(here.legs) == 1 and not call.troubles


async def test_somebody_who_talks_for_long_changes_no_leg() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(model.SpeechStarted())
        await speak(listener, SPEECH, 60.0)
        assert len(here.legs) == 1 and not call.troubles


async def test_a_model_that_does_not_want_to_answer_is_left_alone_after_two_legs() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        listener.say(media.Text("hm"))
        await asyncio.sleep(USUAL.answer_s * 8)
        assert call.troubles == {"silent_model": 2}
        assert [leg.handle for leg in here.legs] == [None, "after why", None], "the handle may be the cause"


async def test_words_without_their_voice_are_a_frozen_leg() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        here.leg.say(model.SpeechStarted(), model.SpeechEnded(), model.Heard("why"), model.Said("I "))
        here.leg.say(model.Said("think"), model.TurnCompleted(idle=True))
        await asyncio.sleep(1)
        assert len(here.legs) == 2 and call.troubles == {"silent_model": 1}
        await asyncio.sleep(USUAL.answer_s * 3)
        assert len(here.legs) == 2


async def test_who_speaks_at_once_after_an_unheard_answer_is_answered_by_another_leg() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        here.leg.say(model.SpeechStarted(), model.SpeechEnded(), model.Heard("why"), model.Said("I think"))
        here.leg.say(model.TurnCompleted(idle=True), model.SpeechStarted())
        await asyncio.sleep(1)
        assert len(here.legs) == 2 and call.troubles == {"silent_model": 1}
        here.leg.say(model.SpeechEnded(), SECOND, model.Said("well"), model.TurnCompleted(idle=True))
        await asyncio.sleep(USUAL.answer_s * 3)
        assert len(here.legs) == 2


async def test_an_answer_that_the_microphone_hears_from_the_loudspeaker_is_nobodys_question() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(SECOND, SECOND, model.Said("so"))
        number = await speak(listener, SPEECH, 2.0)
        here.leg.say(model.TurnCompleted(idle=True))
        number = await speak(listener, SPEECH, 0.2, number)
        await speak(listener, HUSH, USUAL.answer_s * 2, number)
        assert len(here.legs) == 1 and not call.troubles


async def test_a_turn_that_never_ends_is_closed_with_what_was_said_and_the_leg_changed() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(model.HandleChanged("h"))
        here.leg.say(model.SpeechStarted(), model.SpeechEnded(), model.Heard("why"))
        here.leg.say(*[SECOND] * 10, model.Said("because"))
        await asyncio.sleep(10 + USUAL.stall_s - 1)
        assert len(here.legs) == 1, "ten seconds of it play, and the end may be late"
        await asyncio.sleep(3)
        assert len(here.legs) == 2 and call.troubles == {"endless_turn": 1}
        kept = here.book.turns  # type: ignore[attr-defined]
        assert [(turn.user_text, turn.agent_text, turn.audio_ms) for _, turn in kept] == [
            ("why", "because", 10_000)
        ]
        assert [e.role for e in listener.of(media.TurnEnded)] == ["user", "agent"]  # type: ignore[attr-defined]
        assert here.leg.commands == [model.Recall((("user", "why"), ("agent", "because")))]


async def test_a_turn_beyond_the_longest_is_closed_though_it_goes_on() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        for _ in range(round(USUAL.turn_s) + 2):
            here.legs[0].say(SECOND)
            await asyncio.sleep(1)
        assert call.troubles == {"endless_turn": 1} and len(here.legs) == 2


async def test_a_turn_that_goes_on_by_itself_is_waited_for() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        for _ in range(5):
            here.leg.say(SECOND, model.GenerationEnded(), model.TurnCompleted(idle=False))
            await asyncio.sleep(USUAL.stall_s - 2)
        here.leg.say(SECOND, model.TurnCompleted(idle=True))
        await asyncio.sleep(USUAL.stall_s * 3)
        assert not call.troubles and len(here.legs) == 1


async def test_a_model_that_waits_for_a_tool_is_not_silent_and_is_told_when_nobody_answers() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(model.ToolRequested("fc-1", "weather", {}))
        await asyncio.sleep(19)
        assert here.leg.commands == [] and len(here.legs) == 1
        await asyncio.sleep(3)
        assert here.leg.commands == [model.AnswerTool("fc-1", "weather", {"error": "timed_out"})]
        assert len(listener.of(media.ToolCancel)) == 1 and len(here.legs) == 1
        assert call.troubles == {"tool_unanswered": 1}
        await asyncio.sleep(USUAL.answer_s + 1)
        assert call.troubles["silent_model"] == 1, "the answer to it is owed"


async def test_a_model_socket_without_pongs_and_without_a_word_is_changed() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        here.leg.is_deaf = True
        await asyncio.sleep(20 + USUAL.model_pong_s - 1)
        assert len(here.legs) == 1
        await asyncio.sleep(2)
        assert len(here.legs) == 2 and call.troubles == {"model_pong": 1}


async def test_late_pongs_of_a_model_that_speaks_change_nothing() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        here.leg.is_deaf = True
        for _ in range(10):
            await one_turn(here)
            await asyncio.sleep(20)
        assert len(here.legs) == 1 and not call.troubles


async def test_a_mute_microphone_is_said_once_and_the_model_does_not_wait_for_more() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        listener.say(media.Mic("open"))
        number = await speak(listener, HUSH, 3.0)
        await asyncio.sleep(USUAL.mic_s * 4)
        (notice,) = listener.of(media.Error)
        assert isinstance(notice, media.Error)
        assert (notice.code, notice.fatal) == ("mic_silent", False)
        assert here.leg.commands == [model.FlushAudio()]
        await speak(listener, HUSH, 1.0, number)
        await asyncio.sleep(USUAL.mic_s + 1)
        assert len(listener.of(media.Error)) == 2 and call.troubles == {"mic_silent": 2}


@pytest.mark.parametrize("state", ["paused", "closed", ""])
async def test_a_microphone_that_nobody_called_open_may_be_silent(state: str) -> None:
    async with lone_call() as (call, _):
        listener = Listener(call)
        if state:
            listener.say(media.Mic("open"))
            listener.say(media.Mic(state))  # type: ignore[arg-type]
        await asyncio.sleep(USUAL.mic_s * 3)
        assert listener.of(media.Error) == []


async def test_a_microphone_is_not_missed_while_its_client_is_gone() -> None:
    async with lone_call() as (call, _):
        listener = Listener(call)
        listener.say(media.Mic("open"))
        await listener.leave()
        await asyncio.sleep(USUAL.mic_s * 3)
        assert listener.of(media.Error) == [] and not call.troubles
        back = Listener(call)
        await asyncio.sleep(USUAL.mic_s - 1)
        assert back.of(media.Error) == [], "its silence is counted from its return on"


async def test_a_client_that_does_not_read_is_no_silent_model() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.1)
        listener.connection.reading.clear()
        here.leg.say(model.Heard("tell me everything"), *[SECOND] * 70)
        await asyncio.sleep(1)
        assert here.leg.unread > 0, "the model is not read any further"
        for _ in range(10):
            await asyncio.sleep(SLOW_S * 2 / 3)
            listener.connection.take_one()  # so slowly; all of it would have played long ago
        assert here.leg.unread > 0 and len(here.legs) == 1 and not call.troubles


async def test_a_watchdogs_finding_is_logged_with_the_session(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "relay.call.exchange")

    async with lone_call() as (call, _):
        Listener(call).say(media.Text("secret words"))
        await asyncio.sleep(USUAL.answer_s + 1)
    (line,) = [record for record in caplog.records if record.message == "watchdog"]
    assert (line.session_id, line.trouble) == ("s1", "silent_model")  # type: ignore[attr-defined]


async def test_no_leg_is_changed_while_the_user_speaks_to_a_model_that_does_not_say_so() -> None:
    """Without voice activity of the model's, only our own ears know of the sentence."""
    plan = replace(DEFAULT_PLAN, rotate_after_s=3.0)
    async with lone_call(plan=plan) as (call, here):
        listener = Listener(call)
        here.leg.say(model.HandleChanged("h1"))
        last = await speak(listener, SPEECH, 7.0)
        assert len(here.legs) == 1, "in the middle of a sentence"
        await speak(listener, HUSH, 1.5, last)
        assert len(here.legs) == 1, "before its answer"
        here.leg.say(model.Heard("a long question"), SECOND, model.TurnCompleted(idle=True))
        await asyncio.sleep(0.2)
        here.leg.say(model.HandleChanged("h2"))
        await asyncio.sleep(1)
        assert [leg.handle for leg in here.legs] == [None, "h2"]


async def test_the_time_that_the_model_is_connected_is_noted_though_no_turn_ends() -> None:
    """MinutesPerDay counted finished turns: who never let one finish had a model for nothing."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await speak(listener, HUSH, 130)
        assert here.book.connected["s1"] == pytest.approx(120, abs=2)
        call.end("client")
    assert here.book.connected["s1"] == pytest.approx(130, abs=2)
