"""Known samples: speech whose words the simulator knows, recognised by its rhythm of loudness.

A sample is a 16 kHz mono WAV with a JSON sidecar (`text`, `language`, `words` as
[text, start, end] in seconds). A different cut, another volume and watermark bits
leave the rhythm as it is.
"""

import json
import wave
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from simulator.audio import pcm as audio
from simulator.audio.similarity import centred, correlation
from simulator.speech.speaker import Word

SHIPPED = Path(__file__).parents[1] / "samples"
FRAME_S = 0.02
ALIKE = 0.85  #: correlation of two envelopes above this is the same sample; unrelated speech stays below 0.6
LENGTHS = 0.15  #: a cut may be longer or shorter by this share
SHIFTS = 8  #: frames either way that the cuts may differ by
EDGE = 0.06  #: share of the loudest frame below which the ends are silence


@dataclass(frozen=True)
class Sample:
    """One WAV with its text. Word times count from the first loud frame."""

    name: str
    pcm: bytes  #: 16 kHz
    text: str
    language: str
    words: tuple[Word, ...]

    @cached_property
    def rhythm(self) -> list[float]:
        return rhythm(self.pcm)


def load(path: Path) -> Sample:
    """A sample from its WAV and the sidecar beside it. Raises ValueError for another format."""
    with wave.open(str(path), "rb") as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (audio.IN_HZ, 1, 2):
            raise ValueError(f"{path.name} is not 16 kHz mono with 16 bits")
        pcm = file.readframes(file.getnframes())
    known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    words = tuple(Word(text, start, end) for text, start, end in known.get("words", []))
    return Sample(path.stem, pcm, known["text"], known.get("language", ""), words)


def load_all(folder: Path = SHIPPED) -> tuple[Sample, ...]:
    """Every WAV of the folder that has a sidecar, by name."""
    return tuple(load(path) for path in sorted(folder.glob("*.wav")) if path.with_suffix(".json").exists())


def recognise(utterance: bytes, known: tuple[Sample, ...]) -> Sample | None:
    """The sample that this 16 kHz utterance is, however it was cut."""
    heard = rhythm(utterance)
    scored = [(_alike(heard, sample.rhythm), sample) for sample in known]
    best = max(scored, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] >= ALIKE else None


def rhythm(pcm: bytes) -> list[float]:
    """The envelope of `pcm` without the silence at its ends."""
    levels = audio.envelope(pcm, audio.IN_HZ, FRAME_S)
    floor = EDGE * max(levels, default=0.0)
    loud = [index for index, level in enumerate(levels) if level > floor]
    return levels[loud[0] : loud[-1] + 1] if loud else []


def lead_s(pcm: bytes) -> float:
    """Silence before the first loud frame, as `rhythm` sees it."""
    levels = audio.envelope(pcm, audio.IN_HZ, FRAME_S)
    floor = EDGE * max(levels, default=0.0)
    return next((index * FRAME_S for index, level in enumerate(levels) if level > floor), 0.0)


def _alike(heard: list[float], known: list[float]) -> float:
    if not heard or abs(len(heard) - len(known)) > LENGTHS * len(known):
        return 0.0
    return max(_shifted(heard, known, shift) for shift in range(-SHIFTS, SHIFTS + 1))


def _shifted(left: list[float], right: list[float], shift: int) -> float:
    a, b = (left[shift:], right) if shift >= 0 else (left, right[-shift:])
    size = min(len(a), len(b))
    return correlation(centred(a[:size]), centred(b[:size]))
