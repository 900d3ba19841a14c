"""Fault proxy on one link of the system. Bytes pass unchanged until a fault is injected.

Not toxiproxy: a connection must be cut at an exact byte, and a fault must report where it acted.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Self

from infra.faults.toxics import Cut, Fault, Onward, Passage
from infra.local.background import Background
from infra.local.endpoint import listen

COPY_BYTES = 64 * 1024
DIAL_S = 5.0
RESET = struct.pack("ii", 1, 0)  #: SO_LINGER of zero: the socket's close is a TCP reset
MANY = 1_000_000  #: connections: all of them

Way = Literal["up", "down"]  #: up: from the side that connects
Firings = Counter[tuple[str, str]]  #: (kind, link) to how many faults have acted there


@dataclass
class ActiveFault:
    """A fault on a link, in one direction or both, for the first `most` connections with traffic."""

    fault: Fault
    link: str
    ways: tuple[Way, ...]
    most: int
    chance: random.Random
    lifted: asyncio.Event = field(default_factory=asyncio.Event)
    has_fired: asyncio.Event = field(default_factory=asyncio.Event)
    _passages: dict[tuple[int, Way], Passage] = field(default_factory=dict)

    def passage(self, connection: int, way: Way) -> Passage | None:
        """State of this fault in that direction of that connection; None: it does not apply there."""
        if self.lifted.is_set() and (connection, way) not in self._passages:
            return None
        if way not in self.ways:
            return None
        known = {number for number, _ in self._passages}
        if connection not in known and len(known) >= self.most:
            return None
        fresh = Passage(self.lifted, self.has_fired.set, self.chance)
        return self._passages.setdefault((connection, way), fresh)


class Link:
    """`async with Link("relay-gemini") as link:` set `target` to host:port, and dial `address`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.target = ""  #: host:port, set before anybody dials
        self.firings: Firings = Counter()
        self.active_faults: list[ActiveFault] = []
        self.connections: set[int] = set()  #: those that are open
        self.carried_bytes = 0
        self._count = 0
        self._listener = listen()
        self._tasks = Background()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        host, port = self._listener.getsockname()[:2]
        return f"{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, sock=self._listener, limit=COPY_BYTES)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        await self._tasks.__aexit__()
        await self._server.wait_closed()

    @contextmanager
    def injected(
        self,
        fault: Fault,
        *,
        ways: tuple[Way, ...] = ("up", "down"),
        most: int = MANY,
        chance: random.Random | None = None,
    ) -> Iterator[ActiveFault]:
        """Inject the fault into the link during the block."""
        active = ActiveFault(fault, self.name, ways, most, chance or random.Random(0))
        self.active_faults.append(active)
        try:
            yield active
        finally:
            active.lifted.set()
            self.active_faults.remove(active)
            if active.has_fired.is_set():
                self.firings[fault.kind, self.name] += 1

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        self._tasks.start(self._serve(self._count, reader, writer), name=f"{self.name} {self._count}")

    async def _serve(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(number)
        ends = [writer]
        try:
            host, _, port = self.target.rpartition(":")
            async with asyncio.timeout(DIAL_S):
                far_reader, far_writer = await asyncio.open_connection(host, int(port), limit=COPY_BYTES)
            ends.append(far_writer)
            for end in ends:
                end.transport.set_write_buffer_limits(0)  # `drain` returns when the kernel has it all
            await self._both_ways(number, (reader, writer), (far_reader, far_writer))
        except* Cut as cuts:
            if any(cut.by_reset for cut in _leaves(cuts)):
                _reset(ends)
        except* (OSError, ValueError):  # an end is gone, or was never there
            _reset(ends)
        finally:
            for end in ends:
                end.close()
            self.connections.discard(number)

    async def _both_ways(self, number: int, near: Pair, far: Pair) -> None:
        async with asyncio.TaskGroup() as ways:
            ways.create_task(self._copy(number, "up", near[0], far[1]))
            ways.create_task(self._copy(number, "down", far[0], near[1]))

    async def _copy(
        self, number: int, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        async def deliver(data: bytes) -> None:
            self.carried_bytes += len(data)
            sink.write(data)
            await sink.drain()

        while data := await source.read(COPY_BYTES):
            await self._onward(number, way, list(self.active_faults), deliver)(data)
        for active in list(self.active_faults):
            if passage := active.passage(number, way):
                await active.fault.end(passage)
        if sink.can_write_eof() and not sink.is_closing():
            sink.write_eof()

    def _onward(self, number: int, way: Way, faults: list[ActiveFault], deliver: Onward) -> Onward:
        """Chain of all active faults, in the order in which they were injected."""
        onward = deliver
        for active in reversed(faults):
            if passage := active.passage(number, way):
                onward = partial(_carry, active.fault, passage, onward)
        return onward


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _carry(fault: Fault, passage: Passage, onward: Onward, data: bytes) -> None:
    await fault.carry(data, passage, onward)


def _leaves(group: BaseExceptionGroup[Cut]) -> Iterator[Cut]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _reset(ends: list[asyncio.StreamWriter]) -> None:
    """End with a TCP reset, so that a reader gets an error and not an end of stream."""
    for end in ends:
        raw: socket.socket | None = end.get_extra_info("socket")
        if raw is not None and not end.transport.is_closing():
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.transport.abort()
