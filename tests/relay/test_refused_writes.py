"""A write that the store will never take is given up, told of and counted; those behind it are written."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from gemini import messages as model
from protocol import media
from protocol.codec import encode
from protocol.media import Tokens
from records import turns, usage
from records.table import Key, Table
from relay.aws.session_store import TableLedger
from relay.call.turn_writer import TurnWriter
from relay.metrics import Meter
from relay.ports import LedgerUnavailable
from relay.turn import ToolUse, Turn
from tests.relay.fakes import CONFIG, FakeBook, Visitor, house, session
from tests.relay.test_server import answer, until

sys.path.append(str(Path(__file__).parent.parent / "records"))


class Client:
    """DynamoDB's client, which answers every write that has `poison` in it with an error."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.meta = client.meta
        self.poison, self.code = "", ""
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            if self.poison and self.poison in json.dumps(request):
                self.asked += 1
                raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, name)
            return getattr(self._client, name)(**request)

        return call


@pytest.fixture
def client() -> Iterator[Client]:
    import dynamo

    with mock_aws():
        made = boto3.client("dynamodb", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
        dynamo.make_table(made, "refused")
        yield Client(made)


@pytest.fixture
def table(client: Client) -> Table:
    made = Table(client, "refused", pause=lambda _: None)
    made.put(Key("SES#s1"), {"epoch": 1, "state": "OPEN", "user": "u1"})
    return made


def plain(number: int) -> Turn:
    return Turn(number, 0.0, 2.0, user_text=f"q{number}", agent_text="a", tokens=Tokens(total=7))


async def flushed(turn_writer: TurnWriter) -> None:
    async with asyncio.timeout(8):
        await turn_writer.flush()


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
async def test_a_turn_that_is_refused_for_good_does_not_keep_the_later_ones(
    client: Client, table: Table, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    client.poison, client.code = "TURN#00000002", code
    told: list[int] = []
    troubles: Counter[str] = Counter()
    turn_writer = TurnWriter(TableLedger(table), session(), 1, troubles)
    for number in (1, 2, 3):
        turn_writer.note(plain(number), lambda turn: told.append(turn.number))
    turn_writer.note_handle("handle-3")
    await flushed(turn_writer)
    assert [turn.number for turn in turns.list_all(table, "s1")] == [1, 3]
    assert told == [1, 2, 3], "each turn is over for the client, in its order"
    assert usage.load(table, "s1").tokens.total == 21, "what was billed is counted all the same"
    assert (table.get(Key("SES#s1")) or {})["handle"] == "handle-3"
    assert client.asked == 1 and turn_writer.waiting == 0 and troubles == {"write_refused": 1}
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert error.message == "write given up"


async def test_late_words_that_are_refused_for_good_do_not_keep_later_turns(
    client: Client, table: Table
) -> None:
    turn_writer = TurnWriter(TableLedger(table), session(), 1)
    turn_writer.note(plain(1), lambda _: None)
    await flushed(turn_writer)
    client.poison, client.code = "TURN#00000001", "ValidationException"
    turn_writer.amend(plain(1))
    turn_writer.note(plain(2), lambda _: None)
    await flushed(turn_writer)
    assert [turn.number for turn in turns.list_all(table, "s1")] == [1, 2]
    assert usage.load(table, "s1").tokens.total == 14


async def test_an_end_that_is_refused_for_good_is_not_tried_for_ever(client: Client, table: Table) -> None:
    client.poison, client.code = "reason", "AccessDeniedException"
    async with asyncio.timeout(5):
        await TurnWriter(TableLedger(table), session(), 1).finish("client")


@pytest.mark.looptime
async def test_one_write_is_tried_for_ten_minutes_and_the_later_ones_are_written_then() -> None:
    class Stubborn(FakeBook):
        tries = 0

        async def save_turn(self, session: Any, epoch: int, turn: Turn) -> None:
            if turn.number == 1:
                self.tries += 1
                raise LedgerUnavailable
            await super().save_turn(session, epoch, turn)

    book, told = Stubborn(session()), list[int]()
    troubles: Counter[str] = Counter()
    turn_writer = TurnWriter(book, session(), 1, troubles)
    for number in (1, 2):
        turn_writer.note(plain(number), lambda turn: told.append(turn.number))
    began_at = asyncio.get_running_loop().time()
    async with asyncio.timeout(3_600):
        await turn_writer.flush()
    assert 590 < asyncio.get_running_loop().time() - began_at < 610 and book.tries > 50
    assert [turn.number for _, turn in book.turns] == [2] and told == [1, 2]
    assert book.owed == [(1, Tokens(total=7))] and troubles == {"write_given_up": 1}


async def test_a_turn_too_large_for_an_item_is_kept_truncated_logged_and_counted(
    table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ledger = TableLedger(table, meter=Meter("viva"))
    turn_writer = TurnWriter(ledger, session(), 1)
    large = replace(plain(1), user_text="y" * 448_000)
    turn_writer.note(large, lambda _: None)
    turn_writer.note(plain(2), lambda _: None)
    turn_writer.amend(large)
    await flushed(turn_writer)
    kept = turns.list_all(table, "s1")
    assert [(turn.number, turn.truncated) for turn in kept] == [(1, True), (2, False)]
    assert usage.load(table, "s1").tokens.total == 14
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "turn truncated"
    ] * 2
    assert [record for record in caplog.records if getattr(record, "watchdog_turn_truncated", 0)]


async def test_a_turn_with_thousands_of_tools_keeps_the_first_of_them(table: Table) -> None:
    large = plain(1)
    large.tools = [ToolUse(f"call-{n}", "tool", {"text": "b" * 3_900}, 0.0, True, 1) for n in range(3_000)]
    turn_writer = TurnWriter(TableLedger(table), session(), 1)
    turn_writer.note(large, lambda _: None)
    await flushed(turn_writer)
    (kept,) = turns.list_all(table, "s1")
    assert kept.truncated and [use.call_id for use in kept.tools][:2] == ["call-0", "call-1"]


async def test_a_handle_too_large_to_keep_is_counted_and_keeps_nothing_waiting(
    table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    turn_writer = TurnWriter(TableLedger(table), session(), 1)
    turn_writer.note_handle("h" * 500_000)
    turn_writer.note(plain(1), lambda _: None)
    await flushed(turn_writer)
    assert [turn.number for turn in turns.list_all(table, "s1")] == [1]
    assert "handle" not in (table.get(Key("SES#s1")) or {})
    assert [record.message for record in caplog.records] == ["handle not kept"]


async def test_a_client_that_comes_back_sees_that_there_was_more(table: Table) -> None:
    ledger = TableLedger(table)
    await ledger.save_turn(session(), 1, plain(1))
    await ledger.save_turn(session(), 1, replace(plain(2), user_text="y" * 448_000, agent_text="z" * 448_000))
    first, second = await ledger.past("s1")
    assert first == media.PastTurn(1, "q1", "a", outcome="completed")
    assert second.truncated and second.user.startswith("yyy") and second.agent.startswith("zzz")
    assert len(second.user) + len(second.agent) <= 100_000, "within one message, with others"


async def test_writes_that_the_store_never_takes_do_not_keep_a_relay_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "relay.task.service")
    monkeypatch.setattr("relay.call.call.WRITE_S", 0.05)
    monkeypatch.setattr("relay.call.turn_writer.RETRY_S", (0.05,))
    monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 0.02)
    monkeypatch.setattr("relay.call.registry.UNWRITTEN_S", 0.3, raising=False)
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
        await until(lambda: "retire_if_idle" in here.task.calls)
    (lost,) = [record for record in caplog.records if record.message == "not written"]
    expected = "the question, its turn, the time connected, and what was spent"
    assert (lost.session_id, lost.writes) == ("s1", 4), expected  # type: ignore[attr-defined]


async def test_words_that_were_left_out_when_they_came_are_marked_logged_and_counted(
    table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    spoken = plain(1)
    for _ in range(56):
        spoken.user_words.add("y" * 8_000)
    turn_writer = TurnWriter(TableLedger(table, meter=Meter("viva")), session(), 1)
    turn_writer.note(spoken, lambda _: None)
    turn_writer.note(plain(2), lambda _: None)
    await flushed(turn_writer)
    assert [turn.truncated for turn in turns.list_all(table, "s1")] == [True, False]
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "turn truncated"
    ]
    assert [record for record in caplog.records if getattr(record, "watchdog_turn_truncated", 0)]
