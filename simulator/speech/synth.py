"""Synthetic speech for machines without espeak-ng: voiced syllables, not intelligible."""

import math
from array import array
from functools import lru_cache

from simulator.audio.pcm import SAMPLE_BYTES

FORMANTS = ((650.0, 1.0), (1_100.0, 0.6), (2_400.0, 0.25))  #: Hz and weight: an open vowel
PITCHES_HZ = (105, 118, 131, 96)
PEAK = 9_000.0
LETTER_S = 0.055  #: sound for each letter
LEVELS = 64  #: of loudness: a swell goes up and down in steps of a quarter of a decibel and less


def word(text: str, stretch: float, rate: int) -> bytes:
    """One word as s16le: a syllable for every three letters; `stretch` makes it longer.

    A step of loudness comes where a period begins, which is at zero: it makes no click. So a word is made of
    periods that were made before, and costs next to nothing.
    """
    syllables = max(1, round(len(text) / 3))
    length = round(rate * max(0.12, LETTER_S * len(text)) * stretch)
    pitch_hz = PITCHES_HZ[len(text) % len(PITCHES_HZ)]
    size = rate // pitch_hz
    swells = (
        math.sin(math.pi * ((at * syllables / length) % 1.0)) for at in range(size // 2, length + size, size)
    )
    levels = [round(LEVELS * (0.15 + 0.85 * swell)) for swell in swells]
    return b"".join(_spoken(pitch_hz, rate, level) for level in levels)[: SAMPLE_BYTES * length]


@lru_cache(maxsize=1024)
def _spoken(pitch_hz: int, rate: int, level: int) -> bytes:
    """One period as s16le, at so many parts of LEVELS."""
    return array("h", [round(value * level / LEVELS) for value in _period(pitch_hz, rate)]).tobytes()


@lru_cache(maxsize=32)
def _period(pitch_hz: int, rate: int) -> list[float]:
    """One period of a vowel: harmonics weighted by their distance to the formants."""
    size = rate // pitch_hz
    weights = [(h, _weight(h * pitch_hz)) for h in range(1, 3_500 // pitch_hz)]
    wave = [sum(w * math.sin(2 * math.pi * h * n / size) for h, w in weights) for n in range(size)]
    loudest = max(map(abs, wave))
    return [PEAK * value / loudest for value in wave]


def _weight(hz: float) -> float:
    return sum(gain / (1 + ((hz - centre) / 120.0) ** 2) for centre, gain in FORMANTS)
