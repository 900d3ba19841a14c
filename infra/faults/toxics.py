"""Faults of a link, named as toxiproxy's toxics (https://github.com/Shopify/toxiproxy#toxics).

A fault handles one stretch of bytes on its way and hands it `onward`, now, later, in pieces or not at all. It
calls `at.fired()` where it acts on bytes, and only there: a fault without traffic has not fired.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

Onward = Callable[[bytes], Awaitable[None]]
TICK_S = 0.02  #: interval in which a link of limited bandwidth passes bytes


class Cut(Exception):
    """Raised to end the connection. `by_reset`: with a TCP reset, else with an orderly close."""

    def __init__(self, by_reset: bool) -> None:
        super().__init__(by_reset)
        self.by_reset = by_reset


@dataclass
class Passage:
    """One direction of one connection, as one fault sees it."""

    lifted: asyncio.Event  #: the fault is over
    fired: Callable[[], None]
    chance: random.Random
    passed_bytes: int = field(default=0)  #: since the fault began here

    async def pause(self, seconds: float) -> None:
        """Wait, unless the fault is lifted before."""
        try:
            async with asyncio.timeout(seconds):
                await self.lifted.wait()
        except TimeoutError:
            pass


class Fault(Protocol):
    """Port of a fault: how it treats the bytes of a link."""

    kind: ClassVar[str]

    async def carry(self, data: bytes, at: Passage, onward: Onward) -> None:
        """Hand `data` on in this fault's way. Raises Cut."""

    async def end(self, at: Passage) -> None:
        """Delay the end of the stream: returns when it may be passed on."""


class _AtOnce:
    """Mixin: the end of a stream passes at once."""

    async def end(self, at: Passage) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Latency(_AtOnce):
    """Delay all bytes."""

    kind: ClassVar[str] = "latency"
    delay_s: float = 0.2
    jitter_s: float = 0.1

    async def carry(self, data: bytes, at: Passage, onward: Onward) -> None:
        at.fired()
        await at.pause(self.delay_s + at.chance.uniform(0, self.jitter_s))
        await onward(data)


@dataclass(frozen=True, slots=True)
class Bandwidth(_AtOnce):
    """Limit the bytes that pass in a second."""

    kind: ClassVar[str] = "bandwidth"
    bytes_per_s: float = 20_000.0

    async def carry(self, data: bytes, at: Passage, onward: Onward) -> None:
        step = max(1, round(self.bytes_per_s * TICK_S))
        while data and not at.lifted.is_set():
            at.fired()
            await at.pause(min(len(data), step) / self.bytes_per_s)
            await onward(data[:step])
            data = data[step:]
        if data:
            await onward(data)


@dataclass(frozen=True, slots=True)
class Reset(_AtOnce):
    """Send both ends a TCP reset after exactly `after_bytes` (toxiproxy: reset_peer)."""

    kind: ClassVar[str] = "reset"
    after_bytes: int = 0

    async def carry(self, data: bytes, at: Passage, onward: Onward) -> None:
        left = self.after_bytes - at.passed_bytes
        at.passed_bytes += len(data)
        if len(data) < left:
            return await onward(data)
        if left > 0:
            await onward(data[:left])
        at.fired()
        raise Cut(by_reset=True)


@dataclass(frozen=True, slots=True)
class SlowClose:
    """Delay the close of one end to the other. After `after_bytes`, if any, close both ends."""

    kind: ClassVar[str] = "slow_close"
    delay_s: float = 1.0
    after_bytes: int | None = None

    async def carry(self, data: bytes, at: Passage, onward: Onward) -> None:
        at.passed_bytes += len(data)
        await onward(data)
        if self.after_bytes is not None and at.passed_bytes >= self.after_bytes:
            await self.end(at)
            raise Cut(by_reset=False)

    async def end(self, at: Passage) -> None:
        at.fired()
        await at.pause(self.delay_s)


@dataclass(frozen=True, slots=True)
class Timeout(_AtOnce):
    """Drop all bytes, and close the connection after `after_s`."""

    kind: ClassVar[str] = "timeout"
    after_s: float = 1.0

    async def carry(self, data: bytes, at: Passage, onward: Onward) -> None:
        at.fired()
        await asyncio.sleep(self.after_s)  # not `pause`: dropped bytes cannot be delivered later
        raise Cut(by_reset=False)


@dataclass(frozen=True, slots=True)
class Slicer(_AtOnce):
    """Split the bytes into small pieces."""

    kind: ClassVar[str] = "slicer"
    size_bytes: int = 64
    delay_s: float = 0.002
    pieces: int = 200  #: of one stretch; the rest of it comes whole

    async def carry(self, data: bytes, at: Passage, onward: Onward) -> None:
        for _ in range(self.pieces):
            if not data or at.lifted.is_set():
                break
            at.fired()
            await onward(data[: self.size_bytes])
            data = data[self.size_bytes :]
            await at.pause(self.delay_s)
        if data:
            await onward(data)


@dataclass(frozen=True, slots=True)
class Blackhole:
    """Hold all bytes and closes until the fault is lifted, then deliver them."""

    kind: ClassVar[str] = "blackhole"

    async def carry(self, data: bytes, at: Passage, onward: Onward) -> None:
        at.fired()
        await at.lifted.wait()
        await onward(data)

    async def end(self, at: Passage) -> None:
        await at.lifted.wait()


TOXICS: tuple[type[Fault], ...] = (Latency, Bandwidth, Reset, SlowClose, Timeout, Slicer, Blackhole)
