"""Signals of the model that come in another order than one would like, twice, or never."""

from __future__ import annotations

import pytest

from gemini import messages as model
from protocol import media
from protocol.audio import DOWNLINK_HZ
from relay.call.speakers import GENERATED_S, SILENCE_S
from relay.turn import Turn
from tests.relay.test_conversation import Table

SECOND = b"\x10\x20" * DOWNLINK_HZ  #: of sound


def ask(table: Table, at: float, *, lasts_s: float = 1.0) -> None:
    """The user speaks, as we hear it."""
    table.talk.user_started(at)
    table.talk.user_stopped(at + lasts_s)
    table.read()


def record(table: Table) -> list[tuple[int, str, str]]:
    return [_brief(turn) for turn in table.talk.finished]


def _brief(turn: Turn) -> tuple[int, str, str]:
    return turn.number, turn.user_text, turn.agent_text


def first_turn(table: Table) -> None:
    """Asked from 0 to 1 s, answered from 1.5 to 2.5 s."""
    ask(table, 0.0)
    table.model(model.Heard("Question one?"), model.Audio(SECOND), model.Said("Answer one."), now=1.5)
    table.model(model.GenerationEnded(), now=1.6)
    table.model(model.TurnCompleted(idle=True), now=2.5)


def test_words_of_an_answer_come_before_its_sound_and_before_the_words_it_answers() -> None:
    table = Table()
    first_turn(table)
    ask(table, 4.0)
    table.model(model.Said("Answer two."), now=5.4)
    table.model(model.Audio(SECOND), model.Heard("Question two?"), now=5.5)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=6.5)
    assert record(table) == [(1, "Question one?", "Answer one."), (2, "Question two?", "Answer two.")]


def test_words_of_the_user_come_after_the_end_of_the_turn_that_answers_them() -> None:
    table = Table()
    for number, at in ((1, 0.0), (2, 10.0)):
        ask(table, at)
        table.model(model.Audio(SECOND), model.Said(f"Answer {number}."), now=at + 1.5)
        table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=at + 2.5)
        table.model(model.Heard(f"Question {number}?"), now=at + 6.0)
        assert table.talk.is_quiet
    assert record(table) == [(1, "Question 1?", "Answer 1."), (2, "Question 2?", "Answer 2.")]
    assert list(table.talk.amended) == list(table.talk.finished)


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_numbers_fill_the_sound_that_they_take_to_say(moment: str) -> None:
    """A transcript writes them in digits: what was said of the first turn is whole, without a full stop."""
    table = Table()
    for number, at in ((1, 0.0), (2, 2.8)):
        words = model.Heard(f"question {number}")
        ask(table, at, lasts_s=1.2)
        if moment == "before":
            table.model(words, now=at + 1.6)
        table.model(model.Said(f"Answer {number}."), model.Audio(SECOND[: len(SECOND) // 2]), now=at + 1.6)
        if moment == "during":
            table.model(words, now=at + 1.6)
        table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=at + 2.1)
        if moment == "after":
            table.model(words, now=at + 2.4)
    assert record(table) == [(1, "question 1", "Answer 1."), (2, "question 2", "Answer 2.")]


def test_words_of_the_user_come_when_he_speaks_again() -> None:
    table = Table()
    ask(table, 0.0)
    table.model(model.Audio(SECOND), model.Said("Answer one."), now=1.5)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=2.5)
    table.talk.user_started(4.0)
    table.model(model.Heard("Question one?"), now=4.5)
    assert record(table) == [(1, "Question one?", "Answer one.")]
    assert ("transcript", "user", 1, "Question one?", True, None) in table.events()


def test_late_words_of_the_agent_amend_their_turn_and_are_told() -> None:
    table = Table()
    ask(table, 0.0)
    table.model(model.Heard("Why?"), model.Audio(SECOND), model.Said("Because"), now=1.5)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=2.5)
    table.talk.user_started(3.0)
    table.model(model.Said(" it is."), now=4.0)
    (turn,) = table.talk.finished
    assert turn.agent_text == "Because it is." and list(table.talk.amended) == [turn]
    assert ("transcript", "agent", 1, " it is.", True, None) in table.events()


def barge_in(table: Table, *signs: model.ModelEvent) -> None:
    """An answer of four seconds is spoken over after one; half of its words have come."""
    ask(table, 0.0)
    sound = [model.Audio(SECOND)] * 4
    table.model(model.Heard("Tell me a story."), *sound, model.Said("Once upon a time there was"), now=1.5)
    table.talk.user_started(2.5)
    table.model(*signs, now=2.8)
    table.read()


def test_words_of_an_interrupted_answer_do_not_go_to_the_next_one_nor_those_to_it() -> None:
    table = Table()
    barge_in(table, model.Interrupted(), model.TurnCompleted(idle=True))
    table.model(model.Said(" a king who had a daughter"), now=3.5)
    table.talk.user_stopped(3.5)
    table.model(model.Said("A shorter one?"), now=4.4)
    table.model(model.Audio(SECOND), model.Heard("Stop, shorter!"), now=4.5)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=5.5)
    assert record(table) == [
        (1, "Tell me a story.", "Once upon a time there was a king who had a daughter"),
        (2, "Stop, shorter!", "A shorter one?"),
    ]


def test_what_was_heard_is_told_anew_when_words_of_an_interrupted_answer_come_late() -> None:
    table = Table()
    barge_in(table, model.Interrupted(), model.TurnCompleted(idle=True))
    table.says(media.Playback(1, "flushed", played_ms=2000), now=3.0)
    table.model(model.Said(" a king who had a daughter"), now=3.2)
    heard = [
        each.heard for each in table.got if isinstance(each, media.Transcript) and each.heard is not None
    ]
    assert heard == ["Once upon a", "Once upon a time there was"]
    assert table.talk.finished[0].heard_text() == heard[-1]


@pytest.mark.parametrize(
    "signs",
    [
        (model.Interrupted(),),
        (model.Interrupted(), model.Interrupted()),
        (model.Interrupted(), model.TurnCompleted(idle=True), model.TurnCompleted(idle=True)),
        (model.TurnCompleted(idle=True),),
        (),
    ],
    ids=["not completed", "interrupted twice", "completed twice", "not interrupted", "neither"],
)
def test_an_answer_that_was_spoken_over_and_answered_anew_was_interrupted(
    signs: tuple[model.ModelEvent, ...],
) -> None:
    table = Table()
    barge_in(table, *signs)
    table.talk.user_stopped(3.5)
    table.model(model.Audio(SECOND), model.Said("Yes?"), now=4.5)
    table.model(model.Interrupted(), now=4.6)  # once more
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=5.5)
    table.talk.handle_timeout(9.0)
    assert [(turn.number, turn.agent_text, turn.outcome) for turn in table.talk.finished] == [
        (1, "Once upon a time there was", "interrupted"),
        (2, "Yes?", "completed"),
    ]
    assert set(table.audio()) == {1, 2}


def complete_early(table: Table) -> None:
    """An answer of four seconds is complete, so the model says, after one and a half of them."""
    ask(table, 0.0)
    sound = [model.Audio(SECOND)] * 4
    table.model(model.Heard("Tell me a story."), *sound, model.Said("Once upon a time there was a"), now=1.5)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=3.0)
    assert table.talk.finished[0].outcome == "completed"


def test_an_answer_that_still_plays_is_cut_when_it_is_interrupted_after_its_end() -> None:
    table = Table()
    complete_early(table)
    table.talk.user_started(3.3)
    table.model(model.Interrupted(), model.Interrupted(), now=3.5)
    assert table.events().count(("interrupted", 1, "user")) == 1
    table.says(media.Playback(1, "flushed", played_ms=2000), now=3.7)
    heard = [each.heard for each in table.got if isinstance(each, media.Transcript) and each.heard]
    (turn,) = table.talk.finished
    assert heard[-1] == turn.heard_text() == "Once upon a time"
    assert turn.outcome == "interrupted" and list(table.talk.amended) == [turn]


def test_an_answer_that_has_played_is_not_cut_after_its_end() -> None:
    table = Table()
    complete_early(table)
    table.talk.user_started(6.0)
    table.model(model.Interrupted(), now=6.2)
    (turn,) = table.talk.finished
    assert turn.outcome == "completed" and not table.talk.amended


def test_an_answer_goes_on_when_the_user_only_nods() -> None:
    table = Table()
    ask(table, 0.0)
    table.model(model.Heard("Go on."), model.Audio(SECOND), now=1.5)
    table.talk.user_started(2.0)
    table.model(model.Audio(SECOND), now=2.2)
    table.talk.user_stopped(2.3)
    table.model(model.Audio(SECOND), now=2.45)
    assert set(table.audio()) == {1}


def test_a_reply_in_two_parts_is_one_turn() -> None:
    table = Table()
    ask(table, 0.0)
    table.model(model.Heard("What is it?"), model.Audio(SECOND), model.Said("Let me think."), now=1.5)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=False), now=2.5)
    table.model(model.Said(" It is forty-two."), model.Audio(SECOND), now=15.0)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=16.0)
    assert record(table) == [(1, "What is it?", "Let me think. It is forty-two.")]
    assert [event for event in table.events() if event[0] == "turn.started"] == [
        ("turn.started", "user", 1),
        ("turn.started", "agent", 1),
    ]


@pytest.mark.parametrize("splits", [True, False])
def test_all_audio_has_come_with_the_first_part_unless_the_model_splits_replies(splits: bool) -> None:
    table = Table()
    table.talk.expect(splits_replies=splits)
    ask(table, 0.0)
    table.model(model.Heard("Well?"), model.Audio(SECOND), model.GenerationEnded(), now=1.5)
    assert (("turn.audio_end", "agent", 1) in table.events()) is not splits
    table.model(model.TurnCompleted(idle=True), now=2.5)
    assert ("turn.audio_end", "agent", 1) in table.events()


@pytest.mark.parametrize(
    ("signs", "after_s"),
    [((model.GenerationEnded(),), GENERATED_S), ((), SILENCE_S)],
    ids=["generated", "nothing"],
)
def test_silence_ends_a_turn_that_the_model_does_not_end(
    signs: tuple[model.ModelEvent, ...], after_s: float
) -> None:
    table = Table()
    ask(table, 0.0)
    table.model(model.Heard("Well?"), model.Audio(SECOND), model.Said("Well."), *signs, now=1.5)
    due = table.talk.next_timeout()
    assert due == pytest.approx(2.5 + after_s)
    table.talk.handle_timeout(due)
    assert record(table) == [(1, "Well?", "Well.")] and table.talk.is_quiet


def test_turns_without_words_are_turns() -> None:
    table = Table()
    ask(table, 0.0)
    table.model(model.Audio(SECOND), model.GenerationEnded(), model.TurnCompleted(idle=True), now=2.0)
    assert record(table) == [(1, "", "")]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["He", "Hello", "Hello there", "Hello there."], "Hello there."),
        (["hello", "Hello, there"], "hello, there"),
        (["It is ", "ten.", "It is ", "ten."], "It is ten."),
        (["It is", " ten", " ten", "."], "It is ten."),
        (["It", "is", "ten", "o'clock.", "Anything", "else?"], "It is ten o'clock. Anything else?"),
        (["over", " the", " hill", " and", " the", " dale"], "over the hill and the dale"),
        (["It is 5", "5", "5", "."], "It is 555."),
        (["谢", "谢"], "谢谢"),
        (["Wha", "t is the ti", "me?"], "What is the time?"),
    ],
)
def test_pieces_are_joined_and_what_comes_again_is_left_out(pieces: list[str], text: str) -> None:
    table = Table()
    ask(table, 0.0)
    table.model(model.Audio(SECOND), model.Audio(SECOND), *map(model.Said, pieces), now=1.5)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=3.5)
    assert table.talk.finished[0].agent_text == text
    told = "".join(each.text for each in table.got if isinstance(each, media.Transcript))
    assert told == text


def test_a_question_that_gets_no_answer_is_given_up() -> None:
    table = Table()
    ask(table, 0.0)
    table.model(model.Heard("Anybody there?"), now=1.2)
    table.talk.give_up("empty", now=9.0)
    table.read()
    assert table.events()[-3:-1] == [("turn.ended", "user", 1), ("turn.ended", "agent", 1)]
    assert [turn.outcome for turn in table.talk.finished] == ["empty"] and table.talk.is_quiet
