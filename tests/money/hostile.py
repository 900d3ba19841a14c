"""A user who is signed in and does whatever costs the most, or is counted the least."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from functions.core.runtime.refusal import Refusal
from protocol import media
from protocol.audio import encode_audio
from protocol.client import ClientSession
from protocol.codec import encode
from protocol.control import Config
from protocol.credentials import offer
from records.table import StoreError
from simulator.speech.samples import SHIPPED
from tests.money.deployment import Deployment
from vivavoce.wavefile import read_wav

FRAME_S = 0.1
FRAME = 3_200  #: bytes of it
PICTURE = b"\xff\xd8\xff" + bytes(64)
MICROPHONE = media.Mic("open"), media.Mic("paused"), media.Mic("closed")
WORDS = "call weather", "tell me more", "Remember this word: money", "why?"


@functools.cache
def spoken() -> list[bytes]:
    pcm = read_wav(SHIPPED / "question.wav")
    return [pcm[at : at + FRAME] for at in range(0, len(pcm) - FRAME, FRAME)]


@dataclass
class Device:
    """One client of a session, over the connections that it has had."""

    session: str
    manual: bool
    client: ClientSession = field(default_factory=ClientSession)
    wires: list[ClientConnection] = field(default_factory=list)  #: the newest last; older ones may be open
    url: str = ""
    seq: int = 0
    ended: str = ""  #: code of the error that ended it, or why
    told: list[media.ServerMessage] = field(default_factory=list)

    @property
    def wire(self) -> ClientConnection | None:
        return self.wires[-1] if self.wires else None

    async def join(self, url: str, ticket: str, tasks: asyncio.TaskGroup) -> None:
        protocols = [Subprotocol(entry) for entry in offer("ticket", ticket)]
        try:
            wire = await connect(f"{url}/r/0/x", subprotocols=protocols, compression=None, max_size=None)
        except (OSError, WebSocketException):
            return
        self.url, self.client = url, ClientSession()
        self.seq = 0
        self.wires.append(wire)
        tasks.create_task(self._listen(wire, self.client))
        await self.say_raw(self.client.hello())
        for _ in range(200):
            if self.client.state.value == "live" or self.ended:
                return
            await asyncio.sleep(0.1)

    async def _listen(self, wire: ClientConnection, client: ClientSession) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for data in wire:
                for said in client.receive(data):
                    if isinstance(said, media.Error) and said.fatal and wire is self.wire:
                        self.ended = said.code
                    if isinstance(said, media.Budget | media.Error | media.Ended | media.Usage):
                        self.told.append(said)

    async def say(self, message: media.ClientMessage) -> None:
        await self.say_raw(encode(message))

    async def say_raw(self, data: str | bytes) -> None:
        if self.wire is not None:
            with contextlib.suppress(ConnectionClosed):
                await self.wire.send(data)

    async def hear(self, frames: list[bytes], every_s: float = FRAME_S) -> None:
        for pcm in frames:
            await self.say_raw(encode_audio(0, self.seq, pcm))
            self.seq += 1
            await asyncio.sleep(every_s)

    async def close(self) -> None:
        for wire in self.wires:
            await wire.close()


class Hostile:
    """`step` is one random thing that he does, on one of his devices."""

    def __init__(self, world: Deployment, chance: random.Random, tasks: asyncio.TaskGroup, user: str) -> None:
        self.devices: list[Device] = []
        self.sessions: deque[str] = deque(maxlen=12)  #: the newest that he has opened
        self.refused: str = ""  #: code of the last start that was refused
        self.done: dict[str, int] = {}  #: steps by what they were
        self.endings: dict[str, int] = {}
        self._world, self._chance, self._tasks, self._user = world, chance, tasks, user
        self._steps: dict[str, tuple[int, Callable[[Device], Awaitable[None]]]] = {
            "speak": (6, lambda device: device.hear(spoken())),
            "silence": (3, lambda device: device.hear([bytes(FRAME)] * chance.randint(5, 60))),
            "flood": (2, lambda device: device.hear(spoken()[:30], 0.005)),
            "text": (5, lambda device: device.say(media.Text(chance.choice(WORDS)))),
            "half a text": (1, lambda device: device.say(media.Text("and " * 400, respond=False))),
            "context": (2, lambda device: device.say(media.Context("note " * chance.randint(1, 800)))),
            "image": (1, lambda device: device.say(media.Image("image/jpeg", PICTURE))),
            "tool": (1, lambda device: device.say(media.ToolResult("call-1-1", True, {"a": 1}))),
            "turn begins": (3, lambda device: device.say(media.Activity("start"))),
            "turn ends": (3, lambda device: device.say(media.Activity("end"))),
            "microphone": (
                1,
                lambda device: device.say(media.Mic(chance.choice(("open", "paused", "closed")))),
            ),  # type: ignore[arg-type]
            "interrupt": (1, lambda device: device.say(media.Interrupt(chance.randint(1, 9), 100))),
            "wait": (4, lambda device: asyncio.sleep(chance.choice((0.2, 1, 3, 8)))),
            "drop": (1, self._drop),
            "resume": (2, self._resume),
            "media_failed": (1, self._media_failed),
            "end": (1, lambda device: device.say(media.EndCall())),
            "end on control": (1, self._end),
        }

    async def step(self) -> str:
        """Do one thing. Returns what."""
        for device in [device for device in self.devices if device.ended]:
            self.endings[device.ended] = self.endings.get(device.ended, 0) + 1
            self.devices.remove(device)
        self.refused = ""
        if not self.devices or (len(self.devices) < 3 and self._chance.random() < 0.03):
            what = "start"
            await self._start()
        else:
            weights = [weight for weight, _ in self._steps.values()]
            (what,) = self._chance.choices(list(self._steps), weights)
            await self._steps[what][1](self._chance.choice(self.devices))
        self.done[what] = self.done.get(what, 0) + 1
        await asyncio.sleep(0.05)
        return what

    async def leave(self) -> None:
        """End everything."""
        for device in self.devices:
            await device.say(media.EndCall())
            self._world.end(device.session)
        await asyncio.sleep(30)
        for device in self.devices:
            await device.close()
        self.devices.clear()

    async def _start(self) -> None:
        manual = self._chance.random() < 0.3
        try:
            session, *where = self._world.start(self._user, Config(turns="manual" if manual else "auto"))
        except Refusal as refusal:
            self.refused = refusal.code
            return
        self.sessions.append(session)
        device = Device(session, manual)
        self.devices.append(device)
        await device.join(*where, self._tasks)

    async def _drop(self, device: Device) -> None:
        if device.wire is not None:
            await device.wire.close()

    async def _resume(self, device: Device, avoid: str = "") -> None:
        try:
            where = self._world.lead(device.session, avoid)
        except (Refusal, StoreError):
            device.ended = device.ended or "resume refused"
            return
        await device.join(*where, self._tasks)

    async def _media_failed(self, device: Device) -> None:
        """To the other relay, while the way to the first one is kept open."""
        here = next((name for name, url in self._world.urls.items() if url == device.url), "")
        await self._resume(device, here)

    async def _end(self, device: Device) -> None:
        self._world.end(device.session)
        device.ended = "on control"
