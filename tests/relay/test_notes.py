"""What the agent is to know and not to answer is told at a moment that cuts nothing, in virtual time."""

from __future__ import annotations

import asyncio
import functools

import pytest

from gemini import messages as model
from protocol import media
from protocol.control import Config
from relay.model.uplink_queue import UPLINK_QUEUE_BYTES, UplinkQueue
from tests.relay import sounds
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import FakeBook, Model, session
from tests.relay.test_messages import call_of

pytestmark = pytest.mark.looptime


@functools.cache
def words() -> list[bytes]:
    return [*sounds.frames(sounds.at_level(sounds.spoken()["question"], -22))]


NOTE = model.Note("it rains")


async def test_what_the_agent_is_to_know_waits_until_it_has_spoken() -> None:
    """A model takes whatever comes while it answers for an interruption."""
    async with lone_call(Model(takes_notes=True)) as (call, here):
        listener = Listener(call)
        here.leg.say(model.Heard("why"), model.Audio(bytes(48_000)))
        await asyncio.sleep(0.1)
        listener.say(media.Context("it rains"))
        listener.say(media.Context("and snows"))
        await asyncio.sleep(1)
        here.leg.say(model.GenerationEnded())
        await asyncio.sleep(1)
        assert here.leg.commands == []
        here.leg.say(model.TurnCompleted(idle=True))
        await asyncio.sleep(0.1)
        assert here.leg.commands == [NOTE, model.Note("and snows")]


async def test_what_the_agent_is_to_know_is_told_at_once_in_a_pause() -> None:
    async with lone_call(Model(takes_notes=True)) as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.1)
        listener.say(media.Context("it rains"))
        await asyncio.sleep(0.1)
        assert here.leg.commands == [NOTE]


async def test_it_waits_for_an_answer_that_is_owed_and_for_a_tool() -> None:
    async with lone_call(Model(takes_notes=True)) as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.1)
        listener.say(media.Text("why"))
        await asyncio.sleep(0.1)
        listener.say(media.Context("it rains"))
        await asyncio.sleep(2)
        assert here.leg.commands == [model.SayText("why", respond=True)]
        here.leg.say(model.ToolRequested("fc-1", "weather", {}), model.TurnCompleted(idle=True))
        await asyncio.sleep(2)
        assert NOTE not in here.leg.commands, "new input cancels a call that the model waits for"
        (asked,) = listener.of(media.ToolCall)
        listener.say(media.ToolResult(asked.call_id, ok=True))  # type: ignore[attr-defined]
        here.leg.say(model.Audio(b"\x00\x10" * 480), model.TurnCompleted(idle=True))
        await asyncio.sleep(0.1)
        assert here.leg.commands[-1] == NOTE


async def test_a_question_takes_what_it_is_about_with_it() -> None:
    async with lone_call(Model(takes_notes=True)) as (call, here):
        listener = Listener(call)
        here.leg.say(model.Heard("hm"), model.Audio(bytes(48_000)))
        await asyncio.sleep(0.1)
        listener.say(media.Context("it rains"))
        listener.say(media.Text("why"))
        await asyncio.sleep(0.1)
        assert here.leg.commands == [NOTE, model.SayText("why", respond=True)]


@pytest.mark.parametrize("name", ["gemini-3.1-flash-live-preview", "a-model-of-tomorrow"])
async def test_a_model_that_answers_all_it_is_told_learns_it_with_the_users_words(name: str) -> None:
    here = Model()
    here.names = [name]
    async with lone_call(here) as (call, _):
        listener = Listener(call)
        await asyncio.sleep(0.1)
        listener.say(media.Context("it rains"))
        await asyncio.sleep(30)
        assert NOTE not in here.leg.commands
        listener.say(media.Text("why"))
        await asyncio.sleep(0.1)
        assert here.leg.commands[-2:] == [NOTE, model.SayText("why", respond=True)]


@pytest.mark.parametrize("name", ["gemini-3.1-flash-live-preview", "a-model-of-tomorrow"])
async def test_spoken_words_take_it_along_too(name: str) -> None:
    here = Model()
    here.names = [name]
    async with lone_call(here) as (call, _):
        listener = Listener(call)
        await asyncio.sleep(0.1)
        listener.say(media.Context("it rains"))
        for number in range(50):
            listener.speak(number, words()[number])
            await asyncio.sleep(0.02)
        assert here.leg.commands[-1] == NOTE


async def test_manual_turns_take_it_along_in_their_window() -> None:
    here, record = Model(), session(config=Config(turns="manual"))
    here.names = ["gemini-3.1-flash-live-preview"]
    async with call_of(record, here, FakeBook(record)) as call:
        listener = Listener(call)
        await asyncio.sleep(0.1)
        listener.say(media.Context("it rains"))
        await asyncio.sleep(1)
        listener.say(media.Activity("start"))
        await asyncio.sleep(0.1)
        assert here.leg.commands[-2:] == [model.MarkActivity(True), NOTE]


async def test_held_notes_are_bounded_like_all_that_waits() -> None:
    queue = UplinkQueue()
    note = model.Note("x" * 30_000)
    while not queue.is_full:
        queue.put_note(note)
    assert 100 < UPLINK_QUEUE_BYTES / 30_000 < 200
    queue.tell_notes()
    assert await queue.get() == note and not queue.is_full


async def test_no_answer_settles_a_note_that_still_waits() -> None:
    """A relay that is killed then leaves it to the client to say it again."""
    async with lone_call(Model(takes_notes=True)) as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.1)
        listener.say(media.Text("why", n=1))
        await asyncio.sleep(0.1)
        listener.say(media.Context("it rains", n=2))
        listener.say(media.Context("it pours", n=3))
        here.leg.say(model.Audio(b"\x00\x10" * 480), model.GenerationEnded(), model.TurnCompleted(idle=True))
        await asyncio.sleep(1)
        assert here.leg.commands[1:] == [model.Note("it rains", 2), model.Note("it pours", 3)]
        assert [turn.message_n for _, turn in here.book.turns] == [1]
        listener.say(media.Text("so", n=4))
        await asyncio.sleep(0.1)
        here.leg.say(model.Audio(b"\x00\x10" * 480), model.GenerationEnded(), model.TurnCompleted(idle=True))
        await asyncio.sleep(1)
        assert [turn.message_n for _, turn in here.book.turns] == [1, 4]
