"""Similarity of two sounds: proves that an answer holds the user's own words."""

import math
from operator import mul

from simulator.audio import pcm as audio

_FRAME_S = 0.01  #: envelope step of the coarse search
_FINE_HZ = 4_000  #: rate of the fine comparison; speech has most of its energy below 2 kHz
_NEAR_S = 0.02  #: how far around the coarse position the fine search looks
_EDGE = 0.04  #: share of the loudest frame below which its ends are silence
_SHORTEST_S = 0.1  #: nothing shorter than this is compared


def similarity(said: bytes, heard: bytes, said_hz: int = audio.IN_HZ, heard_hz: int = audio.OUT_HZ) -> float:
    """0 (nothing in common) to 1 (the same wave) for s16le mono sounds of any rates.

    The shorter is searched for within the longer, so an echo is found
    behind its tone code and a cut-off echo is found in the whole utterance.
    Loudness does not matter, nor does silence at the ends. Costs about 50 ms for four seconds of speech.
    """
    left, right = _lowered(said, said_hz), _lowered(heard, heard_hz)
    ends = _without_ends(left), _without_ends(right)
    # The longer keeps its quiet ends: behind something louder they hold the end of what is searched for.
    if len(ends[0]) <= len(ends[1]):
        short, long, source, rate = centred(ends[0]), centred(right), heard, heard_hz
    else:
        short, long, source, rate = centred(ends[1]), centred(left), said, said_hz
    if len(short) < _SHORTEST_S * _FINE_HZ:
        return 0.0
    near = round(_NEAR_S * _FINE_HZ)
    best, fit = _fine(short, long, _coarse(short, long), near)
    for shift in range(1, rate // _FINE_HZ):  # it may begin between two samples of the fine comparison
        first = max(0, best - near) * rate // _FINE_HZ + shift
        last = first + (len(short) + 2 * near) * rate // _FINE_HZ
        part = centred(_lowered(source[audio.SAMPLE_BYTES * first : audio.SAMPLE_BYTES * last], rate))
        fit = max(fit, _fine(short, part, best - max(0, best - near), 2)[1])
    return max(0.0, fit)


def _fine(short: list[float], long: list[float], middle: int, near: int) -> tuple[int, float]:
    """Where in `long` near `middle` the wave of `short` correlates best, and how well."""
    starts = range(max(0, middle - near), min(len(long) - len(short), middle + near) + 1)
    fits = ((at, correlation(short, long[at : at + len(short)])) for at in starts)
    return max(fits, key=lambda found: found[1], default=(middle, 0.0))


def correlation(left: list[float], right: list[float]) -> float:
    """Normalised correlation, -1 to 1, of two rows of equal length."""
    power = sum(map(mul, left, left)) * sum(map(mul, right, right))
    return sum(map(mul, left, right)) / math.sqrt(power) if power else 0.0


def centred(row: list[float]) -> list[float]:
    mean = sum(row) / len(row) if row else 0.0
    return [value - mean for value in row]


def _lowered(pcm: bytes, rate: int) -> list[float]:
    """`pcm` at _FINE_HZ; by way of 16 kHz, so both pass the same filter."""
    low = audio.resample(audio.resample(pcm, rate, audio.IN_HZ), audio.IN_HZ, _FINE_HZ)
    return [float(sample) for sample in audio.samples(low)]


def _without_ends(row: list[float]) -> list[float]:
    step = round(_FRAME_S * _FINE_HZ)
    levels = _loudness(row, step)
    floor = _EDGE * max(levels, default=0.0)
    loud = [index for index, level in enumerate(levels) if level > floor]
    return row[loud[0] * step : (loud[-1] + 1) * step] if loud else []


def _coarse(short: list[float], long: list[float]) -> int:
    """Offset in `long`, in samples, at which the loudness of `short` correlates best."""
    step = round(_FRAME_S * _FINE_HZ)
    needle, hay = centred(_loudness(short, step)), _loudness(long, step)
    best, found = 0, -2.0
    for at in range(len(hay) - len(needle) + 1):
        fit = correlation(needle, centred(hay[at : at + len(needle)]))
        if fit > found:
            best, found = at, fit
    return best * step


def _loudness(row: list[float], step: int) -> list[float]:
    return [
        math.sqrt(sum(map(mul, part, part)))
        for part in (row[at : at + step] for at in range(0, len(row), step))
    ]
