"""One answer as audio: a tone code, then words, with a send time for each message."""

import random
from dataclasses import dataclass

from simulator.audio import pcm as audio
from simulator.audio import tones
from simulator.speech import speaker
from simulator.speech.speaker import Speech, Word

PAUSE_S = 0.14  #: silence between the tone code and the words


@dataclass(frozen=True, slots=True)
class Due:
    """A message of the answer. `audio_s` is the speech sent once this is out; 0 for transcripts."""

    at_s: float  #: virtual seconds after the first audio
    message: bytes | str  #: encoded audio, or a piece of the transcript
    audio_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    code: str
    kind: str  #: echo or composed
    text: str
    timing: str  #: where word times come from: exact, sample or unknown
    words: tuple[Word, ...]  #: seconds into the answer, tone code included
    duration_s: float
    timeline: tuple[Due, ...]


def build(words: Speech, kind: str, pace: float, step: int, chance: random.Random, timing: str) -> Answer:
    """The whole answer around `words`, in messages of `step` bytes.

    Up to 20 ms of work the first time: call it in a thread.
    """
    code = tones.draw(chance)
    opening = tones.encode(code) + audio.silence(PAUSE_S, audio.OUT_HZ)
    lead_s = audio.seconds(opening, audio.OUT_HZ)
    timeline = _audio(opening, words.pcm, pace, step)
    duration_s = lead_s + words.duration_s
    for at, text in speaker.fragments(words, chance):
        due = min(max(0.0, (lead_s + at) / pace), duration_s / pace)
        timeline.append(Due(due, text, 0.0))
    # Stable: audio stays in order, and so does the transcript.
    timeline.sort(key=lambda due: due.at_s)
    return Answer(
        code=code,
        kind=kind,
        text=words.text,
        timing=timing,
        words=tuple(_moved(word, lead_s) for word in words.words),
        duration_s=duration_s,
        timeline=tuple(timeline),
    )


def _audio(opening: bytes, words: bytes, pace: float, step: int) -> list[Due]:
    """Chunks of both parts. Cut apart, so that the encoded words can be cached."""
    timeline, sent_s = [], 0.0
    for part, messages in (
        (opening, speaker.encoded(opening, step)),
        (words, speaker.messages(words, step)),
    ):
        left_s = audio.seconds(part, audio.OUT_HZ)
        for message in messages:
            length = min(step / audio.SAMPLE_BYTES / audio.OUT_HZ, left_s)
            timeline.append(Due(sent_s / pace, message, sent_s + length))
            sent_s, left_s = sent_s + length, left_s - length
    return timeline


def _moved(word: Word, by_s: float) -> Word:
    return Word(word.text, round(word.start_s + by_s, 3), round(word.end_s + by_s, 3))
