"""The microphone of a foreign client: silence at the speed of speech, and samples when it is told to speak.

Needs nothing but Python: it runs in the client's own environment. Commands are lines on stdin
(`speak NAME`, `quit`), facts are JSON lines on stdout.
"""

import asyncio
import json
import os
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[2] / "simulator" / "samples"
BYTES_PER_MS = 32

URL = os.environ.get("FOREIGN_URL", "")
MODEL = os.environ.get("FOREIGN_MODEL", "")  #: empty: the client's own default
KEY = "foreign-key"
WEATHER = "sunny"


def tell(**fact: object) -> None:
    """A fact for who runs this."""
    print(json.dumps(fact), flush=True)


class Microphone:
    """16 kHz mono s16le."""

    def __init__(self) -> None:
        self._speech = bytearray()
        self.has_ended = asyncio.Event()

    async def obey(self) -> None:
        """Take commands until `quit`, or the end of stdin."""
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command, _, name = line.strip().partition(" ")
            if command == "quit":
                break
            with wave.open(str(SAMPLES / f"{name}.wav")) as file:
                self._speech += file.readframes(file.getnframes())
        self.has_ended.set()

    async def chunks(self, ms: int) -> AsyncIterator[bytes]:
        """Audio, in pieces of so many milliseconds, at the speed of speech."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self.has_ended.is_set():
            size = ms * BYTES_PER_MS
            piece = bytes(self._speech[:size])
            del self._speech[:size]
            yield piece.ljust(size, b"\0")
            due += ms / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))


class Ear:
    """Counts the seconds of 24 kHz sound that have come."""

    def __init__(self) -> None:
        self.sound_s = 0.0

    def hear(self, pcm: bytes) -> None:
        self.sound_s += len(pcm) / 48_000
        tell(sound_s=round(self.sound_s, 2))
