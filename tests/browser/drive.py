"""Runs a scenario of drive.mjs in a browser, and the recordings that its microphone hears."""

from __future__ import annotations

import asyncio
import base64
import json
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.audio import pcm
from simulator.speech.samples import SHIPPED
from vivavoce.wavefile import read_wav

HERE = Path(__file__).parent
CONSOLE = HERE.parents[1] / "client" / "console"
MOST_BYTES = 1 << 27  #: of what a scenario saw: half a minute of sound, twice, is some megabytes
MIC_HZ = 48_000  #: the fake device's own rate
SAID_HZ = 16_000
WORDS = "Could you tell me when the next train leaves?"  #: of QUESTION
OVER = "Wait, stop, not that."  #: what INTERRUPTION says
QUESTION = read_wav(SHIPPED / "question.wav")
INTERRUPTION = read_wav(SHIPPED / "interruption.wav")


class Driver:
    """A process that runs scenarios, one at a time. Its browsers live as long as it does."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, within_s: float, **wishes: Any) -> dict[str, Any]:
        """What the scenario saw. Raises AssertionError with the browser's own words when it failed."""
        process = self._process = self._process or await self._started()
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(wishes).encode() + b"\n")
        try:
            async with asyncio.timeout(within_s):
                told: dict[str, Any] = json.loads(await process.stdout.readline())
        except BaseException:  # it has ended or is in the middle of a scenario, and is no use to the next one
            with suppress(ProcessLookupError):
                process.kill()
            await self.close()
            raise
        assert "error" not in told, told["error"]
        seen: dict[str, Any] = told["seen"]
        return seen

    async def close(self) -> None:
        if self._process is not None:
            await self._process.communicate(b"")  # the end of its input
        self._process = None

    async def _started(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "node", str(HERE / "drive.mjs"),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=MOST_BYTES,
        )  # fmt: skip


_shared: list[Driver] = []


@asynccontextmanager
async def driving() -> AsyncIterator[None]:
    """All scenarios of the block are run by one process."""
    driver = Driver()
    _shared.append(driver)
    try:
        yield
    finally:
        _shared.remove(driver)
        await driver.close()


async def drive(scenario: str, *, within_s: float = 60, **wishes: Any) -> dict[str, Any]:
    """What the scenario saw. Raises AssertionError with the browser's own words when it failed."""
    async with AsyncExitStack() as parts:
        if not _shared:
            await parts.enter_async_context(driving())
        return await _shared[-1].run(within_s, scenario=scenario, **wishes)


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
