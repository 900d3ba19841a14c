"""What the relay notices by itself, in virtual time: silence, endless turns, lost pongs, mute microphones."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from gemini import messages as model
from protocol import media
from protocol.control import Config
from relay.client.leg import SLOW_S
from relay.model.carriage import PING_EVERY_S
from relay.model.port import UpstreamError
from relay.model.rotation import DEFAULT_PLAN
from relay.timeouts import Timeouts
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model
from tests.relay.speech import hush, question, speak, talk
from tests.relay.test_rotation import SECOND, one_turn

pytestmark = pytest.mark.looptime

USUAL = Timeouts()


def ends(listener: Listener) -> list[media.TurnEnded]:
    """The ends of the agent's turns that were told."""
    return [told for told in listener.of(media.TurnEnded) if told.role == "agent"]  # type: ignore[attr-defined]


async def test_a_model_without_a_sign_of_life_is_left_and_the_question_asked_again() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        here.leg.is_deaf = True
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


async def test_speech_that_a_dead_leg_takes_is_said_again_to_another() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.is_deaf = True
        heard = await speak(listener, question())
        await hush(listener, USUAL.answer_s + 2, heard)
        assert len(here.legs) == 2 and call.troubles == {"silent_model": 1}
        assert b"".join(question()[:170]) in bytes(here.leg.pcm)


@pytest.mark.parametrize("life", ["pongs", "handles"])
async def test_an_answer_that_takes_half_a_minute_is_waited_for_while_the_leg_lives(life: str) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        here.leg.is_deaf = life != "pongs"
        listener.say(media.Text("think about it"))
        for _ in range(31):
            await asyncio.sleep(1.0)
            if life == "handles":
                here.leg.say(model.HandleChanged("h"))
        here.leg.say(SECOND, model.Said("well"), model.GenerationEnded(), model.TurnCompleted(idle=True))
        await asyncio.sleep(1)
        assert len(here.legs) == 1 and not call.troubles
        assert [turn.agent_text for _, turn in here.book.turns] == ["because", "well"]


async def test_rightful_silence_changes_nothing() -> None:
    """A proactive model need not answer what was not meant for it."""
    async with lone_call(Model(proactive=True)) as (call, here):
        listener, number = Listener(call), 0
        await one_turn(here)
        for _ in range(3):
            number = await speak(listener, question(), number)
            here.leg.say(model.Heard("not meant for it. "))
            number = await hush(listener, USUAL.patience_s + 5, number)
        assert len(here.legs) == 1 and not call.troubles
        here.leg.say(model.HandleChanged("h"), UpstreamError("upstream_unavailable"))
        await asyncio.sleep(2)
        assert [leg.handle for leg in here.legs] == [None, "h"], "nor is its handle dropped"
        assert b"".join(question()[100:120]) not in bytes(here.leg.pcm), "it was no question"


async def test_a_model_whose_handles_stop_at_a_question_is_frozen_though_its_socket_lives() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        number = 0
        for beat in range(4):
            here.leg.say(model.HandleChanged(f"h{beat}"))
            number = await hush(listener, 1, number)
        number = await speak(listener, question(), number)
        await hush(listener, USUAL.patience_s + 2, number)
        assert call.troubles == {"silent_model": 1}
        assert [leg.handle for leg in here.legs] == [None, "h3"]
        assert b"".join(question()[:150]) in bytes(here.leg.pcm)


async def test_a_model_that_must_answer_speech_is_mended_once_and_then_the_client_is_told() -> None:
    here = Model()
    here.names = ("gemini-3.1-flash-live-preview",)
    async with lone_call(here) as (call, _):
        listener = Listener(call)
        await one_turn(here)
        number = await speak(listener, question())
        here.leg.say(model.Heard("when?"))
        number = await hush(listener, USUAL.patience_s + 1, number)
        assert call.troubles == {"silent_model": 1}
        await hush(listener, USUAL.patience_s + 2, number)
        assert call.troubles == {"silent_model": 2}
        assert [leg.handle for leg in here.legs] == [None, "after why"]
        (_, told) = ends(listener)
        assert (told.turn, told.outcome) == (2, "lost")


async def test_a_typed_question_that_nobody_answers_is_asked_twice_and_then_told_as_lost() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        listener.say(media.Text("hm"))
        await asyncio.sleep(USUAL.patience_s * 6)
        assert call.troubles == {"silent_model": 2}
        assert [leg.handle for leg in here.legs] == [None, "after why"], "no handle is dropped on suspicion"
        assert [(told.turn, told.outcome) for told in ends(listener)] == [(1, "completed"), (2, "lost")]


EMPTY = model.TurnCompleted(idle=True)
REJECTED = model.TurnCompleted(idle=True, ending="rejected")
INAUDIBLE = (model.Audio(bytes(48_000)), model.Said("psst"), model.GenerationEnded(), EMPTY)


@pytest.mark.parametrize(
    ("fault", "trouble", "outcome"),
    [((EMPTY,), "empty_turn", "empty"), ((REJECTED,), "rejected_turn", "rejected")],
)
async def test_an_answer_without_anything_in_it_is_mended_once_and_then_told(
    fault: tuple[model.ModelEvent, ...], trouble: str, outcome: str
) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        await hush(listener, 1, await speak(listener, question()))
        here.leg.say(model.Heard("when?"), *fault)
        await asyncio.sleep(1)
        assert [leg.handle for leg in here.legs] == [None, "after why"] and call.troubles == {trouble: 1}
        assert b"".join(question()[:150]) in bytes(here.leg.pcm)
        assert len(ends(listener)) == 1, "it may still be answered"
        here.leg.say(*fault)
        await asyncio.sleep(1)
        assert len(here.legs) == 2
        assert [(told.turn, told.outcome) for told in ends(listener)] == [(1, "completed"), (2, outcome)]
        await asyncio.sleep(USUAL.patience_s * 2)
        assert call.troubles == {trouble: 2}


async def test_a_question_whose_turn_was_empty_is_answered_by_the_next_leg() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        listener.say(media.Text("and now?"))
        await asyncio.sleep(0.1)
        here.leg.say(EMPTY)
        await asyncio.sleep(1)
        here.leg.say(SECOND, model.Said("this"), model.GenerationEnded(), EMPTY)
        await asyncio.sleep(1)
        assert [(told.turn, told.outcome) for told in ends(listener)] == [(1, "completed"), (2, "completed")]
        assert [(turn.user_text, turn.agent_text) for _, turn in here.book.turns][1] == ("and now?", "this")


@pytest.mark.parametrize("excuse", [model.WaitsForInput(), model.Interrupted()])
async def test_the_end_of_a_turn_that_is_rightly_empty_is_no_fault(excuse: model.ModelEvent) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        await hush(listener, 1, await speak(listener, question()))
        here.leg.say(excuse, EMPTY)
        await asyncio.sleep(2)
        assert len(here.legs) == 1 and not call.troubles


async def test_an_open_microphone_in_a_quiet_room_changes_no_leg() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        await hush(listener, 120, 0)
        assert len(here.legs) == 1 and not call.troubles


async def test_somebody_who_talks_for_long_changes_no_leg() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await speak(listener, talk(60.0))
        assert len(here.legs) == 1 and not call.troubles


@pytest.mark.parametrize("unheard", [(model.Said("I "), model.Said("think"), EMPTY), INAUDIBLE])
async def test_an_answer_that_nobody_can_hear_is_asked_for_again(
    unheard: tuple[model.ModelEvent, ...],
) -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        here.leg.say(model.SpeechStarted(), model.SpeechEnded(), model.Heard("why"), *unheard)
        await asyncio.sleep(1)
        assert len(here.legs) == 2 and call.troubles == {"empty_turn": 1}
        await asyncio.sleep(USUAL.answer_s)
        assert len(here.legs) == 2


async def test_an_answer_that_begins_with_a_second_that_nobody_can_hear_is_asked_for_again_at_once() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        listener.say(media.Text("and now?"))
        await asyncio.sleep(0.1)
        here.leg.say(model.Audio(bytes(24_000)), model.Said("psst"))
        await asyncio.sleep(0.5)
        assert len(here.legs) == 1, "half a second of quiet is nothing"
        here.leg.say(model.Audio(bytes(26_000)))
        await asyncio.sleep(1)
        assert len(here.legs) == 2 and call.troubles == {"empty_turn": 1}
        assert here.leg.commands == [model.SayText("and now?", respond=True)]
        here.leg.say(model.Audio(bytes(60_000)), SECOND, model.Said("this"), model.GenerationEnded(), EMPTY)
        await asyncio.sleep(5)
        assert len(here.legs) == 2, "once"
        assert [told.outcome for told in ends(listener)] == ["completed", "lost", "completed"]


async def test_who_reads_the_answers_misses_no_voice() -> None:
    async with lone_call(config=Config(reply="text")) as (call, here):
        Listener(call)
        here.leg.say(model.Heard("why"), *INAUDIBLE)
        await asyncio.sleep(2)
        assert len(here.legs) == 1 and not call.troubles


async def test_words_whose_voice_does_not_follow_are_a_frozen_leg() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        listener.say(media.Text("and now?"))
        await asyncio.sleep(0.1)
        here.leg.say(model.Said("I think"))
        await asyncio.sleep(USUAL.answer_s + 1)
        assert len(here.legs) == 2 and call.troubles == {"silent_model": 1}
        assert here.leg.commands[-1] == model.SayText("and now?", respond=True)


async def test_an_answer_that_the_microphone_hears_from_the_loudspeaker_is_nobodys_question() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(SECOND, SECOND, model.Said("so"))
        number = await speak(listener, talk(2.0))
        here.leg.say(model.GenerationEnded(), EMPTY)
        number = await speak(listener, talk(0.2), number)
        here.leg.say(model.HandleChanged("h"))
        await hush(listener, USUAL.patience_s + 5, number)
        here.leg.say(model.HandleChanged("h2"), UpstreamError("upstream_unavailable"))
        await asyncio.sleep(2)
        assert not call.troubles and here.leg.handle == "h2"


async def test_a_turn_that_never_ends_is_closed_with_what_was_said_and_the_leg_changed() -> None:
    async with lone_call(Model(takes_history_late=True)) as (call, here):
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
        await asyncio.sleep(USUAL.patience_s + 1)
        assert call.troubles["silent_model"] == 1, "the answer to it is owed"


async def test_a_model_socket_without_pongs_and_without_a_word_is_changed() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        here.leg.is_deaf = True
        await asyncio.sleep(PING_EVERY_S + USUAL.model_pong_s - 1)
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
        number = await hush(listener, 3, 0)
        await asyncio.sleep(USUAL.mic_s * 4)
        (notice,) = listener.of(media.Error)
        assert isinstance(notice, media.Error)
        assert (notice.code, notice.fatal) == ("mic_silent", False)
        assert here.leg.commands == [model.FlushAudio()]
        await hush(listener, 1, number)
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

    async with lone_call() as (call, here):
        here.leg.is_deaf = True
        Listener(call).say(media.Text("secret words"))
        await asyncio.sleep(USUAL.answer_s + 1)
    (line,) = [record for record in caplog.records if record.message == "watchdog"]
    assert (line.session_id, line.trouble) == ("s1", "silent_model")  # type: ignore[attr-defined]


async def test_no_leg_is_changed_while_the_user_speaks_to_a_model_that_does_not_say_so() -> None:
    """Without voice activity of the model's, only our own ears know of the sentence."""
    plan = replace(DEFAULT_PLAN, rotate_after_s=3.0)
    async with lone_call(plan=plan) as (call, here):
        listener = Listener(call)
        here.leg.say(model.HandleChanged("h1"), model.Heard("a "))
        last = await speak(listener, talk(7.0))
        assert len(here.legs) == 1, "in the middle of a sentence"
        await hush(listener, 2, last)
        assert len(here.legs) == 1, "before its answer"
        here.leg.say(model.Heard("long question"), SECOND, model.TurnCompleted(idle=True))
        await asyncio.sleep(0.2)
        here.leg.say(model.HandleChanged("h2"))
        await asyncio.sleep(1)
        assert [leg.handle for leg in here.legs] == [None, "h2"]


async def test_the_time_that_the_model_is_connected_is_noted_though_no_turn_ends() -> None:
    """MinutesPerDay counted finished turns: who never let one finish had a model for nothing."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await hush(listener, 130, 0)
        assert here.book.connected["s1"] == pytest.approx(120, abs=2)
        call.end("client")
    assert here.book.connected["s1"] == pytest.approx(130, abs=2)
