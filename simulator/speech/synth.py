"""Synthetic speech for machines without espeak-ng: voiced syllables, not intelligible."""

import math
from array import array
from functools import lru_cache

FORMANTS = ((650.0, 1.0), (1_100.0, 0.6), (2_400.0, 0.25))  #: Hz and weight: an open vowel
PITCHES_HZ = (105, 118, 131, 96)
PEAK = 9_000.0
LETTER_S = 0.055  #: sound for each letter


def word(text: str, stretch: float, rate: int) -> bytes:
    """One word as s16le: a syllable for every three letters; `stretch` makes it longer."""
    syllables = max(1, round(len(text) / 3))
    length = round(rate * max(0.12, LETTER_S * len(text)) * stretch)
    period = _period(PITCHES_HZ[len(text) % len(PITCHES_HZ)], rate)
    out = array("h")
    for n in range(length):
        swell = math.sin(math.pi * ((n * syllables / length) % 1.0))
        out.append(round(period[n % len(period)] * (0.15 + 0.85 * swell)))
    return out.tobytes()


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
