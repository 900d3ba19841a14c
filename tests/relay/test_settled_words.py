"""Words that were placed by what was known when they came, looked at once more (relay/call/settlement.py)."""

from __future__ import annotations

import random

import pytest

from gemini import messages as model
from protocol import media
from protocol.audio import DOWNLINK_HZ
from relay.call.attribution import WordStream
from relay.call.part import Piece
from relay.call.seams import Seams
from relay.call.transcript import SETTLE_S
from relay.turn import Turn
from relay.words import Words
from tests.relay.test_conversation import Table
from tests.relay.test_late_words import ask, record

HALF = b"\x10\x20" * (DOWNLINK_HZ // 2)  #: a second's half of sound
ORDERS = ["before the answer", "while it plays", "after it"]


def exchange(table: Table, number: int, at: float, order: str) -> float:
    """A short question and answer, without a full stop in their words. Returns when the next may begin."""
    words, at = model.Heard(f"question {number}"), at + 1.6
    if order == ORDERS[0]:
        table.model(words, now=at)
    table.model(model.Said(f"answer {number}"), model.Audio(HALF), now=at)
    if order == ORDERS[1]:
        table.model(words, now=at + 0.1)
    table.model(model.GenerationEnded(), now=at + 0.1)
    table.model(model.TurnCompleted(idle=True), now=at + 0.5)
    if order == ORDERS[2]:
        table.model(words, now=at + 0.8)
    table.talk.handle_timeout(at + 1.2)
    return at + 1.2


@pytest.mark.parametrize(
    ("order", "is_heard"),
    [
        *((order, True) for order in ORDERS),
        *((order, False) for order in ORDERS[:2]),  # after it they might as well be the next question
    ],
)
def test_short_words_without_full_stops_are_in_their_turns(order: str, is_heard: bool) -> None:
    table, at = Table(), 0.0
    for number in (1, 2, 3):
        if is_heard:
            ask(table, at, lasts_s=1.2)
        at = exchange(table, number, at, order)
    table.talk.handle_timeout(at + SETTLE_S)
    assert record(table) == [(number, f"question {number}", f"answer {number}") for number in (1, 2, 3)]


def long_cut(table: Table) -> None:
    """An answer is cut within its sentence; the last piece of it and the first of the next come together."""
    ask(table, 0.0)
    table.model(model.Heard("Tell me a story."), *[model.Audio(HALF)] * 6, now=1.5)
    table.talk.user_started(3.0)
    table.model(model.Interrupted(), model.TurnCompleted(idle=True), now=3.2)
    for piece in ("Once", "upon", "a", "time", "there", "was", "a", "king"):
        table.model(model.Said(piece), now=3.4)
    table.talk.user_stopped(4.0)


def test_words_move_to_their_turn_in_the_record_and_at_the_client() -> None:
    table = Table()
    long_cut(table)
    for piece in ("who", "Sorry,", "shall", "I", "begin", "anew?"):
        table.model(model.Said(piece), now=4.9)
    table.model(*[model.Audio(HALF)] * 4, model.Heard("No, stop it."), now=5.0)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=7.1)
    table.talk.handle_timeout(12.0)
    table.read()
    shown: dict[str, str] = {}
    for event in table.got:
        if isinstance(event, media.Transcript):
            shown[event.message] = ("" if event.whole else shown.get(event.message, "")) + event.text
    assert record(table) == [
        (1, "Tell me a story.", "Once upon a time there was a king who"),
        (2, "No, stop it.", "Sorry, shall I begin anew?"),
    ]
    assert shown == {
        f"{role[0]}{n}": text
        for n, *texts in record(table)
        for role, text in zip(("user", "agent"), texts, strict=True)
    }


def test_a_turn_with_typed_words_keeps_what_it_has() -> None:
    table = Table()
    ask(table, 0.0, lasts_s=1.2)
    exchange(table, 1, 0.0, ORDERS[0])
    table.says(media.Text("typed 2"), now=3.0)
    table.model(model.Audio(HALF), model.Said("answer 2"), now=3.5)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=4.0)
    ask(table, 6.0, lasts_s=1.2)
    exchange(table, 3, 6.0, ORDERS[0])
    table.talk.close(20.0)
    assert [user for _, user, _ in record(table)] == ["question 1", "typed 2", "question 3"]


def test_words_that_are_still_to_come_are_waited_for() -> None:
    table = Table()
    for number, at in ((1, 0.0), (2, 8.0), (3, 16.0)):
        ask(table, at, lasts_s=2.4)
        table.model(model.Audio(HALF), model.Said(f"Answer {number}."), now=at + 3.0)
        table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=at + 3.5)
        table.model(model.Heard(f"This is question {number}. "), now=at + 6.0)
        table.talk.handle_timeout(at + 6.5)
    ask(table, 24.0, lasts_s=2.4)
    table.talk.handle_timeout(27.0)  # what was said last has no words yet
    assert [user for _, user, _ in record(table)] == [f"This is question {number}. " for number in (1, 2, 3)]
    assert not any(event.whole for event in table.got if isinstance(event, media.Transcript))


def test_the_same_answer_to_three_questions_is_said_three_times() -> None:
    table = Table()
    for at in (0.0, 8.0, 16.0):
        ask(table, at, lasts_s=0.8)
        table.model(model.Audio(HALF), model.Heard("Yes."), model.Said("I see."), now=at + 1.5)
        table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=at + 2.0)
        table.talk.handle_timeout(at + 5.0)
    assert record(table) == [(number, "Yes.", "I see.") for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("sound_s", "text"),
    [(4, "Hold the line, please. Hold the line, please."), (2, "Hold the line, please.")],
    ids=["said twice", "sent twice"],
)
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "in pieces"])
def test_a_sentence_that_comes_twice_was_said_twice_when_it_sounds_so_long(
    sound_s: int, text: str, is_whole: bool
) -> None:
    table = Table()
    ask(table, 0.0)
    sentence = ["Hold the line, please. "] if is_whole else ["Hold ", "the ", "line, ", "please. "]
    table.model(*[model.Audio(HALF)] * (2 * sound_s), *map(model.Said, sentence * 2), now=1.5)
    table.model(model.GenerationEnded(), now=1.6)
    table.model(model.TurnCompleted(idle=True), now=1.5 + sound_s)
    table.talk.handle_timeout(8.0)
    (turn,) = table.talk.finished
    assert turn.agent_text.strip() == text


def answered(
    table: Table, at: float, sound_s: float, told: list[tuple[float, str]], *, cut_at: float | None = None
) -> None:
    """Asked for a second from `at` on, answered from `at` + 1.5 on; `told` are its words, and when."""
    ask(table, at)
    sounds_at = at + 1.5
    ends_at = sounds_at + sound_s if cut_at is None else cut_at
    events: list[tuple[float, model.ModelEvent]] = [(when, model.Said(text)) for when, text in told]
    step_s = (ends_at - sounds_at) / (2 * sound_s)
    events += [(sounds_at + n * step_s, model.Audio(HALF)) for n in range(round(2 * sound_s))]
    if cut_at is None:
        events.append((ends_at, model.TurnCompleted(idle=True)))
    for when, event in sorted(events, key=lambda each: each[0]):
        table.talk.handle_timeout(when)
        table.model(event, now=when)


def test_an_answer_that_begins_with_all_words_of_the_one_before_is_another_one() -> None:
    """A transcript comes whole, twice, ahead of its sound: the longer one looks like its next snapshot."""
    table = Table()
    first, second = "Every garden reaches", "Every garden reaches behind Geneva without a warning."
    answered(table, 0.0, 2.0, [(1.2, "That is all."), (1.9, "That is all.")])
    answered(table, 6.0, 1.5, [(7.2, first), (7.8, first)], cut_at=9.0)
    table.talk.user_started(8.8)
    table.model(model.Interrupted(), now=9.0)
    table.talk.user_stopped(10.2)
    answered(table, 10.2, 4.0, [(11.3, second), (12.2, second)])
    table.talk.close(30.0)
    assert [agent for *_, agent in record(table)] == ["That is all.", first, second]


def test_where_turns_meet_no_space_is_missing() -> None:
    """Pieces cut anywhere, placed in the answer before theirs: moved, they tell nothing of its spaces."""
    stream, spoken = WordStream(runs_ahead=True), []
    for number, sound_s in enumerate((3.0, 2.0, 2.0), 1):
        spoken.append(stream.part_of(Turn(number, 10.0 * number), Words()))
        spoken[-1].sound(sound_s, 10.0 * number)
        spoken[-1].end(10.0 * number + sound_s)
    for at, placed, piece in (
        (10.5, 0, "All trains go to the ri"),
        (10.6, 0, "ver. Some go beh"),
        (10.7, 0, "ind"),
        (20.1, 0, "E"),  # of the second
        (20.2, 1, "very ticket is valid again."),
        (30.1, 1, "M"),  # of the third
        (30.2, 2, "ountains are behind them."),
    ):
        stream.take(spoken[placed], piece, at)
    told = {turn.number: str(words) for turn, words in stream.settle(40.0)}
    assert told == {
        1: "All trains go to the river. Some go behind",
        2: "Every ticket is valid again.",
        3: "Mountains are behind them.",
    }


def in_words(text: str, began_at: float, lasts_s: float, chance: random.Random) -> list[tuple[float, str]]:
    """One by one, without spaces; some of them come twice."""
    words = text.split()
    told = [(began_at + lasts_s * n / len(words), word) for n, word in enumerate(words)]
    return sorted([*told, *((at + 0.05, word) for at, word in told if chance.random() < 0.4)])


@pytest.mark.parametrize("seed", range(1, 13))
def test_answers_that_are_not_transcribed_take_no_words_from_others(seed: int) -> None:
    """Two in a row, between one of three sentences and one whose words run ahead of its sound."""
    chance, table = random.Random(seed), Table()
    first = "My train leaves the river here. This museum opens at noon. Another one closes then."
    last = "This harbour is very slow."
    sound_s = chance.uniform(5.0, 7.0)
    answered(table, 0.0, sound_s, in_words(first, 1.4, sound_s * 0.6, chance))
    answered(table, 12.0, chance.uniform(2.0, 5.0), [])
    answered(table, 20.0, chance.uniform(2.0, 6.0), [])
    answered(table, 28.0, chance.uniform(1.5, 2.3), in_words(last, 29.3, 1.0, chance))
    table.talk.close(60.0)
    assert [agent for *_, agent in record(table)] == [first, "", "", last]


def test_a_sentence_that_has_ended_and_is_said_longer_is_rather_another_one_than_a_snapshot() -> None:
    """Unless the transcript comes in snapshots."""
    sentences = ["Where is it?", "Why does the train leave?", "Why does the train leave Geneva?"]
    snapshots = ["Why does", "Why does the train leave?", "Why does the train leave Geneva?"]
    against = [
        Seams([Piece(text, 5.0 * n) for n, text in enumerate(told)]).begin[2]
        for told in (sentences, snapshots)
    ]
    assert against[0] < against[1]


def test_late_words_of_a_turn_that_was_heard_begin_no_other_one() -> None:
    """Snapshots of the first question were taken for those of the second: that is not a third one."""
    table = Table()
    ask(table, 1.0, lasts_s=2.2)
    table.model(model.Audio(HALF), now=4.2)
    table.talk.user_started(5.3)
    table.model(model.Interrupted(), model.TurnCompleted(idle=True), now=5.5)
    table.model(model.Heard("When"), now=5.8)
    table.talk.user_stopped(7.3)
    table.talk.handle_timeout(7.9)
    table.model(model.Audio(HALF), model.Audio(HALF), now=8.1)
    table.model(model.Heard("When is"), model.Heard("When is the train?"), now=8.9)
    table.model(model.Heard("Where"), model.Heard("Where is Bern?"), model.Audio(HALF), now=9.2)
    table.talk.handle_timeout(13.0)
    table.model(model.TurnCompleted(idle=True), now=13.5)
    assert record(table) == [(1, "When is the train?", ""), (2, "Where is Bern?", "")]


def test_no_words_of_another_leg_move_to_an_answer_that_broke_off_without_any() -> None:
    """All words had moved back by one turn, to the one whose words were lost with its leg."""
    table = Table()
    table.says(media.Text("q1"), now=0.0)
    table.model(*[model.Audio(HALF)] * 4, now=0.1)
    table.talk.leg_lost("lost", 1.6)
    table.talk.handle_timeout(2.4)
    ask(table, 2.6, lasts_s=3.8)
    table.model(model.Heard("[speech 3.8 s]"), now=7.0)
    table.model(*[model.Audio(HALF)] * 9, model.Said("[speech 3.8 s]"), now=7.1)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=7.6)
    for number, at in ((3, 8.2), (4, 9.9)):
        table.says(media.Text(f"q{number}"), now=at)
        table.model(model.Audio(HALF), now=at + 0.09)
        for piece in ("You", " wr", "ote:", " ask", f"95x{number}"):
            table.model(*[model.Audio(HALF)] * (piece != "You"), model.Said(piece), now=at + 0.1)
        table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=at + 0.4)
        table.talk.handle_timeout(at + 1.5)
    table.talk.handle_timeout(9.9 + 0.1 + SETTLE_S)
    assert [agent for _, _, agent in record(table)] == [
        *("", "[speech 3.8 s]", "You wrote: ask95x3", "You wrote: ask95x4"),
    ]


@pytest.mark.parametrize("speed", [1.0, 8.0])
def test_a_capital_right_behind_a_word_begins_the_next_turn_at_once(speed: float) -> None:
    """Few words for a long sound, and no full stop; others come with spaces, so one is missing here.

    `speed`: of the model, against the time in which its sound plays.
    """
    table = Table()
    ask(table, 0.0, lasts_s=0.1)
    said = [model.Said(piece) for piece in ("You", " wr", "ote:", " one")]
    table.model(*[model.Audio(HALF)] * 2, *said, now=0.2)
    table.model(model.Interrupted(), now=0.3)
    ask(table, 3.0, lasts_s=3.4)
    for n, piece in enumerate(["[sp", "eech", " 3.4", " s]"]):
        table.model(*[model.Audio(HALF)] * 2, model.Said(piece), now=6.6 + n / speed)
    ended_at = 6.6 + 4 / speed
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=ended_at)
    ask(table, ended_at + 1.5, lasts_s=0.1)
    told = [model.Said(piece) for piece in ("You", " wr", "ote:", " two")]
    table.model(model.Audio(HALF), *told, now=ended_at + 1.8)
    assert [agent for *_, agent in record(table)] == ["You wrote: one", "[speech 3.4 s]"]
    table.model(model.Audio(HALF), model.GenerationEnded(), model.TurnCompleted(idle=True), now=ended_at + 2)
    table.talk.close(30.0)
    assert [agent for *_, agent in record(table)][2:] == ["You wrote: two"]
