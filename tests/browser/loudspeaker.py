"""Sound without a sound card: PulseAudio with a loudspeaker, and a microphone that hears what it is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

RATE_HZ = 48_000
_READY_S = 10.0


@dataclass(frozen=True, slots=True)
class Machine:
    """Where its programs find the sound server."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        own = {"HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder)}
        return {**os.environ, **own, "PULSE_SERVER": f"unix:{self.folder}/pulse.sock"}

    async def say(self, wav: str) -> None:
        """Play a recording into the microphone. Returns when it has been said."""
        await self._run("paplay", "--device=microphone", wav)

    @asynccontextmanager
    async def recorded(self) -> AsyncIterator[bytearray]:
        """What comes out of the loudspeaker meanwhile, s16le mono at RATE_HZ; complete at the end."""
        heard, begun = bytearray(), asyncio.Event()
        parec = await asyncio.create_subprocess_exec(
            "parec", "--device=loudspeaker.monitor", "--format=s16le", "--channels=1", f"--rate={RATE_HZ}",
            "--latency-msec=50", env=self.environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert parec.stdout
        reading = asyncio.ensure_future(_read(parec.stdout, heard, begun))
        try:
            async with asyncio.timeout(_READY_S):
                await begun.wait()  # silence is recorded too: what is said from now on is not missed
            yield heard
        finally:
            parec.terminate()
            await reading
            await parec.wait()

    async def _run(self, *command: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stderr=asyncio.subprocess.PIPE
        )
        _, complaints = await process.communicate()
        assert process.returncode == 0, complaints.decode()

    async def is_up(self) -> bool:
        asked = await asyncio.create_subprocess_exec(
            "pactl", "info",
            env=self.environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        return await asked.wait() == 0


async def _read(stream: asyncio.StreamReader, into: bytearray, begun: asyncio.Event) -> None:
    while data := await stream.read(4096):
        into.extend(data)
        begun.set()


@asynccontextmanager
async def loudspeaker(folder: Path) -> AsyncIterator[Machine]:
    """The sound server, while it is needed. A socket lies in `folder`: its path must be short."""
    machine = Machine(folder)
    server = await asyncio.create_subprocess_exec(
        "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", *_modules(folder),
        env=machine.environment, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_READY_S):
            while not await machine.is_up():  # it has no other way to say so
                pass
        yield machine
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


def _modules(folder: Path) -> list[str]:
    modules = (
        f"module-native-protocol-unix socket={folder}/pulse.sock auth-anonymous=1",
        f"module-null-sink sink_name=loudspeaker rate={RATE_HZ}",
        f"module-null-sink sink_name=microphone rate={RATE_HZ}",
        "module-remap-source master=microphone.monitor source_name=said",
    )
    return [part for module in modules for part in ("-L", module)]
