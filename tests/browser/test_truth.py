"""The judge of what came out of the loudspeaker: its ruler is finer than its samples, and holes are found."""

from __future__ import annotations

import math
from array import array

import pytest

from simulator.audio import pcm
from tests.browser.drive import QUESTION, Sound
from tests.browser.truth import played_ms, share_heard

ANSWER = pcm.resample(pcm.trimmed(QUESTION, pcm.IN_HZ, 60, 0.0), pcm.IN_HZ, pcm.OUT_HZ)
TAPPED_HZ, LEAD_S = 48_000, 0.5
LEAD = pcm.silence(LEAD_S, TAPPED_HZ)
HEARD = pcm.resample(ANSWER, pcm.OUT_HZ, TAPPED_HZ)
BYTES_S = TAPPED_HZ * pcm.SAMPLE_BYTES


@pytest.mark.parametrize("late", range(12))
def test_an_answer_is_known_again_between_two_samples_of_the_comparison(late: int) -> None:
    sound = Sound(LEAD + bytes(pcm.SAMPLE_BYTES * late) + HEARD, TAPPED_HZ)
    assert share_heard(sound, ANSWER, LEAD_S) == 1.0


def test_what_did_not_come_out_is_missed() -> None:
    hole = slice(BYTES_S, 2 * BYTES_S)
    holed = HEARD[: hole.start] + bytes(BYTES_S) + HEARD[hole.stop :]
    assert share_heard(Sound(LEAD + holed, TAPPED_HZ), ANSWER, LEAD_S) < 0.8


@pytest.mark.parametrize("loudness", [50, 58, 59, 61, 62, 70])
def test_a_word_that_dies_away_before_a_pause_may_have_ended_anywhere_in_it(loudness: int) -> None:
    decay, pause_ms = math.log(loudness / 8_000) / 9_600, 200
    word = _tone(pitch=200, decay=decay, count=9_600)
    answer = word + pcm.silence(pause_ms / 1000, pcm.OUT_HZ) + _tone(pitch=330, decay=0.0, count=9_600)
    sound = Sound(pcm.resample(word, pcm.OUT_HZ, TAPPED_HZ) + LEAD, TAPPED_HZ)
    earliest, latest = played_ms(sound, answer)
    assert earliest <= 400 + 5
    assert latest >= 400 + pause_ms - 5


def _tone(pitch: float, decay: float, count: int) -> bytes:
    turn = 2 * math.pi * pitch / pcm.OUT_HZ
    return array(
        "h", [round(8_000 * math.exp(decay * n) * math.sin(turn * n)) for n in range(count)]
    ).tobytes()


def test_where_it_fell_silent_is_where_it_was_cut() -> None:
    cut_ms = 1_500
    sound = Sound(LEAD + HEARD[: BYTES_S * cut_ms // 1000] + LEAD, TAPPED_HZ)
    earliest, latest = played_ms(sound, ANSWER)
    assert earliest - 5 <= cut_ms <= latest + 5
