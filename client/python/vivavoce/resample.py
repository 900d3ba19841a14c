"""A polyphase resampler in plain Python: good enough for speech, fast enough for a file."""

from __future__ import annotations

import math
from array import array
from functools import lru_cache
from operator import mul

ZERO_CROSSINGS = 24  #: of the filter on either side; more is a steeper edge, and slower
KAISER_BETA = 8.0  #: stop band about 80 dB down
PASS_BAND = 0.92  #: share of the lower Nyquist frequency that stays as it is


def resample(samples: array[float], from_hz: int, to_hz: int) -> array[float]:
    """The same sound at another rate; length scales by to/from, rounded up.

    Windowed sinc, cut off below the lower of both Nyquist frequencies: tones above it vanish, not fold
    back as other tones, as they do under plain interpolation. A minute of audio takes about five seconds.
    """
    if from_hz == to_hz or not samples:
        return samples
    divisor = math.gcd(from_hz, to_hz)
    up, down = to_hz // divisor, from_hz // divisor
    cutoff = min(1.0, up / down) * PASS_BAND
    reach = math.ceil(ZERO_CROSSINGS / cutoff)
    padded = [0.0] * reach + samples.tolist() + [0.0] * (reach + 1)
    result = array("d")
    for index in range(-(-len(samples) * up // down)):
        start, phase = divmod(index * down, up)
        taps = _taps(phase, up, reach, cutoff)
        result.append(sum(map(mul, padded[start : start + len(taps)], taps)))
    return result


@lru_cache(maxsize=4096)
def _taps(phase: int, phases: int, reach: int, cutoff: float) -> list[float]:
    """Filter weights for an output sample that lies `phase / phases` after an input sample; they sum to 1."""
    offset = phase / phases
    taps = [_kernel(at - offset, reach, cutoff) for at in range(-reach, reach + 1)]
    total = sum(taps)
    return [tap / total for tap in taps]


def _kernel(at: float, reach: int, cutoff: float) -> float:
    """Sinc of the cut-off frequency under a Kaiser window of `reach` samples on either side."""
    if abs(at) >= reach:
        return 0.0
    angle = math.pi * cutoff * at
    sinc = math.sin(angle) / angle if angle else 1.0
    return sinc * _bessel(KAISER_BETA * math.sqrt(1 - (at / reach) ** 2))


def _bessel(x: float) -> float:
    """Modified Bessel function of the first kind, order 0, by its series."""
    total = term = 1.0
    for k in range(1, 40):
        term *= (x / (2 * k)) ** 2
        total += term
    return total
