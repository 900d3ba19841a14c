"""The store is down, slow or refuses: voices go on, and what could not be written is written later, once."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from gemini import messages as model
from protocol import media
from protocol.audio import AudioFrame
from protocol.codec import encode
from protocol.media import Tokens
from records import turns, usage
from records.table import Key, Table, Unavailable
from relay.aws.session_store import TableLedger
from relay.call.call import WRITE_S
from relay.call.turn_writer import WAITING_LIMIT, TurnWriter
from relay.model.port import UpstreamError
from relay.turn import ToolUse, Turn
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import CONFIG, FakeBook, Visitor, house, session
from tests.relay.test_rotation import SECOND, one_turn
from tests.relay.test_server import answer, until

OUTAGE_S = 60.0


@pytest.mark.looptime
async def test_an_outage_of_a_minute_in_mid_call_is_heard_by_nobody_and_costs_no_turn() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        book: Any = here.book
        await one_turn(here, "before")
        book.down = True
        for number in range(6):
            await one_turn(here, f"in the dark {number}")
            await asyncio.sleep(OUTAGE_S / 6)
        heard = b"".join(frame.pcm for frame in listener.of(AudioFrame))  # type: ignore[attr-defined]
        assert heard == 7 * SECOND.pcm
        assert [e.turn for e in listener.of(media.TurnAudioEnd)] == [*range(1, 8)]  # type: ignore[attr-defined]
        assert _told_finished(listener) == [turn.number for _, turn in book.turns] == [1]
        book.down = False
        await asyncio.sleep(6)
        assert _told_finished(listener) == [turn.number for _, turn in book.turns] == [*range(1, 8)]
        assert book.handles[-1] == "after in the dark 5"
        assert listener.of(media.Error) == [] and len(here.legs) == 1


def _told_finished(listener: Listener) -> list[int]:
    return [each.turn for each in listener.of(media.TurnEnded) if each.role == "agent"]  # type: ignore[attr-defined]


@pytest.mark.looptime
async def test_a_store_that_is_down_when_the_call_ends_gets_its_turns_and_the_end_when_it_is_back() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        book: Any = here.book
        book.down = True
        await one_turn(here)
        call.end("client")
        await asyncio.sleep(WRITE_S + 5)
        assert not call.is_written and book.turns == []
        later = asyncio.ensure_future(call.write_rest())
        await asyncio.sleep(30)
        book.down = False
        await later
        assert call.is_written and [turn.number for _, turn in book.turns] == [1]
        assert book.finished == {"s1": "client"}


async def test_a_relay_writes_what_an_ended_call_has_left_and_stays_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.call.call.WRITE_S", 0.05)
    monkeypatch.setattr("relay.call.turn_writer.RETRY_S", (0.05,))
    monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 0.02)
    async with house(config=replace(CONFIG, idle_s=0.05)) as here:
        here.task.is_wanted = True  # until its caller is there, on a machine as busy as it may be
        async with here.connect(here.book.ticket()) as wire:
            visitor = Visitor()
            await visitor.join(wire)
            here.task.is_wanted = False
            here.task.calls.clear()
            here.book.down = True
            here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
            await visitor.until(media.TurnAudioEnd)
            await wire.send(encode(media.EndCall()))
            assert await visitor.read_to_the_end() == 1000
        await until(lambda: not here.calls)
        beats = here.task.calls.count("heartbeat")
        await until(lambda: here.task.calls.count("heartbeat") > beats + 10)
        assert here.relay.registry.has_unwritten and "retire_if_idle" not in here.task.calls
        here.book.down = False
        await until(lambda: here.book.finished == {"s1": "client"})
        assert len(here.book.turns) == 1
        await until(lambda: "retire_if_idle" in here.task.calls)


async def test_a_relay_that_must_go_waits_for_the_store_a_while_and_says_what_is_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "relay.call.registry")
    monkeypatch.setattr("relay.call.call.WRITE_S", 0.05)
    monkeypatch.setattr("relay.task.service.FAREWELL_S", 0.2)
    async with house() as here:
        async with here.connect(here.book.ticket()) as wire:
            visitor = Visitor()
            await visitor.join(wire)
            here.book.down = True
            here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
            await visitor.until(media.TurnAudioEnd)
            await wire.send(encode(media.EndCall()))
            await visitor.read_to_the_end()
        await until(lambda: here.relay.registry.has_unwritten)
    (lost,) = [record for record in caplog.records if record.message == "not written"]
    expected = "the question, its turn, the time connected, and what was spent"
    assert (lost.session_id, lost.writes) == ("s1", 4), expected  # type: ignore[attr-defined]
    assert here.task.calls[-1] == "leave"


async def test_a_relay_that_must_go_does_not_wait_for_a_call_that_ends_after_its_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "relay.call.registry")
    monkeypatch.setattr("relay.call.call.WRITE_S", 0.5)
    monkeypatch.setattr("relay.task.service.FAREWELL_S", 0.1)
    async with (
        asyncio.timeout(10),
        house(config=replace(CONFIG, drain_s=0.1)) as here,
        here.connect(here.book.ticket()) as wire,
    ):
        await Visitor().join(wire)
        here.book.down = True
        here.calls["s1"].end("client")
        here.relay.leave()
        await until(lambda: here.task.calls[-1:] == ["leave"])
    assert [record.session_id for record in caplog.records if record.message == "not written"] == ["s1"]  # type: ignore[attr-defined]


async def test_a_store_that_hangs_does_not_keep_a_relay_from_going(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.task.service.STORE_NOTICE_S", 0.05)
    async with house() as here:

        async def hang() -> None:
            await asyncio.Event().wait()

        here.task.stopping = hang  # type: ignore[method-assign]
        here.task.leave = hang  # type: ignore[method-assign]


@pytest.mark.looptime
async def test_what_waits_for_the_store_is_bounded_and_of_handles_only_the_newest_waits() -> None:
    book = FakeBook(session())
    book.down = True
    turn_writer = TurnWriter(book, session(), 1)
    for number in range(WAITING_LIMIT * 2):
        turn_writer.note(Turn(number + 1, 0.0), lambda turn: None)
        turn_writer.note_handle(f"h{number}")
    assert turn_writer.waiting == WAITING_LIMIT and turn_writer.given_up >= WAITING_LIMIT
    book.down = False
    await turn_writer.flush()
    assert book.handles == [f"h{WAITING_LIMIT * 2 - 1}"]
    assert [turn.number for _, turn in book.turns][-1] == WAITING_LIMIT * 2


@pytest.mark.looptime
async def test_a_leg_that_is_lost_while_the_store_is_down_is_opened_when_it_is_back() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        mint = here.mint

        async def refused(handle: str | None, models: Sequence[str] = ()) -> model.Credential:
            raise UpstreamError("store_unavailable")

        here.mint = refused  # type: ignore[method-assign]
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(OUTAGE_S)
        here.mint = mint  # type: ignore[method-assign]
        await asyncio.sleep(10)
        (told,) = listener.of(media.Error)
        assert len(here.legs) == 2 and (told.code, told.fatal) == ("store_unavailable", False)  # type: ignore[attr-defined]


# ---- against the table itself

sys.path.append(str(Path(__file__).parent.parent / "records"))


class Unsure(Table):
    """Does the transaction, then says that it did not: its answer was lost. `unsure` counts how often."""

    unsure = 0

    def transact(self, *steps: Any) -> None:
        super().transact(*steps)
        if self.unsure:
            self.unsure -= 1
            raise Unavailable("transact_write_items")


@pytest.fixture
def table() -> Iterator[Unsure]:
    import dynamo

    with mock_aws():
        client = boto3.client("dynamodb", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
        dynamo.make_table(client, "store-trouble")
        made = Unsure(client, "store-trouble")
        made.put(Key("SES#s1"), {"epoch": 1, "state": "OPEN"})
        yield made


async def written(table: Unsure, note: Any, unsure: int) -> None:
    turn_writer = TurnWriter(TableLedger(table), session(), 1)
    note(turn_writer)
    table.unsure = unsure
    await turn_writer.flush()


@pytest.mark.parametrize("unsure", [0, 1, 2, 3])
async def test_a_turn_whose_writing_was_not_confirmed_is_counted_once(table: Unsure, unsure: int) -> None:
    turn = Turn(1, 0.0, 2.0, user_text="why", agent_text="because", tokens=Tokens(total=7))
    turn.tools.append(ToolUse("call-1", "weather", {"city": "Oslo"}, 0.0, True, 120))
    await written(table, lambda turn_writer: turn_writer.note(turn, lambda _: None), unsure)
    (kept,) = turns.list_all(table, "s1")
    assert (kept.user_text, kept.agent_text) == ("why", "because")
    assert kept.tools == [turns.ToolUse("call-1", "weather", {"city": "Oslo"}, True, 120)]
    assert usage.load(table, "s1").tokens.total == 7


async def test_a_turn_that_is_written_again_with_late_words_is_billed_once(table: Unsure) -> None:
    turn = Turn(1, 0.0, 2.0, agent_text="because", tokens=Tokens(total=7))
    await written(table, lambda turn_writer: turn_writer.note(turn, lambda _: None), 0)
    turn.agent_text += " I say so"
    await written(table, lambda turn_writer: turn_writer.amend(turn), 1)
    (kept,) = turns.list_all(table, "s1")
    assert kept.agent_text == "because I say so" and usage.load(table, "s1").tokens.total == 7


async def test_what_was_billed_after_the_last_turn_is_counted_once(table: Unsure) -> None:
    turn = Turn(4, 0.0, 2.0, tokens=Tokens(total=7))
    await written(table, lambda turn_writer: turn_writer.note(turn, lambda _: None), 0)
    await written(table, lambda turn_writer: turn_writer.note_tokens(4, Tokens(total=5)), 1)
    assert usage.load(table, "s1").tokens.total == 12


async def test_what_is_remembered_of_other_relays_is_what_was_heard(table: Unsure) -> None:
    ledger = TableLedger(table)
    for number in range(1, 4):
        await ledger.save_turn(session(), 1, Turn(number, 0.0, 2.0, user_text=f"q{number}", agent_text="all"))
    cut = Turn(4, 0.0, 2.0, agent_text="never heard", cut_at=1.0)
    await ledger.save_turn(session(), 1, cut)
    past = await ledger.past("s1")
    assert past[:1] == [media.PastTurn(1, "q1", "all", outcome="completed")] and len(past) == 4
    assert past[3] == media.PastTurn(4, "", "", interrupted=True, outcome="interrupted")


def test_only_the_newest_turns_are_remembered(table: Unsure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.aws.session_store.PAST_CHARS", 10)
    ledger = TableLedger(table)

    async def remember() -> list[media.PastTurn]:
        for number in range(1, 6):
            await ledger.save_turn(session(), 1, Turn(number, 0.0, 2.0, user_text="12345"))
        return await ledger.past("s1")

    assert [turn.turn for turn in asyncio.run(remember())] == [4, 5]
