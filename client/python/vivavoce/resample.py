"""A polyphase resampler in plain Python: good enough for speech, fast enough for a microphone."""

from __future__ import annotations

import math
from array import array
from functools import lru_cache
from operator import mul

ZERO_CROSSINGS = 24  #: of the filter on either side; more is a steeper edge, and slower
KAISER_BETA = 8.0  #: stop band about 80 dB down
PASS_BAND = 0.92  #: share of the lower Nyquist frequency that stays as it is


def resample(samples: array[float], from_hz: int, to_hz: int) -> array[float]:
    """The same sound at another rate; length scales by to/from, rounded up."""
    resampler = Resampler(from_hz, to_hz)
    return resampler.feed(samples) + resampler.flush()


class Resampler:
    """The same sound at another rate, piece by piece: the pieces together are what one piece would be.

    Windowed sinc, cut off below the lower of both Nyquist frequencies: tones above it vanish, not fold
    back as other tones, as they do under plain interpolation. A minute of audio takes about five seconds.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        divisor = math.gcd(from_hz, to_hz)
        self._up, self._down = to_hz // divisor, from_hz // divisor
        self._cutoff = min(1.0, self._up / self._down) * PASS_BAND
        self._reach = math.ceil(ZERO_CROSSINGS / self._cutoff)
        self._kept = [0.0] * self._reach  #: input that the next output may need; silence before the first
        self._kept_from = 0  #: position of the first of `_kept`
        self._given = 0  #: input samples so far
        self._made = 0  #: output samples so far

    def feed(self, samples: array[float]) -> array[float]:
        """What can be told of the output with these samples of input."""
        self._given += len(samples)
        if self._up == self._down:
            return samples
        self._kept += samples
        return self._make(-(-self._given * self._up // self._down))

    def flush(self) -> array[float]:
        """The rest, with silence after the last sample."""
        if self._up == self._down:
            return array("d")
        self._kept += [0.0] * (self._reach + 1)
        return self._make(-(-self._given * self._up // self._down))

    def _make(self, most: int) -> array[float]:
        """Output up to sample `most`, as far as its input is there."""
        made, width = array("d"), 2 * self._reach + 1
        for index in range(self._made, most):
            start, phase = divmod(index * self._down, self._up)
            at = start - self._kept_from
            if at + width > len(self._kept):
                break
            taps = _taps(phase, self._up, self._reach, self._cutoff)
            made.append(sum(map(mul, self._kept[at : at + width], taps)))
        self._made += len(made)
        done = self._made * self._down // self._up - self._kept_from
        del self._kept[:done]
        self._kept_from += done
        return made


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
