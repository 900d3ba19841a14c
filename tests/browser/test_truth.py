"""The judge of what came out of the loudspeaker: its ruler is finer than its samples, and holes are found."""

from __future__ import annotations

import pytest

from simulator import pcm
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


def test_where_it_fell_silent_is_where_it_was_cut() -> None:
    cut_ms = 1_500
    sound = Sound(LEAD + HEARD[: BYTES_S * cut_ms // 1000] + LEAD, TAPPED_HZ)
    earliest, latest = played_ms(sound, ANSWER)
    assert earliest - 5 <= cut_ms <= latest + 5
