"""One MicroVM: a real process, its lifecycle hooks, its network.

    PENDING ──/run──▶ RUNNING ──/suspend──▶ SUSPENDING ──▶ SUSPENDED ──wake──▶ RUNNING, then /resume
                         └───────────── /terminate ─▶ TERMINATING ─▶ TERMINATED

A snapshot of a running process is that process, stopped (SIGSTOP) and cut from its network; to launch or to
wake it is to let it go on (SIGCONT). A hook that fails ends the VM, as AWS says it may.
"""

import asyncio
import math
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import aiohttp

from infra.local.microvm.network import Cut, Network
from infra.local.process import Child, OnLine

State = Literal["PENDING", "RUNNING", "SUSPENDING", "SUSPENDED", "TERMINATING", "TERMINATED"]
Hook = Literal["ready", "run", "resume", "suspend", "terminate"]

HOOKS = "/aws/lambda-microvms/runtime/v1"
POLL_S = 0.05  #: between two looks whether the program is ready


class HookFailed(Exception):
    """A hook did not answer 200 in its time. The text is its name."""


@dataclass(frozen=True, slots=True)
class Image:
    """What the VMs of an image have in common: the template's MicrovmImage, and the code on this machine."""

    arn: str
    version: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    root: Path
    hooks: Mapping[Hook, float]  #: those that are ENABLED, with their time limits in seconds
    memory_mb: int = 512
    port: int = 8080  #: where the program listens, as a client names it
    hooks_port: int = 9000


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the guest's ports are on this machine, which all VMs share."""

    of_guest: Mapping[int, int]

    def environment(self, image: Image) -> dict[str, str]:
        """What tells the program its ports."""
        own = {"RELAY_PORT": image.port, "HOOKS_PORT": image.hooks_port}
        return {name: str(self.of_guest[port]) for name, port in own.items()} | {
            "RELAY_HOST": "127.0.0.1",
            "HOOKS_HOST": "127.0.0.1",
        }


class Snapshot:
    """A program that has started, said that it is ready, and was stopped there."""

    def __init__(self, child: Child, network: Network, ports: Ports, image: Image) -> None:
        self.child, self.network, self.ports, self.image = child, network, ports, image
        self._parts = AsyncExitStack()

    @classmethod
    async def take(cls, image: Image, ports: Ports, on_line: OnLine, cut: Cut = "resets") -> "Snapshot":
        """Start the program and wait for its /ready. Raises HookFailed, TimeoutError."""
        async with AsyncExitStack() as parts:
            network = await parts.enter_async_context(Network(cut))
            environment = network.outbound(image.environment) | ports.environment(image)
            child = await Child.start(image.command, environment, cwd=image.root, on_line=on_line)
            parts.push_async_callback(child.stop, 0)
            snapshot = cls(child, network, ports, image)
            async with asyncio.timeout(image.hooks["ready"]):
                await snapshot.until_ready()
            await network.cut()
            child.signal(signal.SIGSTOP)
            snapshot._parts = parts.pop_all()
            return snapshot

    async def until_ready(self) -> None:
        """Ask /ready until it answers 200. Raises HookFailed."""
        while not await self._is_ready():  # noqa: ASYNC110  # the program tells nobody by itself
            await asyncio.sleep(POLL_S)

    async def _is_ready(self) -> bool:
        """Raises HookFailed for any answer but 200 and 503, and for a program that has ended."""
        if not self.child.is_alive:
            raise HookFailed("ready")
        try:
            status = await self.call("ready", {})
        except OSError:
            return False
        if status not in {200, 503}:
            raise HookFailed("ready")
        return status == 200

    async def call(self, hook: Hook, body: Mapping[str, str]) -> int:
        """The hook's status. Raises OSError, aiohttp.ClientError while nobody listens."""
        url = f"http://127.0.0.1:{self.ports.of_guest[self.image.hooks_port]}{HOOKS}/{hook}"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status

    async def discard(self) -> None:
        """End the program, and what was connected to it."""
        await self._parts.aclose()


@dataclass(slots=True)
class Waking:
    """From the request until the VM runs, in epoch seconds."""

    asked_at: float
    done_at: float = 0.0  #: 0: not yet
    wakes: int = 0  #: of this VM, this one among them; 0: it is the launch


@dataclass(slots=True)
class Machine:
    """One VM from RunMicrovm on. Changes of its state are asked for by `fleet`, one at a time."""

    id: str
    image: Image
    payload: str
    longest_s: int
    endpoint: str
    state: State = "PENDING"
    reason: str = ""
    snapshot: Snapshot | None = None
    started_at: float = field(default_factory=time.time)
    waking: Waking = field(default_factory=lambda: Waking(time.time()))  #: the launch, or the latest wake
    ends_at: float = math.inf  #: at the latest, asleep or awake; once it has run
    ended_at: float = 0.0  #: 0: not yet
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  #: a change waits for the one before
    news: asyncio.Event = field(default_factory=asyncio.Event)  #: it has ended, or ends at another time

    async def run(self, snapshot: Snapshot) -> None:
        """Go on from the snapshot: /run, with the payload."""
        self.snapshot = snapshot
        snapshot.child.signal(signal.SIGCONT)
        if await self._passed("run", {"runHookPayload": self.payload}):
            self._now_runs()
            self.ends_at = time.time() + self.longest_s

    async def suspend(self, took_s: float) -> None:
        """/suspend, then stopped, with every connection cut."""
        assert self.snapshot
        self.state = "SUSPENDING"
        if not await self._passed("suspend"):
            return
        self.snapshot.child.signal(signal.SIGSTOP)
        await self.snapshot.network.cut()
        await asyncio.sleep(took_s)
        self.state = "SUSPENDED"

    async def wake(self, took_s: float) -> None:
        """Go on, then /resume."""
        assert self.snapshot
        self.waking = Waking(time.time(), wakes=self.waking.wakes + 1)
        await asyncio.sleep(took_s)
        self.snapshot.child.signal(signal.SIGCONT)
        if await self._passed("resume"):
            self._now_runs()

    def _now_runs(self) -> None:
        self.state, self.waking.done_at = "RUNNING", time.time()

    async def terminate(self, reason: str = "", *, is_told: bool = True) -> None:
        """/terminate where it runs, if `is_told`, then gone. Safe to call again."""
        if self.state == "TERMINATED":
            return
        was, self.state, self.reason = self.state, "TERMINATING", self.reason or reason
        if self.snapshot is not None:
            if is_told and was == "RUNNING" and "terminate" in self.image.hooks:
                await self._hooked("terminate", {})
            await self.snapshot.discard()
        self.state, self.ended_at = "TERMINATED", time.time()
        self.news.set()

    async def _passed(self, name: Hook, body: Mapping[str, str] | None = None) -> bool:
        """Call a hook, if the image has it. False when it failed, and so the VM has ended."""
        if name not in self.image.hooks or await self._hooked(name, body or {}):
            return True
        await self.terminate(f"The {name} hook failed.")
        return False

    async def _hooked(self, name: Hook, body: Mapping[str, str]) -> bool:
        assert self.snapshot
        try:
            async with asyncio.timeout(self.image.hooks[name]):
                return await self.snapshot.call(name, {"microvmId": self.id, **body}) == 200
        except (OSError, TimeoutError, aiohttp.ClientError):
            return False
