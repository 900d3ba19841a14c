"""Messages with a number: taken once, and acked when the turn that answers them is in the record."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gemini import messages as model
from gemini.messages import Credential
from protocol import media
from protocol.control import ClientTool
from protocol.errors import REGISTRY
from protocol.limits import IMAGE_BYTES
from records.sessions import Session
from relay.call.call import Call
from relay.call.terms import Terms
from relay.model.port import ModelLeg
from relay.model.uplink_queue import UPLINK_QUEUE_BYTES
from relay.timeouts import Timeouts
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import FakeBook, Model, session, voice

pytestmark = pytest.mark.looptime
ANSWER = (model.Audio(voice(960)), model.Said("Because."), model.GenerationEnded(), model.TurnCompleted(True))


def asked(here: Model) -> list[str]:
    """The texts that any leg of the model was given."""
    return [said.text for leg in here.legs for said in leg.commands if isinstance(said, model.SayText)]


def acked(listener: Listener) -> list[int]:
    return [ack.message_n for ack in listener.of(media.Ack)]  # type: ignore[attr-defined]


async def test_a_text_is_acked_when_the_turn_that_answers_it_is_in_the_record() -> None:
    async with lone_call() as (call, here):
        listener, book = Listener(call), here.book
        listener.say(media.Text("why", n=1))
        await asyncio.sleep(0.1)
        book.down = True
        here.leg.say(*ANSWER)
        await asyncio.sleep(1)
        assert acked(listener) == []
        book.down = False
        await asyncio.sleep(10)
        assert acked(listener) == [1]
        assert [turn.message_n for _, turn in book.turns] == [1]


async def test_a_text_that_is_said_again_on_the_next_connection_is_asked_once() -> None:
    async with lone_call() as (call, here):
        first = Listener(call)
        first.say(media.Text("why", n=1))
        await asyncio.sleep(0.1)
        await first.leave()
        second = Listener(call)
        await asyncio.sleep(0.1)
        (live,) = second.of(media.Live)
        assert isinstance(live, media.Live) and live.message_n == 1 and "acks" in live.capabilities
        second.say(media.Text("why", n=1))
        second.say(media.Text("and why else", n=2))
        await asyncio.sleep(0.1)
        assert asked(here) == ["why", "and why else"]


async def test_what_is_said_while_the_agent_speaks_is_acked_with_the_next_turn() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        listener.say(media.Text("why", n=1))
        await asyncio.sleep(0.1)
        here.leg.say(ANSWER[0])
        await asyncio.sleep(0.1)
        listener.say(media.Context("it rains", n=2))
        listener.say(media.Text("and why else", n=3))
        await asyncio.sleep(0.1)
        here.leg.say(*ANSWER[1:])
        await asyncio.sleep(0.1)
        assert acked(listener) == [1]
        here.leg.say(*ANSWER)
        await asyncio.sleep(0.1)
        assert acked(listener) == [1, 3]


async def test_a_text_without_a_number_is_always_taken_and_never_acked() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        for _ in range(2):
            listener.say(media.Text("why"))
        await asyncio.sleep(0.1)
        here.leg.say(*ANSWER)
        await asyncio.sleep(0.1)
        assert asked(here) == ["why", "why"] and acked(listener) == []


class LateModel(Model):
    """Opens no leg before `ready` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = asyncio.Event()

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        await self.ready.wait()
        return await super().open(credential, handle)


@contextlib.asynccontextmanager
async def call_of(record: Session, model: Model, book: FakeBook) -> AsyncIterator[Call]:
    call = Call(record, Terms(record.epoch, 1e6, 1e6), book, model)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(call.run())
        yield call
        call.end("client")
        await running


async def test_a_message_for_which_there_is_no_room_may_come_again() -> None:
    record, here = session(), LateModel()
    async with call_of(record, here, FakeBook(record)) as call:
        first = Listener(call)
        images = UPLINK_QUEUE_BYTES // IMAGE_BYTES + 1
        for n in range(1, images + 1):
            first.say(media.Image("image/png", bytes(IMAGE_BYTES), n=n))
        first.say(media.Text("why", n=images + 1))
        await asyncio.sleep(1)
        assert first.connection.close_code == REGISTRY["rate_limited"].close
        second = Listener(call)
        here.ready.set()
        await asyncio.sleep(1)
        (live,) = second.of(media.Live)
        assert isinstance(live, media.Live) and live.message_n == images
        second.say(media.Text("why", n=images + 1))
        await asyncio.sleep(0.1)
        assert asked(here) == ["why"]


async def test_another_relay_takes_what_the_record_has_no_answer_to() -> None:
    record = session(epoch=2, next_turn=4, message_n=3)
    async with call_of(record, here := Model(), FakeBook(record)) as call:
        listener = Listener(call)
        await asyncio.sleep(0.1)
        (live,) = listener.of(media.Live)
        assert isinstance(live, media.Live) and live.message_n == 3
        for n in (3, 4):
            listener.say(media.Text(f"question {n}", n=n))
        await asyncio.sleep(0.1)
        assert asked(here) == ["question 4"] and acked(listener) == [3]


@pytest.mark.parametrize(("reason", "kept"), [("going_away", []), ("client", [("why", 0)])])
async def test_a_text_without_an_answer_is_recorded_where_the_session_ends(
    reason: str, kept: list[tuple[str, int]]
) -> None:
    record = session()
    book = FakeBook(record)
    async with call_of(record, Model(), book) as call:
        listener = Listener(call)
        listener.say(media.Text("why", n=1))
        await asyncio.sleep(0.1)
        call.end(reason)
        await asyncio.sleep(1)
    assert [(turn.user_text, turn.message_n) for _, turn in book.turns] == kept


async def test_a_tools_result_of_another_relay_answers_no_call_of_this_one() -> None:
    record = session(epoch=2)
    async with call_of(record, here := Model(), FakeBook(record)) as call:
        listener = Listener(call)
        await asyncio.sleep(0.1)
        here.leg.say(model.ToolRequested("fc-1", "weather", {}))
        await asyncio.sleep(0.1)
        (asks,) = listener.of(media.ToolCall)
        assert isinstance(asks, media.ToolCall) and asks.call_id == "call-2-1"
        listener.say(media.ToolResult("call-1-1", ok=True, n=1))
        await asyncio.sleep(0.1)
        assert [error.code for error in listener.of(media.Error)] == ["call_unknown"]  # type: ignore[attr-defined]
        assert here.leg.commands == []


async def test_a_result_that_is_to_be_known_only_is_owed_no_answer() -> None:
    record = session(tools=[ClientTool("note", scheduling="silent")])
    async with call_of(record, here := Model(), FakeBook(record)) as call:
        listener = Listener(call)
        await asyncio.sleep(0.1)
        here.leg.say(model.ToolRequested("fc-1", "note", {}), model.TurnCompleted(idle=True))
        await asyncio.sleep(0.1)
        (asked,) = listener.of(media.ToolCall)
        listener.say(media.ToolResult(asked.call_id, ok=True))  # type: ignore[attr-defined]
        await asyncio.sleep(Timeouts().answer_s * 3)
        assert here.leg.commands == [model.AnswerTool("fc-1", "note", {"output": None}, "silent")]
        assert not call.troubles and len(here.legs) == 1
