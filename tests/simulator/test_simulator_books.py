"""What the simulator keeps, and for how long: clock, ledger, handles, tokens, answers."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from simulator.clock import Clock
from simulator.conversation import answer
from simulator.conversation.replies import Returned
from simulator.conversation.turn import Turn
from simulator.ledger import Ledger, fingerprint
from simulator.session import context, tokens
from simulator.session.context import HandleBook, Memory
from simulator.session.tokens import TokenBook
from simulator.speech.speaker import Speech, Word
from simulator.speech.turn_detection import DetectionSettings, TurnDetector


async def test_virtual_time_runs_at_its_scale() -> None:
    loop, clock = asyncio.get_running_loop(), Clock(100)
    before = loop.time()
    await clock.sleep(5)
    assert clock.now() >= 5 and loop.time() - before < 5
    assert clock.real(50) == 0.5
    with pytest.raises(ValueError, match="above 0"):
        Clock(0)


async def test_a_wait_ends_with_its_event_or_its_time() -> None:
    clock, event = Clock(100), asyncio.Event()
    assert not await clock.wait(event, clock.now() + 1)
    clock.later(1, event.set)
    assert await clock.wait(event, clock.now() + 10_000)
    assert await clock.wait(event, 0)


async def test_the_ledger_is_read_by_kind_and_field_and_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(Clock(), path)
    for turn in (1, 2):
        ledger.note("turn.started", turn=turn)
    assert [line["turn"] for line in ledger.where("turn.started", turn=2)] == [2]
    assert (await ledger.wait_for("turn.started", count=2))["turn"] == 2
    with pytest.raises(TimeoutError):
        await ledger.wait_for("turn.ended", within_s=0.01)
    ledger.close()
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [1, 2]
    assert fingerprint("a") != fingerprint("b") and len(fingerprint("a")) == 8


async def test_the_oldest_handles_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "KEPT_HANDLES", 3)
    monkeypatch.setattr(context, "KEPT_IN_ALL", 4)
    book = HandleBook(Clock())
    one, two = (Memory(lineage, "m") for lineage in ("one", "two"))
    first = [book.issue(one, TurnDetector(DetectionSettings())) for _ in range(4)]
    assert [book.find(handle) is not None for handle in first] == [False, True, True, True]
    second = [book.issue(two, TurnDetector(DetectionSettings())) for _ in range(2)]
    assert book.find(first[1]) is None and all(book.find(handle) for handle in second)


async def test_a_handle_lasts_two_hours() -> None:
    clock = Clock(1_000_000)
    book = HandleBook(clock)
    handle = book.issue(Memory("one", "m"), TurnDetector(DetectionSettings()))
    assert book.find(handle)
    await clock.sleep(7_201)
    assert book.find(handle) is None


async def test_a_snapshot_does_not_change_with_the_session() -> None:
    book, memory = HandleBook(Clock()), Memory("one", "m")
    detector = TurnDetector(DetectionSettings())
    handle = book.issue(memory, detector)
    memory.entries.append(context.Entry("user", "later"))
    memory.used_rules.add(1)
    memory.billed["totalTokenCount"] = 7
    snapshot = book.find(handle)
    assert snapshot and not snapshot.memory.entries and not snapshot.memory.used_rules
    assert not snapshot.memory.billed


async def test_the_oldest_tokens_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "KEPT_TOKENS", 1)
    book = TokenBook(Clock())
    first, second = book.mint({}), book.mint({})
    assert book.admit(second.name) is second
    with pytest.raises(Exception, match="unregistered"):
        book.admit(first.name)


@pytest.mark.parametrize(
    ("response", "text"),
    [({"output": "sunny"}, "sunny"), ({"error": "none"}, "none"), ({"a": 1}, '{"a": 1}'), (None, "null")],
)
def test_a_tool_result_in_words(response: Any, text: str) -> None:
    assert Returned("tool", response).text == text


def test_an_answer_is_due_at_its_pace_and_in_order() -> None:
    words = Speech(bytes(48_000 * 2), "one two", (Word("one", 0.1, 0.5), Word("two", 0.9, 1.5)))
    built = answer.build(words, "composed", 4.0, 40, random.Random(1), "exact")
    sound = [due for due in built.timeline if isinstance(due.message, bytes)]
    assert sound[-1].audio_s == pytest.approx(built.duration_s)
    assert sound[-1].at_s == pytest.approx((built.duration_s - 0.04) / 4, abs=0.01)
    assert [due.at_s for due in built.timeline] == sorted(due.at_s for due in built.timeline)
    assert built.words[0].start_s == pytest.approx(0.1 + built.duration_s - 2.0)


def test_what_was_heard_of_a_turn_follows_the_clock() -> None:
    turn = Turn(1, "speech", 1)
    turn.sent(2.0, now=10.0)
    assert [turn.heard_s(now) for now in (10.0, 11.0, 30.0)] == [0.0, 1.0, 2.0]
    turn.sent(3.0, now=20.0)
    assert turn.plays_until == 21.0
