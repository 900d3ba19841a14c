"""Tone codes: a few random tones that open every answer.

A code is written to the ledger and nowhere else, so decoding it from the
audio at the far end proves that this very answer came through.
One symbol is a hex digit; neighbours differ, so no gap has to be found.
"""

import math
import random
from array import array
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from operator import mul

from simulator.audio import pcm as audio

SYMBOLS = "0123456789abcdef"
LOWEST_HZ = 700  #: tone of symbol 0
STEP_HZ = 140  #: between neighbours; the highest is 2800 Hz, inside every voice codec
TONE_S = 0.08
GAP_S = 0.02  #: silence after each tone
CODE_SYMBOLS = 5
PEAK = 9_000.0  #: of 32767; loud enough to survive a codec, quiet enough for headphones

_LISTEN_HZ = 8_000  #: rate the decoder works at
_WINDOW = 320  #: 40 ms: 25 Hz wide, far below STEP_HZ
_HOP = 80  #: 10 ms
_DOMINANCE = 0.7  #: share of a window's energy that one tone must hold
_QUIET = 200.0  #: windows below this loudness hold no tone
_NEEDED = 2  #: windows in a row that must agree on a symbol
_PAUSE = 10  #: toneless windows after which the code is over


def draw(chance: random.Random, count: int = CODE_SYMBOLS) -> str:
    """A random code of `count` symbols without equal neighbours."""
    code = chance.choice(SYMBOLS)
    while len(code) < count:
        code += chance.choice(SYMBOLS.replace(code[-1], ""))
    return code


def seconds(code: str) -> float:
    return len(code) * (TONE_S + GAP_S)


def encode(code: str, rate: int = audio.OUT_HZ) -> bytes:
    """The sound of `code` as s16le. Raises ValueError for a symbol that is not a hex digit."""
    if any(a == b for a, b in pairwise(code)):
        raise ValueError("a code has no equal neighbours")
    return b"".join(_tone(SYMBOLS.index(symbol), rate) for symbol in code)


def decode(pcm: bytes, rate: int = audio.OUT_HZ, count: int = CODE_SYMBOLS) -> str | None:
    """The first code of `count` symbols in `pcm`, or None."""
    return next((code for code, _ in find(pcm, rate, count)), None)


def find(pcm: bytes, rate: int = audio.OUT_HZ, count: int = CODE_SYMBOLS) -> Iterator[tuple[str, float]]:
    """Every code in `pcm` with the second at which it starts, in order.

    Costs about 30 ms for each second of audio: for tests, not for a server's loop.
    """
    code, start, quiet = "", 0.0, 0
    for symbol, at in _symbols(pcm, rate):
        if symbol is None:
            quiet += 1
            if quiet < _PAUSE or not code:
                continue
            code = ""
            continue
        start = start if code else at
        code, quiet = code + symbol, 0
        if len(code) == count:
            yield code, start
            code = ""


def strip(pcm: bytes, rate: int = audio.OUT_HZ, count: int = CODE_SYMBOLS) -> bytes:
    """`pcm` from the end of its first code on; all of it when there is none."""
    for _, start in find(pcm, rate, count):
        skipped = start + count * (TONE_S + GAP_S)
        return pcm[audio.SAMPLE_BYTES * round(skipped * rate) :]
    return pcm


def _symbols(pcm: bytes, rate: int) -> Iterator[tuple[str | None, float]]:
    """One (symbol, second) for each tone met, and (None, second) for each window without one."""
    last, agreed = None, 0
    for at, heard in _windows(pcm, rate):
        agreed = agreed + 1 if heard is not None and heard == last else 1
        last = heard
        if heard is None:
            yield None, at
        elif agreed == _NEEDED:
            yield heard, max(0.0, at - _HOP / _LISTEN_HZ)


def _windows(pcm: bytes, rate: int) -> Iterator[tuple[float, str | None]]:
    sound = audio.samples(audio.resample(pcm, rate, _LISTEN_HZ))
    for at in range(0, len(sound) - _WINDOW + 1, _HOP):
        yield at / _LISTEN_HZ, _dominant(sound[at : at + _WINDOW])


def _dominant(window: "array[int]") -> str | None:
    """The symbol whose tone holds nearly all of the window's energy, if one does."""
    energy = sum(map(mul, window, window))
    if energy < _QUIET * _QUIET * len(window):
        return None
    powers = [
        sum(map(mul, window, cosine)) ** 2 + sum(map(mul, window, sine)) ** 2 for cosine, sine in _probes()
    ]
    best = max(range(len(powers)), key=powers.__getitem__)
    # A pure tone gives N/2 times the window's energy.
    return SYMBOLS[best] if 2 * powers[best] / len(window) > _DOMINANCE * energy else None


@lru_cache(maxsize=1)
def _probes() -> list[tuple[list[float], list[float]]]:
    turns = [2 * math.pi * (LOWEST_HZ + STEP_HZ * index) / _LISTEN_HZ for index in range(len(SYMBOLS))]
    return [
        ([math.cos(turn * n) for n in range(_WINDOW)], [math.sin(turn * n) for n in range(_WINDOW)])
        for turn in turns
    ]


@lru_cache(maxsize=64)
def _tone(index: int, rate: int) -> bytes:
    """One tone with 5 ms ramps (no clicks) and its gap."""
    total, ramp = round(TONE_S * rate), 0.005 * rate
    turn = 2 * math.pi * (LOWEST_HZ + STEP_HZ * index) / rate
    tone = array("h")
    for n in range(total):
        gain = min(1.0, n / ramp, (total - n) / ramp)
        tone.append(round(PEAK * gain * math.sin(turn * n)))
    return tone.tobytes() + audio.silence(GAP_S, rate)
