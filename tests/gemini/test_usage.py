"""Google's reports of usage, in every shape that others saw or that its documentation leaves open."""

from __future__ import annotations

import pytest

from gemini import usage
from gemini.messages import TokensUsed
from gemini.usage import Reading, Reports
from protocol.media import Tokens


def report(heard: int, said: int, text: int = 100) -> Tokens:
    return Tokens(input_text=text, input_audio=heard, output_audio=said, total=text + heard + said)


def read(reports: Reports, spoken: int, habit: Reading = "last") -> tuple[Tokens, Reading]:
    return reports.read(spoken, habit)


def test_one_report_is_the_bill_of_its_turn() -> None:
    assert read(Reports(None, [report(50, 100)]), 100) == (report(50, 100), "last")
    assert read(Reports(report(20, 60), [report(150, 100)]), 100) == (report(150, 100), "last")


def test_snapshots_are_not_added_up() -> None:
    came = [report(50, 20), report(50, 60), report(50, 100)]
    assert read(Reports(None, came), 100) == (report(50, 100), "last")


def test_a_report_that_is_repeated_word_for_word_counts_once() -> None:
    assert read(Reports(None, [report(50, 100)] * 3), 100) == (report(50, 100), "last")


def test_parts_are_added_up() -> None:
    came = [report(50, 20), report(0, 40, 0), report(0, 40, 0)]
    assert read(Reports(None, came), 100) == (report(50, 100), "sum")


def test_a_count_that_goes_on_from_turn_to_turn_is_told_by_the_length_of_the_answer() -> None:
    first, second = report(50, 100), report(250, 180, 200)
    assert read(Reports(first, [second]), 80) == (report(200, 80), "total")


def test_an_answer_cut_short_is_no_sign_of_a_running_count() -> None:
    """What was generated is billed, and less of it was heard."""
    first, second = report(50, 100), report(250, 180, 200)
    assert read(Reports(first, [second]), 25) == (second, "last")
    assert read(Reports(first, [second]), 25, "total") == (report(200, 80), "total")


def test_a_turn_without_speech_is_read_as_the_turns_before() -> None:
    first, second = report(50, 100), report(150, 100, 200)
    assert read(Reports(first, [second]), 0) == (second, "last")
    assert read(Reports(first, [second]), 0, "total") == (report(100, 0), "total")


@pytest.mark.parametrize(
    ("told", "prompt", "response", "hears", "kinds", "is_guessed"),
    [
        (Tokens(input_text=10, input_audio=50, total=85), 85, 0, True, (10, 50, 0), False),  # 25 unsaid
        (Tokens(input_text=10, total=500), 400, 100, True, (10, 390, 100), True),
        (Tokens(input_text=10, total=110), 10, 100, True, (10, 0, 100), True),
        (Tokens(input_text=10, total=500), 500, 0, False, (10, 0, 0), False),
        (Tokens(input_text=10, input_audio=20, output_audio=5, total=35), 0, 0, True, (10, 20, 5), False),
    ],
)
def test_tokens_of_no_modality_are_given_to_the_one_that_is_left_out(
    told: Tokens, prompt: int, response: int, hears: bool, kinds: tuple[int, int, int], is_guessed: bool
) -> None:
    found, guessed = usage.attributed(TokensUsed(told, prompt, response), hears=hears)
    assert (found.input_text, found.input_audio, found.output_audio) == kinds
    assert guessed is is_guessed


def test_tokens_of_no_kind_are_what_the_total_has_besides() -> None:
    assert usage.unsaid(Tokens(input_text=10, input_audio=50, output_audio=5, thoughts=7, total=97)) == 25
    assert usage.unsaid(Tokens(input_text=10, total=5)) == 0
