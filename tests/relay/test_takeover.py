"""A session that comes from another relay, by the record and by what its client knows."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from protocol import media
from protocol.codec import encode
from relay.ports import LedgerUnavailable
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Visitor, house, session, voice
from tests.relay.test_rotation import one_turn


async def test_the_model_is_resumed_by_the_handle_that_the_other_relay_left() -> None:
    async with house(session(epoch=2, handle="left behind", next_turn=4)) as here:
        async with here.connect(here.book.ticket()) as wire:
            visitor = Visitor()
            live = await visitor.join(wire)
            assert (live.e, live.resumed, live.lost_turns) == (2, True, [])
        assert here.model.minted == ["left behind"]


async def test_turns_the_client_knows_and_the_record_does_not_are_named_lost() -> None:
    async with house(session(epoch=2, next_turn=4)) as here, here.connect(here.book.ticket()) as wire:
        await wire.send(encode(media.Hello([1], (1, 57), last_turn=5)))
        visitor = Visitor()
        visitor.wire = wire
        visitor.session.hello()
        live = await visitor.until(media.Live)
        assert isinstance(live, media.Live) and live.lost_turns == [4, 5]
        here.model.leg.say(model.Heard("again"), model.Audio(voice(960)))
        started = await visitor.until(media.TurnStarted)
        assert isinstance(started, media.TurnStarted) and started.turn == 6


@pytest.mark.looptime
async def test_one_handle_is_written_for_every_turn_and_it_holds_the_turn() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        for number in range(3):
            here.leg.say(model.HandleChanged(f"before {number}"))
            await one_turn(here, str(number))
            for late in range(5):
                here.leg.say(model.HandleChanged(f"late {late}"))
                await asyncio.sleep(1.2)
        book = here.book
        assert book.handles == ["before 0", "after 0", "after 1", "after 2"]  # type: ignore[attr-defined]


@pytest.mark.looptime
async def test_the_client_hears_of_a_turns_end_when_it_is_written() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        written, save = asyncio.Event(), here.book.save_turn

        async def slow_save(*facts: object) -> None:
            await asyncio.sleep(0.4)
            await save(*facts)  # type: ignore[arg-type]
            written.set()

        here.book.save_turn = slow_save  # type: ignore[method-assign]
        await one_turn(here)
        assert [e.role for e in listener.of(media.TurnEnded)] == ["user"]  # type: ignore[attr-defined]
        await written.wait()
        await asyncio.sleep(0)
        assert [e.role for e in listener.of(media.TurnEnded)] == ["user", "agent"]  # type: ignore[attr-defined]


@pytest.mark.looptime
async def test_a_turn_is_not_told_as_finished_while_the_store_is_down() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        book = here.book
        book.down = True  # type: ignore[attr-defined]
        await one_turn(here)
        await asyncio.sleep(60)
        assert [e.role for e in listener.of(media.TurnEnded)] == ["user"]  # type: ignore[attr-defined]
        assert book.turns == []  # type: ignore[attr-defined]
        book.down = False  # type: ignore[attr-defined]
        await asyncio.sleep(10)
        assert [turn.number for _, turn in book.turns] == [1]  # type: ignore[attr-defined]
        assert len(listener.of(media.TurnEnded)) == 2


BEFORE = [
    media.PastTurn(1, "Hello?", "Hi."),
    media.PastTurn(2, "And now?", "The first", interrupted=True),
]


async def test_a_page_that_was_reloaded_gets_the_turns_of_other_relays_and_then_this_ones() -> None:
    async with house(session(epoch=2, handle="left behind", next_turn=3)) as here:
        here.book.before = BEFORE
        async with here.connect(here.book.ticket()) as wire:
            visitor = Visitor()
            await visitor.join(wire)
            assert await visitor.until(media.History) == media.History(BEFORE, e=2)
            here.model.leg.say(model.Heard("third"), model.Audio(voice(960)), model.TurnCompleted(idle=True))
            await visitor.until(media.Metrics)
        async with here.connect(here.book.ticket()) as wire:
            reloaded = Visitor()
            await reloaded.join(wire)
            await reloaded.until(media.Metrics)
            history, *rest = reloaded.got[1:]
            assert history == media.History(BEFORE, e=2)
            words = [(each.turn, each.text) for each in rest if isinstance(each, media.Transcript)]
            assert words[0] == (3, "third") and {turn for turn, _ in words} == {3}


async def test_a_client_that_comes_from_another_relay_gets_the_turn_whose_end_it_may_have_missed() -> None:
    async with house(session(epoch=2, next_turn=3)) as here:
        here.book.before = BEFORE
        async with here.connect(here.book.ticket()) as wire:
            visitor = Visitor()
            visitor.session.after, visitor.session.last_turn = (1, 40), 2
            live = await visitor.join(wire)
            assert live.lost_turns == []
            assert await visitor.until(media.History) == media.History(BEFORE[1:], e=2)


async def test_a_store_that_cannot_say_what_was_said_keeps_nobody_from_going_on() -> None:
    async with house(session(epoch=2, next_turn=3)) as here:

        async def fail(session: str) -> list[media.PastTurn]:
            raise LedgerUnavailable

        here.book.past = fail  # type: ignore[method-assign]
        async with here.connect(here.book.ticket()) as wire:
            visitor = Visitor()
            await visitor.join(wire)
            here.model.leg.say(model.Heard("third"), model.Audio(voice(960)), model.TurnCompleted(idle=True))
            started = await visitor.until(media.TurnStarted)
            assert isinstance(started, media.TurnStarted) and started.turn == 3


async def test_a_model_without_a_way_back_is_told_what_was_said_on_other_relays() -> None:
    async with house(session(epoch=2, handle="of an expired context", next_turn=3)) as here:
        here.book.before = BEFORE
        here.model.refuse = ["upstream_invalid"]
        async with here.connect(here.book.ticket()) as wire:
            await Visitor().join(wire)
            assert here.model.minted == ["of an expired context", None]
            said = ("user", "Hello?"), ("agent", "Hi."), ("user", "And now?"), ("agent", "The first")
            assert here.model.leg.commands == [model.Recall(said)]
