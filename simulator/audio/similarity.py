"""Similarity of two sounds: proves that an answer holds the user's own words."""

import math
from operator import mul

from simulator.audio import pcm as audio

_FRAME_S = 0.01  #: envelope step of the coarse search
_FINE_HZ = 4_000  #: rate of the fine comparison; speech has most of its energy below 2 kHz
_NEAR_S = 0.02  #: how far around the coarse position the fine search looks
_EDGE = 0.04  #: share of the loudest frame below which the ends are silence
_SHORTEST_S = 0.1  #: nothing shorter than this is compared


def similarity(said: bytes, heard: bytes, said_hz: int = audio.IN_HZ, heard_hz: int = audio.OUT_HZ) -> float:
    """0 (nothing in common) to 1 (the same wave) for s16le mono sounds of any rates.

    The shorter is searched for within the longer, so an echo is found
    behind its tone code and a cut-off echo is found in the whole utterance.
    Loudness does not matter, nor does silence at the ends. Costs about 50 ms for four seconds of speech.
    """
    short, long = _lowered(said, said_hz), _lowered(heard, heard_hz)
    if len(short) > len(long):
        short, long = long, short
    if len(short) < _SHORTEST_S * _FINE_HZ:
        return 0.0
    near = round(_NEAR_S * _FINE_HZ)
    middle = _coarse(short, long)
    starts = range(max(0, middle - near), min(len(long) - len(short), middle + near) + 1)
    return max((max(0.0, correlation(short, long[at : at + len(short)])) for at in starts), default=0.0)


def correlation(left: list[float], right: list[float]) -> float:
    """Normalised correlation, -1 to 1, of two rows of equal length."""
    power = sum(map(mul, left, left)) * sum(map(mul, right, right))
    return sum(map(mul, left, right)) / math.sqrt(power) if power else 0.0


def centred(row: list[float]) -> list[float]:
    mean = sum(row) / len(row) if row else 0.0
    return [value - mean for value in row]


def _lowered(pcm: bytes, rate: int) -> list[float]:
    """`pcm` at _FINE_HZ, centred, without quiet ends; by way of 16 kHz, so both pass the same filter."""
    low = audio.resample(audio.resample(pcm, rate, audio.IN_HZ), audio.IN_HZ, _FINE_HZ)
    levels = audio.envelope(low, _FINE_HZ, _FRAME_S)
    return centred([float(sample) for sample in audio.samples(_without_ends(low, levels))])


def _without_ends(pcm: bytes, levels: list[float]) -> bytes:
    floor = _EDGE * max(levels, default=0.0)
    loud = [index for index, level in enumerate(levels) if level > floor]
    step = audio.SAMPLE_BYTES * round(_FRAME_S * _FINE_HZ)
    return pcm[loud[0] * step : (loud[-1] + 1) * step] if loud else b""


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
