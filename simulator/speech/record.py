"""Make a known sample: `python -m simulator.speech.record OUT.wav "What is said"` (needs espeak-ng)."""

import argparse
import json
import random
import wave
from pathlib import Path

from simulator.audio import pcm as audio
from simulator.speech.speaker import Speaker


def record(out: Path, text: str, language: str, seed: int = 1) -> None:
    """Write OUT.wav (16 kHz mono) and OUT.json with its words and their times."""
    speech = Speaker("espeak", random.Random(seed)).compose(text, audio.IN_HZ, language)
    with wave.open(str(out), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(audio.SAMPLE_BYTES)
        file.setframerate(audio.IN_HZ)
        file.writeframes(speech.pcm)
    words = [[word.text, word.start_s, word.end_s] for word in speech.words]
    known = {"text": text, "language": language, "words": words}
    out.with_suffix(".json").write_text(json.dumps(known, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulator.speech.record", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("text")
    parser.add_argument("--language", default="en")
    chosen = parser.parse_args()
    record(chosen.out, chosen.text, chosen.language)


if __name__ == "__main__":
    main()
