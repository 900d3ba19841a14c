"""What a microphone hears besides speech, made from a seed: 16 kHz mono, as s16le when it is done.

Levels are in decibels below full scale, by the root of the mean square, as browsers give them with their gain
control on: speech is at about -20 to -26, a quiet room below -60.
"""

from __future__ import annotations

import functools
import math
import random
from array import array
from collections.abc import Callable, Iterator, Sequence

from protocol.limits import UPLINK_HZ as HZ
from simulator.speech.samples import load_all

FULL = 32_768.0
FRAME_BYTES = 640  #: 20 ms
TALKERS = 12
Wave = list[float]


@functools.cache
def spoken() -> dict[str, Wave]:
    """The shipped samples of speech, by name."""
    return {sample.name: list(map(float, array("h", sample.pcm))) for sample in load_all()}


def at_level(wave: Sequence[float], db: float) -> Wave:
    gain = FULL * 10 ** (db / 20) / math.sqrt(sum(value * value for value in wave) / len(wave))
    return [value * gain for value in wave]


def mixed(*waves: Sequence[float]) -> Wave:
    """Together, for as long as the first lasts; a shorter one begins anew."""
    return [sum(wave[at % len(wave)] for wave in waves) for at in range(len(waves[0]))]


def frames(wave: Sequence[float]) -> Iterator[bytes]:
    """20 ms each, as a client sends them."""
    pcm = array("h", [max(-32_768, min(32_767, round(value))) for value in wave]).tobytes()
    return (pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES))


def quiet(seconds: float, chance: random.Random) -> Wave:
    """A room in which nothing happens."""
    return at_level(_white(seconds, chance), -70)


def fan(seconds: float, chance: random.Random) -> Wave:
    """Air, and its motor's tone."""
    air = at_level(_dull(_white(seconds, chance), 0.2), -40)
    return [value + 120 * math.sin(2 * math.pi * 118 * at / HZ) for at, value in enumerate(air)]


def street(seconds: float, chance: random.Random) -> Wave:
    """Rumble that swells as cars go by."""
    rumble = _dull(_dull(_white(seconds, chance), 0.02), 0.02)
    return at_level([value * _swell(at / HZ) for at, value in enumerate(rumble)], -32)


def keyboard(seconds: float, chance: random.Random) -> Wave:
    """A fast typist: two clicks to a key, five keys a second."""
    heard, at = quiet(seconds, chance), 0.3
    while at < seconds - 0.3:
        for begins_at, share in ((at, 1.0), (at + 0.07, 0.5)):
            _click(heard, round(begins_at * HZ), share * chance.uniform(1_500, 3_000), chance)
        at += chance.uniform(0.09, 0.3)
    return heard


def cafe(seconds: float, chance: random.Random) -> Wave:
    """A dozen people at the far end of the room."""
    voices, heard = list(spoken().values()), [0.0] * round(seconds * HZ)
    for _ in range(TALKERS):
        at = -round(chance.uniform(0, 3) * HZ)
        while at < len(heard):
            voice = paced(chance.choice(voices), chance.uniform(0.8, 1.25))
            for index in range(max(at, 0), min(at + len(voice), len(heard))):
                heard[index] += voice[index - at]
            at += len(voice) + round(chance.uniform(0.1, 0.8) * HZ)
    return at_level(_dull(heard, 0.35), -38)


def hum(seconds: float, chance: random.Random) -> Wave:
    """The mains, with what a transformer makes of them."""
    parts = [(50 * overtone, 1 / overtone) for overtone in (1, 2, 3, 4, 6)]
    tone = [sum(gain * math.sin(2 * math.pi * hz * at / HZ) for hz, gain in parts) for at in range(HZ)]
    return at_level(mixed(_white(seconds, chance, 0.02), tone), -35)


def music(seconds: float, chance: random.Random) -> Wave:
    """A melody with its fifths, plucked, from a loudspeaker across the room."""
    heard: Wave = []
    while len(heard) < seconds * HZ:
        lasts_s, hz = chance.choice([0.18, 0.25, 0.37, 0.5]), 220 * 2 ** (chance.randrange(24) / 12)
        heard += _plucked(hz, lasts_s)
    return at_level(heard[: round(seconds * HZ)], -32)


Noise = Callable[[float, random.Random], Wave]
NOISES: dict[str, Noise] = {
    "quiet": quiet,
    "fan": fan,
    "street": street,
    "keyboard": keyboard,
    "cafe": cafe,
    "hum": hum,
    "music": music,
}


def _white(seconds: float, chance: random.Random, gain: float = 1.0) -> Wave:
    values = array("h", chance.randbytes(2 * round(seconds * HZ)))
    return [value * gain / FULL for value in values]


def _dull(wave: Sequence[float], share: float) -> Wave:
    """Without its heights: each sample moves so far towards the next."""
    held, out = 0.0, []
    for value in wave:
        held += share * (value - held)
        out.append(held)
    return out


def _swell(second: float) -> float:
    return 1 + 0.8 * math.sin(2 * math.pi * second / 7.3) * math.sin(2 * math.pi * second / 2.9)


def _click(heard: Wave, begins: int, height: float, chance: random.Random) -> None:
    for at in range(round(0.025 * HZ)):
        heard[begins + at] += height * math.exp(-at / (0.005 * HZ)) * chance.gauss(0, 1)


def paced(wave: Sequence[float], pace: float) -> Wave:
    """Faster and higher, or slower and lower: another voice."""
    return [wave[int(at * pace)] for at in range(int(len(wave) / pace) - 1)]


@functools.cache
def _plucked(hz: float, lasts_s: float) -> Wave:
    strings = [(hz * ratio * overtone, overtone) for overtone in (1, 2, 3) for ratio in (1, 1.5)]
    return [_swing(strings, at / HZ, lasts_s) for at in range(round(lasts_s * HZ))]


def _swing(strings: Sequence[tuple[float, int]], second: float, lasts_s: float) -> float:
    swings = sum(math.sin(2 * math.pi * hz * second) / overtone for hz, overtone in strings)
    return min(second / 0.01, 1.0) * math.exp(-second / (lasts_s * 0.6)) * swings
