"""Speech of the simulator: composed words of uneven length, with their times."""

import random
import re
from dataclasses import dataclass
from functools import lru_cache

from simulator.audio import pcm as audio
from simulator.speech import espeak, synth
from simulator.wire.messages import encode_audio

WORD_GAP_S = (0.03, 0.14)  #: pause between two words
#: espeak-ng words a minute; a few only, so that the cache of spoken words gets hits
SPEEDS = (165, 190, 220, 260)
COMMA_S = 0.15  #: more of it after a comma or a full stop
FRAGMENTS = 10  #: transcription fragments in a short sentence (measured by others)


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Speech:
    """24 kHz PCM and its words; `words` is empty when their times are unknown."""

    pcm: bytes
    text: str
    words: tuple[Word, ...] = ()

    @property
    def duration_s(self) -> float:
        return audio.seconds(self.pcm, audio.OUT_HZ)


class Speaker:
    """Composes sentences word by word, with espeak-ng or the synthesizer (`synth.py`)."""

    def __init__(self, voice: str, chance: random.Random) -> None:
        """`voice`: "auto", "espeak" or "synthetic". Raises ValueError for "espeak" without espeak-ng."""
        if voice == "espeak" and not espeak.is_present():
            raise ValueError("espeak-ng is not installed")
        self.uses_espeak = voice != "synthetic" and espeak.is_present()
        self._chance = chance

    def compose(self, text: str, rate: int = audio.OUT_HZ, language: str = "en") -> Speech:
        """The sentence as speech at `rate`. Blocks while espeak-ng runs: call it in a thread."""
        spoken, words, at = b"", [], 0.0
        for token in re.findall(r"\S+", text):
            sound = self._pronounce(token, rate, language)
            end = at + audio.seconds(sound, rate)
            words.append(Word(token, round(at, 3), round(end, 3)))
            gap = self._chance.uniform(*WORD_GAP_S) + (COMMA_S if token[-1] in ",.;:!?" else 0.0)
            spoken += sound + audio.silence(gap, rate)
            at = audio.seconds(spoken, rate)
        return Speech(spoken, text, tuple(words))

    def _pronounce(self, token: str, rate: int, language: str) -> bytes:
        if self.uses_espeak:
            sound = espeak.word(token, self._chance.choice(SPEEDS), language, rate)
            if sound:
                return sound
        return synth.word(token, self._chance.uniform(0.8, 1.4), rate)


@lru_cache(maxsize=32)
def echo(utterance: bytes) -> bytes:
    """The user's own words (16 kHz) as the model's voice would play them (24 kHz)."""
    return audio.resample(utterance, audio.IN_HZ, audio.OUT_HZ)


@lru_cache(maxsize=64)
def messages(pcm: bytes, step: int) -> tuple[bytes, ...]:
    """`encoded`, cached: many sessions may say the same."""
    return encoded(pcm, step)


def encoded(pcm: bytes, step: int) -> tuple[bytes, ...]:
    """24 kHz `pcm` as server messages of `step` bytes each."""
    return tuple(encode_audio(pcm[at : at + step]) for at in range(0, len(pcm), step))


def fragments(speech: Speech, chance: random.Random) -> list[tuple[float, str]]:
    """(second, text) pieces of the transcript in reading order; joined, they are `speech.text`.

    Pieces are early or late against the audio, since the protocol orders them in no way.
    """
    words = speech.words or _guessed(speech)
    pieces: list[tuple[float, str]] = []
    for index, word in enumerate(words):
        text = word.text if index == 0 else " " + word.text
        cut = len(text) // 2 if len(words) < FRAGMENTS and len(text) > 5 else 0
        parts = [text[:cut], text[cut:]] if cut else [text]
        pieces += [(word.start_s, part) for part in parts]
    moved, last = [], 0.0
    for at, text in pieces:
        last = max(last, at + chance.uniform(-0.5, 0.7))
        moved.append((last, text))
    return moved


def _guessed(speech: Speech) -> tuple[Word, ...]:
    """Evenly spaced word times, for a transcript without its own."""
    tokens = speech.text.split()
    each = speech.duration_s / max(1, len(tokens))
    return tuple(Word(token, i * each, (i + 1) * each) for i, token in enumerate(tokens))
