"""Turns and usage: fenced, complete, counted once."""

import pytest
from dynamo import NOW

from protocol.media import Tokens
from records import resumption, sessions, turns, usage
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


def test_the_last_turn_tells_which_messages_are_answered(table, open_session):
    open_session()
    assert sessions.load(table, "s1").message_n == 0
    for number, message_n in ((1, 0), (2, 3), (3, 3)):
        turns.put(table, "s1", 0, Turn(number, message_n=message_n))
    assert sessions.load(table, "s1").message_n == 3
    assert [turn.message_n for turn in turns.list_all(table, "s1")] == [0, 3, 3]


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
    assert usage.add(table, "s1", 0, 1, tokens, 10.5, NOW)
    assert not usage.add(table, "s1", 0, 1, tokens, 10.5, NOW)
    assert usage.add(table, "s1", 0, 2, tokens, 4.5, NOW)
    assert usage.load(table, "s1") == usage.Usage(Tokens(input_audio=500, output_audio=200, total=700), 15.0)


def test_a_fenced_relay_adds_no_usage(table, open_session):
    open_session()
    with pytest.raises(Fenced):
        usage.add(table, "s1", 3, 1, Tokens(total=1), 1.0, NOW)
    assert usage.load(table, "s1").tokens.total == 0


# ---- items have a limit of 400 KB


MOST = "a" * 410_000
LARGE = {
    "the user's words": Turn(1, MOST, "yes"),
    "the agent's words": Turn(1, "go on", MOST),
    "what was heard of them": Turn(1, "go on", "x" * 10, heard=MOST),
    "words of four bytes each": Turn(1, "🦜" * 150_000, "yes"),
    "tools": Turn(
        1, "go on", tools=[ToolUse(f"call-{n}", "tool", {"text": "b" * 3_900}) for n in range(3_000)]
    ),
    "one tool": Turn(1, "go on", tools=[ToolUse("call-1", MOST)]),
    "everything": Turn(1, MOST, MOST, MOST, tools=[ToolUse(f"call-{n}", "c" * 1_000) for n in range(3_000)]),
}


@pytest.mark.parametrize("turn", LARGE.values(), ids=LARGE)
def test_a_turn_larger_than_an_item_may_be_is_kept_truncated_and_says_so(table, open_session, turn):
    open_session()
    turns.put(table, "s1", 0, turn)
    (kept,) = turns.list_all(table, "s1")
    assert kept.truncated and kept.number == 1
    for whole, part in (
        (turn.user_text, kept.user_text),
        (turn.agent_text, kept.agent_text),
        (turn.heard or "", kept.heard or ""),
    ):
        assert whole.startswith(part) and len(part) >= min(len(whole), 20_000)
    assert turn.tools[: len(kept.tools)] == kept.tools


def test_a_turn_as_large_as_they_usually_get_is_kept_whole(table, open_session):
    open_session()
    tools = [ToolUse(f"call-{n}", "look_up", {"text": "b" * 4_000}) for n in range(10)]
    turn = Turn(1, "a" * 65_536, "ä" * 32_768, "ä" * 32_000, tools=tools)
    turns.put(table, "s1", 0, turn)
    assert turns.list_all(table, "s1") == [turn] and not turn.truncated


def test_half_of_a_character_is_not_kept_and_does_not_keep_the_rest_from_being(table, open_session):
    open_session()
    turns.put(table, "s1", 0, Turn(1, "before \ud83e after", "fine"))
    (kept,) = turns.list_all(table, "s1")
    assert (kept.user_text, kept.truncated) == ("before ? after", False)


def test_a_handle_too_large_to_keep_leaves_none_rather_than_an_old_one(table, open_session):
    open_session()
    assert resumption.save_handle(table, "s1", 0, "handle-1", NOW)
    assert sessions.load(table, "s1").handle == "handle-1"
    assert not resumption.save_handle(table, "s1", 0, "h" * 500_000, NOW)
    assert sessions.load(table, "s1").handle is None
    assert resumption.save_handle(table, "s1", 0, "handle-2", NOW)
    assert sessions.load(table, "s1").handle == "handle-2"
