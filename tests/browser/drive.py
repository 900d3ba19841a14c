"""Runs a scenario of drive.mjs in a browser, and the recordings that its microphone hears."""

from __future__ import annotations

import asyncio
import base64
import json
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.audio import pcm
from simulator.speech.samples import SHIPPED
from vivavoce.wavefile import read_wav

HERE = Path(__file__).parent
CONSOLE = HERE.parents[1] / "client" / "console"
MIC_HZ = 48_000  #: the fake device's own rate
SAID_HZ = 16_000
QUESTION = read_wav(SHIPPED / "question.wav")
INTERRUPTION = read_wav(SHIPPED / "interruption.wav")


async def drive(scenario: str, *, within_s: float = 60, **wishes: Any) -> dict[str, Any]:
    """What the scenario saw. Raises AssertionError with the browser's own words when it failed."""
    process = await asyncio.create_subprocess_exec(
        "node", str(HERE / "drive.mjs"), scenario, json.dumps(wishes),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(within_s):
            seen, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode()
    result: dict[str, Any] = json.loads(seen)
    return result


async def listen(scenario: str, *, tries: int = 3, **wishes: Any) -> dict[str, Any]:
    """As `drive`, for what is judged by its sound: again when the page says that its player ran dry."""
    for _ in range(tries):
        seen = await drive(scenario, **wishes)
        if not seen["underruns"]:
            break
    return seen


def recording(path: Path, *parts: bytes | float) -> str:
    """A WAV for the microphone of 16 kHz sound and seconds of silence; returns its path."""
    said = b"".join(part if isinstance(part, bytes) else pcm.silence(part, SAID_HZ) for part in parts)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(MIC_HZ)
        file.writeframes(pcm.resample(said, SAID_HZ, MIC_HZ))
    return str(path)


@dataclass(frozen=True, slots=True)
class Sound:
    """What came out of the loudspeaker, on the clock of the page's AudioContext."""

    pcm: bytes
    rate: int

    @classmethod
    def of(cls, seen: dict[str, Any]) -> Sound:
        return cls(base64.b64decode(seen["pcm"]), seen["rate"])

    def last_heard_s(self, loud: int = 60) -> float:
        """When the last sample that is no silence came out."""
        samples = pcm.samples(self.pcm)
        return next(i for i in range(len(samples) - 1, -1, -1) if abs(samples[i]) > loud) / self.rate
