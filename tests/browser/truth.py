"""What of an answer came out of the loudspeaker, and where in it that stopped: from the sound itself."""

from __future__ import annotations

from simulator import pcm
from simulator.likeness import centred, correlation
from tests.browser.drive import Sound

_RATE = 4_000  #: of the comparison: a quarter of a millisecond is fine enough
_NEEDLE_S = 0.2
_LOUD = 60
_SEGMENT_S = 0.3
_BACK_S, _ON_S = 0.05, 0.25  #: how much earlier or later than the one before it a segment may come
_SAME = 0.9  #: correlation of what is the same sound
_SPOKEN = 400.0  #: loudness of a segment that is worth looking for


def played_ms(sound: Sound, arrived: bytes) -> tuple[float, float]:
    """Earliest and latest position in `arrived` (24 kHz) at which `sound` can have ended.

    They differ where the answer itself was silent just then: nobody can hear when in a pause it ended.
    """
    heard = pcm.samples(_low(sound.pcm, sound.rate))
    whole = pcm.samples(_low(arrived, pcm.OUT_HZ))
    last = next(i for i in range(len(heard) - 1, -1, -1) if abs(heard[i]) > _LOUD)
    length = round(_NEEDLE_S * _RATE)
    needle = centred([float(each) for each in heard[last + 1 - length : last + 1]])
    hay = [float(each) for each in whole]
    fits = [correlation(needle, hay[at : at + length]) for at in range(len(hay) - length + 1)]
    best = max(range(len(fits)), key=fits.__getitem__)
    assert fits[best] > _SAME, f"what was heard at the end is not in the answer (best fit {fits[best]:.2f})"
    ended = best + length
    again = next((i for i in range(ended, len(whole)) if abs(whole[i]) > _LOUD), len(whole))
    return 1000 * ended / _RATE, 1000 * again / _RATE


def share_heard(sound: Sound, arrived: bytes, starts_s: float) -> float:
    """What share of the loud parts of `arrived` (24 kHz) came out, in order, from `starts_s` of `sound` on.

    Each is looked for near where the last one was: a busy machine stretches a pause, and is forgiven.
    """
    heard = [float(each) for each in pcm.samples(_low(sound.pcm, sound.rate))]
    whole = _low(arrived, pcm.OUT_HZ)
    length = round(_SEGMENT_S * _RATE)
    segments = [whole[at : at + 2 * length] for at in range(0, len(whole) - 2 * length, 2 * length)]
    lag, missed, fits = starts_s, 0, []
    for index, segment in enumerate(segments):
        if pcm.rms(segment) < _SPOKEN:
            continue
        needle = centred([float(each) for each in pcm.samples(segment)])
        first = round((lag + index * _SEGMENT_S - _BACK_S) * _RATE)
        places = range(max(0, first), first + round((_BACK_S + _ON_S * (1 + missed)) * _RATE))
        found = [
            (correlation(needle, heard[at : at + length]), at) for at in places if at + length <= len(heard)
        ]
        fit, at = max(found, default=(0.0, first))
        if fit > _SAME:
            lag, missed = at / _RATE - index * _SEGMENT_S, 0
        else:
            missed += 1
        fits.append(fit)
    return sum(fit > _SAME for fit in fits) / len(fits)


def _low(sound: bytes, rate: int) -> bytes:
    """`sound` at _RATE, by way of 16 kHz, so that both sides pass the same filter."""
    return pcm.resample(pcm.resample(sound, rate, pcm.IN_HZ), pcm.IN_HZ, _RATE)
