"""Sound without a sound card: PulseAudio, and the devices that are plugged into it and pulled out.

machine.say(wav) ──▶ sink "voice" ──monitor──▶ source "microphone" ──▶ browser
machine.recorded() ◀──monitor── sink "loudspeaker" ◀────────────────── browser
                 machine.looped(): loudspeaker ──delay──▶ voice, as in a room
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

RATE_HZ = 48_000
LOUDSPEAKER, MICROPHONE = "loudspeaker", "microphone"  #: there from the start, and the system's choice
ECHO_MS, ECHO_SHARE = 60, 0.4  #: of the room: a laptop whose microphone is near its loudspeaker
_READY_S = 10.0


@dataclass(slots=True)
class Machine:
    """The sound server of a machine, and what is plugged into it. Names are those that a browser shows."""

    folder: Path
    _modules: dict[str, list[str]] = field(default_factory=dict)  #: of a device, by its name

    @property
    def environment(self) -> dict[str, str]:
        """Where its programs find the sound server."""
        own = {"HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder)}
        return {**os.environ, **own, "PULSE_SERVER": f"unix:{self.folder}/pulse.sock"}

    async def plug_loudspeaker(self, name: str, rate_hz: int = RATE_HZ) -> None:
        """One more to choose from."""
        self._modules[name] = [
            await self._load("null-sink", sink_name=name, rate=rate_hz, **_named("sink", name))
        ]

    async def plug_microphone(self, name: str, rate_hz: int = RATE_HZ) -> None:
        """One more to choose from: a source that repeats what is played to its voice."""
        voice = _voice_of(name)
        self._modules[name] = [
            await self._load(
                "null-sink", sink_name=voice, rate=rate_hz, channels=1, **_named("sink", voice, "filter")
            ),
            await self._load(
                "remap-source", master=f"{voice}.monitor", source_name=name, **_named("source", name)
            ),
        ]

    async def unplug(self, name: str) -> None:
        """Pull it out, in use or not."""
        for module in reversed(self._modules.pop(name)):
            await self._run("pactl", "unload-module", module)

    async def tidy(self) -> None:
        """Only the loudspeaker and the microphone are plugged in, and are the system's choice."""
        for name in self._modules.keys() - {LOUDSPEAKER, MICROPHONE}:
            await self.unplug(name)
        if LOUDSPEAKER not in self._modules:
            await self.plug_loudspeaker(LOUDSPEAKER)
        if MICROPHONE not in self._modules:
            await self.plug_microphone(MICROPHONE)
        await self.prefer(microphone=MICROPHONE, loudspeaker=LOUDSPEAKER)

    async def prefer(self, *, microphone: str = "", loudspeaker: str = "") -> None:
        """The system's choice from now on."""
        if microphone:
            await self._run("pactl", "set-default-source", microphone)
        if loudspeaker:
            await self._run("pactl", "set-default-sink", loudspeaker)

    async def say(self, wav: str, into: str = MICROPHONE) -> None:
        """Play a recording into a microphone. Returns when it has been said."""
        await self._run("paplay", f"--device={_voice_of(into)}", wav)

    @asynccontextmanager
    async def recorded(self, name: str = LOUDSPEAKER) -> AsyncIterator[bytearray]:
        """What comes out of a loudspeaker meanwhile, s16le mono at RATE_HZ; complete at the end."""
        heard, begun = bytearray(), asyncio.Event()
        parec = await asyncio.create_subprocess_exec(
            "parec", f"--device={name}.monitor", "--format=s16le", "--channels=1", f"--rate={RATE_HZ}",
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

    @asynccontextmanager
    async def looped(self, delay_ms: int = ECHO_MS, share: float = ECHO_SHARE) -> AsyncIterator[None]:
        """The microphone hears the loudspeaker, so much later and with this share of its amplitude.

        Without, its user wears headphones.
        """
        module = await self._load(
            "loopback",
            source=f"{LOUDSPEAKER}.monitor",
            sink=_voice_of(MICROPHONE),
            latency_msec=delay_ms,
            sink_input_properties="media.name=room",
        )
        try:
            inputs = await self._run("pactl", "list", "short", "sink-inputs")
            (room,) = [line.split("\t")[0] for line in inputs.splitlines() if "module-loopback" in line]
            await self._run("pactl", "set-sink-input-volume", room, str(round(share * 65_536)))
            yield
        finally:
            await self._run("pactl", "unload-module", module)

    async def is_up(self) -> bool:
        asked = await asyncio.create_subprocess_exec(
            "pactl", "info",
            env=self.environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        return await asked.wait() == 0

    async def _load(self, module: str, **options: object) -> str:
        """The number by which it can be unloaded."""
        words = (f"{name}={value}" for name, value in options.items())
        return (await self._run("pactl", "load-module", f"module-{module}", *words)).strip()

    async def _run(self, *command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        said, complaints = await process.communicate()
        assert process.returncode == 0, f"{' '.join(command)}: {complaints.decode()}"
        return said.decode()


def _voice_of(microphone: str) -> str:
    """The sink that a microphone hears."""
    return f"voice-into-{microphone}"


def _named(kind: str, name: str, device_class: str = "sound") -> dict[str, str]:
    """What a browser shows; `sound` is the class of hardware, which the system prefers when another goes."""
    return {f"{kind}_properties": f"'device.description={name} device.class={device_class}'"}


async def _read(stream: asyncio.StreamReader, into: bytearray, begun: asyncio.Event) -> None:
    while data := await stream.read(4096):
        into.extend(data)
        begun.set()


@asynccontextmanager
async def sounding(folder: Path) -> AsyncIterator[Machine]:
    """The sound server, while it is needed. A socket lies in `folder`: its path must be short."""
    machine = Machine(folder)
    server = await asyncio.create_subprocess_exec(
        "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1",
        "-L", f"module-native-protocol-unix socket={folder}/pulse.sock auth-anonymous=1",
        env=machine.environment, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_READY_S):
            while not await machine.is_up():  # it has no other way to say so
                pass
        await machine.tidy()
        yield machine
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()
