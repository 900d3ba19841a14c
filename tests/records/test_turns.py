"""Turns and usage: fenced, complete, counted once."""

import pytest
from dynamo import NOW

from protocol.media import Tokens
from records import sessions, turns, usage
from records.table import Fenced
from records.turns import ToolUse, Turn


def test_turns_come_back_in_order_and_whole(table, open_session):
    open_session()
    tool = ToolUse("call-1", "look_up", {"deep": [1, {"": 2.5}]}, ok=True, took_ms=40)
    said = [
        Turn(1, "hello", "hi there, how are you", "hi there", 900, 1, 2, 2000, [tool]),
        Turn(2, "fine", "good"),
        Turn(10, "bye"),
    ]
    for turn in reversed(said):
        turns.put(table, "s1", 0, turn)
    assert turns.list_all(table, "s1") == said
    assert sessions.load(table, "s1").next_turn == 11


def test_a_turn_can_be_corrected(table, open_session):
    open_session()
    turns.put(table, "s1", 0, Turn(1, agent_text="all of it"))
    turns.put(table, "s1", 0, Turn(1, agent_text="all of it", heard="all"))
    assert [turn.heard for turn in turns.list_all(table, "s1")] == ["all"]


def test_a_fenced_relay_adds_no_turn(table, open_session):
    open_session()
    with pytest.raises(Fenced):
        turns.put(table, "s1", 1, Turn(1))
    assert turns.list_all(table, "s1") == []


def test_a_report_counts_once(table, open_session):
    open_session()
    tokens = Tokens(input_audio=250, output_audio=100, total=350)
    assert usage.add(table, "s1", "ada", 0, 1, tokens, 10.5, NOW)
    assert not usage.add(table, "s1", "ada", 0, 1, tokens, 10.5, NOW)
    assert usage.add(table, "s1", "ada", 0, 2, tokens, 4.5, NOW)
    assert usage.load(table, "s1") == usage.Usage(Tokens(input_audio=500, output_audio=200, total=700), 15.0)
    assert usage.seconds_today(table, "ada", NOW) == 15.0
    assert usage.seconds_today(table, "ada", NOW + usage.DAY_S) == 0.0
    assert usage.seconds_today(table, "grace", NOW) == 0.0


def test_a_fenced_relay_adds_no_usage(table, open_session):
    open_session()
    with pytest.raises(Fenced):
        usage.add(table, "s1", "ada", 3, 1, Tokens(total=1), 1.0, NOW)
    assert usage.seconds_today(table, "ada", NOW) == 0.0


def test_no_report_is_lost_between_sessions_of_one_user(table, open_session, race):
    for place in range(4):
        open_session(f"s{place}", limit=4)
    one = Tokens(total=1)
    race(lambda place: [usage.add(table, f"s{place}", "ada", 0, n, one, 1.0, NOW) for n in range(1, 6)], 4)
    assert usage.seconds_today(table, "ada", NOW) == 20.0
