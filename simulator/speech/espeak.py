"""espeak-ng, where it is installed: one word at a time, so that every word's length is known."""

import shutil
import subprocess
from functools import lru_cache

from simulator.audio import pcm as audio

PROGRAM = "espeak-ng"
QUIET = 120.0  #: below this loudness its output is padding
TIMEOUT_S = 10.0


@lru_cache(maxsize=1)
def is_present() -> bool:
    return shutil.which(PROGRAM) is not None


@lru_cache(maxsize=2048)
def word(text: str, words_a_minute: int, language: str, rate: int) -> bytes:
    """`text` as s16le at `rate`, without the silence around it; empty when there is nothing to say."""
    command = [PROGRAM, "-v", language, "-s", str(words_a_minute), "--stdin", "--stdout"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=TIMEOUT_S)
    sound, own_rate = _wav(done.stdout)
    return audio.resample(audio.trimmed(sound, own_rate, QUIET, 0.01), own_rate, rate) if sound else b""


def _wav(data: bytes) -> tuple[bytes, int]:
    """Samples and rate of a WAV stream; a stream's own lengths are placeholders, so they are not read."""
    at = data.find(b"data")
    if not data.startswith(b"RIFF") or at < 0:
        return b"", audio.OUT_HZ
    return data[at + 8 :], int.from_bytes(data[24:28], "little")
