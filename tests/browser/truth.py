"""Where in an answer the loudspeaker stopped, from the sound itself."""

from __future__ import annotations

from simulator import pcm
from simulator.likeness import centred, correlation
from tests.browser.drive import Sound

_RATE = 4_000  #: of the comparison: a quarter of a millisecond is fine enough
_NEEDLE_S = 0.3
_LOUD = 60


def played_ms(sound: Sound, arrived: bytes) -> tuple[float, float]:
    """Earliest and latest position in `arrived` (24 kHz) at which `sound` can have ended.

    They differ where the answer itself was silent just then: nobody can hear when in a pause it ended.
    """
    heard = pcm.samples(sound.at(_RATE))
    whole = pcm.samples(pcm.resample(arrived, pcm.OUT_HZ, _RATE))
    last = next(i for i in range(len(heard) - 1, -1, -1) if abs(heard[i]) > _LOUD)
    length = round(_NEEDLE_S * _RATE)
    needle = centred([float(each) for each in heard[last + 1 - length : last + 1]])
    hay = [float(each) for each in whole]
    fits = [correlation(needle, hay[at : at + length]) for at in range(len(hay) - length + 1)]
    best = max(range(len(fits)), key=fits.__getitem__)
    assert fits[best] > 0.9, f"what was heard at the end is not in the answer (best fit {fits[best]:.2f})"
    ended = best + length
    again = next((i for i in range(ended, len(whole)) if abs(whole[i]) > _LOUD), len(whole))
    return 1000 * ended / _RATE, 1000 * again / _RATE
