"""What of an answer came out of the loudspeaker, and where in it that stopped: from the sound itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import accumulate
from operator import mul
from statistics import fmean

from simulator.audio import pcm
from simulator.audio.similarity import centred
from tests.browser.drive import Sound

_RATE = 4_000  #: of the comparison
_OFFSETS = pcm.IN_HZ // _RATE  #: at which a sound is read: half a sample beside itself it is not the same
_NEEDLE_S = 0.2
_LOUD = 60
_AGAIN = 2 * _LOUD  #: the end of a word dies away around _LOUD, and is no beginning
_SEGMENT_S = 0.3
_BACK_S, _ON_S = 0.05, 0.25  #: how much earlier or later than the one before it a segment may come
_NEAR_S = 0.002  #: about as much, where the clock of the loudspeaker ran on between the two
_SAME = 0.9  #: correlation of what is the same sound
_ALIKE = 0.97  #: better is not looked for
_SPOKEN = 400.0  #: loudness of a segment that is worth looking for


class Hay:
    """Sound in which some is looked for. The energy of any stretch of it costs no work."""

    def __init__(self, samples: list[float]) -> None:
        self.samples = samples
        self._energy = list(accumulate(map(mul, samples, samples), initial=0.0))

    def best(self, needle: list[float], first_s: float, last_s: float) -> tuple[float, float]:
        """Correlation with `needle`, -1 to 1, where it is greatest between two times, and that time."""
        power, length = sum(map(mul, needle, needle)), len(needle)
        last = min(round(last_s * _RATE), len(self.samples) - length)
        best, found = 0.0, 0
        for at in range(max(0, round(first_s * _RATE)), last + 1):
            both = power * (self._energy[at + length] - self._energy[at])
            fit = sum(map(mul, needle, self.samples[at : at + length])) / math.sqrt(both) if both else 0.0
            if fit > best:
                best, found = fit, at
        return best, found / _RATE


def played_ms(sound: Sound, arrived: bytes) -> tuple[float, float]:
    """Earliest and latest position in `arrived` (24 kHz) at which `sound` can have ended.

    They differ where the answer itself was silent just then: nobody can hear when in a pause it ended.
    """
    heard, whole = next(_phases(sound.pcm, sound.rate)).samples, list(_phases(arrived, pcm.OUT_HZ))
    answer = whole[0].samples
    last = next(i for i in range(len(heard) - 1, -1, -1) if abs(heard[i]) > _LOUD)
    length = round(_NEEDLE_S * _RATE)
    fit, at_s = _find(centred(heard[last + 1 - length : last + 1]), whole, 0.0, len(answer) / _RATE)
    assert fit > _SAME, f"what was heard at the end is not in the answer (best fit {fit:.2f})"
    ended, end = round(at_s * _RATE) + length, len(answer)
    again = next((i for i in range(ended, end) if abs(answer[i]) > _AGAIN), end)
    return 1000 * ended / _RATE, 1000 * again / _RATE


def share_heard(sound: Sound, arrived: bytes, starts_s: float) -> float:
    """What share of the loud parts of `arrived` (24 kHz) came out, in order, from `starts_s` of `sound` on.

    Each is looked for where the last one says, and then around it: a busy machine stretches a pause, and is
    forgiven.
    """
    heard, whole = list(_phases(sound.pcm, sound.rate)), next(_phases(arrived, pcm.OUT_HZ)).samples
    length = round(_SEGMENT_S * _RATE)
    lag, missed, fits = starts_s, 0, []
    for at in range(0, len(whole) - length, length):
        segment = whole[at : at + length]
        if math.sqrt(fmean(sample * sample for sample in segment)) < _SPOKEN:
            continue
        needle, due = centred(segment), lag + at / _RATE
        fit, at_s = _find(needle, heard, due - _NEAR_S, due + _NEAR_S)
        if fit <= _ALIKE:
            fit, at_s = _find(needle, heard, due - _BACK_S, due + _ON_S * (1 + missed))
        if fit > _SAME:
            lag, missed = at_s - at / _RATE, 0
        else:
            missed += 1
        fits.append(fit)
    return sum(fit > _SAME for fit in fits) / len(fits)


def _find(needle: list[float], phases: list[Hay], first_s: float, last_s: float) -> tuple[float, float]:
    """How well it fits where it fits best, and where that is. It is enough to be well alike."""
    best = (0.0, first_s)
    for number, hay in enumerate(phases):
        fit, at_s = hay.best(needle, first_s, last_s)
        best = max(best, (fit, at_s + number / pcm.IN_HZ))
        if fit > _ALIKE:
            break
    return best


def _phases(sound: bytes, rate: int) -> Iterator[Hay]:
    """`sound` at _RATE, read at several offsets, by way of 16 kHz, so that all pass the same filter."""
    fine = pcm.resample(sound, rate, pcm.IN_HZ)
    for by in range(_OFFSETS):
        shifted = pcm.resample(fine[pcm.SAMPLE_BYTES * by :], pcm.IN_HZ, _RATE)
        yield Hay([float(sample) for sample in pcm.samples(shifted)])
