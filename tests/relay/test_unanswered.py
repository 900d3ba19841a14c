"""No question is lost: what nobody has answered is said again, whatever handles say. In virtual time."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from protocol import media
from relay.model.opener import YOUNG_S
from relay.model.port import UpstreamError
from relay.model.replay_buffer import REPLAY_MS, ReplayBuffer
from relay.model.uplink_queue import Speech
from relay.timeouts import Timeouts
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model
from tests.relay.speech import hush, question, speak, talk
from tests.relay.test_rotation import SECOND, one_turn

pytestmark = pytest.mark.looptime

LOST = UpstreamError("upstream_unavailable")
WHOLE = b"".join(question()[:170])


async def test_a_spoken_question_that_a_handle_holds_is_said_again_from_the_handle_before() -> None:
    """Whether a model goes on with a question that it remembers, nobody knows."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        number = await hush(listener, 1, 0)
        number = await speak(listener, question(), number)
        number = await hush(listener, 3, number)
        here.leg.say(model.Heard("when?"), model.HandleChanged("holds it"))
        await hush(listener, 1, number)
        here.leg.say(LOST)
        await asyncio.sleep(1)
        assert here.leg.handle == "after why"
        assert bytes(here.leg.pcm).count(WHOLE) == 1


async def test_a_question_survives_a_handle_that_is_refused() -> None:
    """question, handle, 1011, resumption refused with 1007: the fresh leg was told nothing."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        number = await speak(listener, question())
        await hush(listener, 2, number)
        here.leg.say(model.HandleChanged("holds it"))
        await asyncio.sleep(0.5)
        here.refuse = ["upstream_invalid"]
        here.leg.say(LOST)
        await asyncio.sleep(3)
        assert here.minted == [None, "after why", None]
        assert here.leg.commands == [model.Recall((("user", "why"), ("agent", "because")))]
        assert bytes(here.leg.pcm).count(WHOLE) == 1
        here.leg.say(SECOND, model.Said("at nine"), model.GenerationEnded(), model.TurnCompleted(idle=True))
        await asyncio.sleep(0.5)
        assert here.book.turns[-1][1].agent_text == "at nine"


async def test_a_text_typed_just_before_a_handle_is_said_again_once() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        listener.say(media.Text("and now?"))
        await asyncio.sleep(0.3)
        here.leg.say(model.HandleChanged("holds it"))
        await asyncio.sleep(YOUNG_S)
        here.leg.say(LOST)
        await asyncio.sleep(1)
        assert here.leg.handle == "after why"
        assert here.leg.commands == [model.SayText("and now?", respond=True)]
        here.leg.say(SECOND, model.Said("yes"), model.GenerationEnded(), model.TurnCompleted(idle=True))
        await asyncio.sleep(YOUNG_S)
        here.leg.say(model.HandleChanged("answered"), LOST)
        await asyncio.sleep(1)
        assert here.leg.handle == "answered" and here.leg.commands == []


async def test_a_text_typed_into_an_answer_is_no_question_that_this_answers() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(model.HandleChanged("h"), model.Heard("why"), SECOND)
        await asyncio.sleep(0.1)
        listener.say(media.Text("no, wait"))
        await asyncio.sleep(0.1)
        here.leg.say(SECOND, model.TurnCompleted(idle=True))
        await asyncio.sleep(0.1)
        here.leg.say(model.HandleChanged("holds it"), LOST)
        await asyncio.sleep(1)
        assert model.SayText("no, wait", respond=True) in here.leg.commands


async def test_a_question_outlasts_the_quiet_in_which_its_answer_is_thought_of() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        number = await speak(listener, question())
        await hush(listener, 33, number)
        here.leg.say(LOST)
        await asyncio.sleep(1)
        assert bytes(here.leg.pcm).count(WHOLE) == 1


async def test_a_sentence_that_a_drop_cuts_goes_on_from_the_newest_handle() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        number = await speak(listener, talk(3.0))
        here.leg.say(model.HandleChanged("in the sentence"))
        number = await speak(listener, talk(1.0), number)
        here.leg.say(LOST)
        await speak(listener, talk(1.0), number)
        assert here.leg.handle == "in the sentence"
        sent_ms = len(here.leg.pcm) / 32
        assert 2_000 <= sent_ms <= 2_300, "two seconds, and what may not be in the handle"


async def test_no_handle_of_half_a_sentence_is_written_down() -> None:
    """Another relay would go on with it, and has not the other half: a turn that nobody asked for."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(model.Heard("why"), SECOND, model.Said("so"), model.TurnCompleted(idle=True))
        await asyncio.sleep(0.1)
        number = await speak(listener, talk(2.0))
        here.leg.say(model.HandleChanged("half"))
        number = await speak(listener, talk(0.5), number)
        assert here.book.handles == []
        number = await hush(listener, 1, number)
        here.leg.say(model.HandleChanged("unanswered"))
        number = await hush(listener, 1, number)
        assert here.book.handles == []
        here.leg.say(SECOND, model.Said("well"), model.TurnCompleted(idle=True))
        await hush(listener, 1, number)
        here.leg.say(model.HandleChanged("whole"))
        await asyncio.sleep(0.1)
        assert here.book.handles == ["whole"]


async def test_a_handle_that_came_as_speech_began_is_none_to_go_back_to() -> None:
    """Speech is heard a moment after it has begun."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        number = await hush(listener, 1, 0)
        number = await speak(listener, question()[:10], number)
        here.leg.say(model.HandleChanged("first sound"))
        number = await speak(listener, question()[10:], number)
        await hush(listener, 1, number)
        here.leg.say(LOST)
        await asyncio.sleep(1)
        assert here.leg.handle == "after why"
        assert bytes(here.leg.pcm).count(WHOLE) == 1


def test_what_was_asked_is_kept_beside_what_was_sent_lately() -> None:
    buffer, second = ReplayBuffer(), bytes(32_000)
    for at in range(10):
        buffer.add(Speech(at, second), float(at))
    buffer.keep(3.0, 5.0)
    for at in range(10, 100):
        buffer.add(Speech(at, second), float(at))
    kept = [item.seq for item in buffer.since(0.0) if isinstance(item, Speech)]
    assert kept == [3, 4, 5, 6, *range(100 - REPLAY_MS // 1000, 100)]
    buffer.keep(None, 0.0)
    assert len(buffer.since(0.0)) == REPLAY_MS // 1000


def test_a_question_without_end_is_kept_within_bounds() -> None:
    buffer, second = ReplayBuffer(), bytes(32_000)
    buffer.keep(0.0, float("inf"))
    for at in range(500):
        buffer.add(Speech(at, second), float(at))
    assert len(buffer.since(0.0)) == 2 * REPLAY_MS // 1000


async def test_what_was_said_and_not_answered_is_written_down_once_its_words_are_known() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        number = await speak(listener, question())
        number = await hush(listener, 1, number)
        assert here.book.questions == [(1, "why")]
        here.leg.say(model.Heard("when?"))
        await hush(listener, 1, number)
        assert here.book.questions == [(1, "why"), (2, "when?")]


async def test_a_forced_move_leaves_an_unanswered_question_to_the_next_relay() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await speak(listener, question())
        here.leg.say(model.Heard("when?"))
        await hush(listener, 1, number)
        call.end("going_away")
        await asyncio.sleep(1)
        assert here.book.turns == []
        assert here.book.questions[-1] == (1, "when?")


async def test_what_was_let_pass_is_in_the_record_after_a_forced_move() -> None:
    async with lone_call(Model(proactive=True)) as (call, here):
        listener = Listener(call)
        number = await speak(listener, question())
        here.leg.say(model.Heard("not meant for it"))
        await hush(listener, Timeouts().patience_s + 5, number)
        call.end("going_away")
        await asyncio.sleep(1)
        assert [turn.user_text for _, turn in here.book.turns] == ["not meant for it"]


async def test_a_remark_that_the_model_lets_pass_is_no_question_to_the_next_relay() -> None:
    async with lone_call(Model(proactive=True)) as (call, here):
        listener = Listener(call)
        number = await speak(listener, question())
        here.leg.say(model.Heard("not meant for it"))
        await hush(listener, Timeouts().patience_s + 5, number)
        assert here.book.questions == [(1, "not meant for it"), (1, "")]


@pytest.mark.parametrize(("turn", "asked"), [(4, True), (3, False)])
async def test_a_question_of_a_relay_that_died_is_asked_by_the_next_one_unless_it_was_answered(
    turn: int, asked: bool
) -> None:
    before = {"handle": "h", "next_turn": 4, "question": "when?", "question_turn": turn}
    async with lone_call(**before) as (call, here):  # type: ignore[arg-type]
        listener = Listener(call)
        await asyncio.sleep(1)
        assert here.leg.handle == "h"
        assert here.leg.commands == ([model.SayText("when?", respond=True)] if asked else [])
        if asked:
            here.leg.say(
                SECOND, model.Said("at nine"), model.GenerationEnded(), model.TurnCompleted(idle=True)
            )
            await asyncio.sleep(0.5)
            assert [(turn.user_text, turn.agent_text) for _, turn in here.book.turns] == [
                ("when?", "at nine")
            ]
            await listener.leave()
            Listener(call)
            await asyncio.sleep(1)
            assert len(here.leg.commands) == 1
