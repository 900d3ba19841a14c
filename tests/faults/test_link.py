"""Each fault on a real loopback line: what it does to the bytes, and that it counts only where it acted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from infra.faults.link import Link
from infra.faults.toxics import (
    TOXICS,
    Bandwidth,
    Blackhole,
    Fault,
    Latency,
    Reset,
    Slicer,
    SlowClose,
    Timeout,
)

SENT = bytes(range(256)) * 40
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Far:
    """The server behind the link: keeps what it gets."""

    got: bytearray = field(default_factory=bytearray)
    pieces: list[int] = field(default_factory=list)
    error: Exception | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        try:
            while data := await reader.read(65_536):
                self.got += data
                self.pieces.append(len(data))
                self.news.set()
        except ConnectionError as error:
            self.error = error
        self.over.set()
        self.news.set()
        writer.close()

    async def until(self, count: int) -> None:
        while len(self.got) < count:
            self.news.clear()
            await self.news.wait()


@asynccontextmanager
async def line() -> AsyncIterator[tuple[Link, Far, Ends]]:
    """A client joined to a server through a link."""
    far = Far()
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
    async with server, Link("near-far") as link:
        link.target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        host, _, port = link.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        yield link, far, (reader, writer)
        writer.close()
        if far.writer is not None:
            far.writer.close()


async def test_without_a_fault_every_byte_passes_both_ways() -> None:
    async with line() as (link, far, (reader, writer)):
        writer.write(SENT)
        await far.until(len(SENT))
        assert far.writer is not None
        far.writer.write(b"back")
        assert await reader.readexactly(4) == b"back"
        writer.close()
        await far.over.wait()
    assert bytes(far.got) == SENT and far.error is None
    assert link.firings == {} and link.connections == set()


@pytest.mark.parametrize("after", [0, 1, 1_000, len(SENT) - 1])
async def test_a_reset_cuts_at_the_exact_byte(after: int) -> None:
    async with line() as (link, far, (reader, writer)):
        with link.injected(Reset(after), ways=("up",)) as active:
            writer.write(SENT)
            await far.over.wait()
            with pytest.raises(ConnectionError):
                await reader.readexactly(1)
            assert active.has_fired.is_set()
    assert bytes(far.got) == SENT[:after]
    assert isinstance(far.error, ConnectionResetError)
    assert link.firings == {("reset", "near-far"): 1}


async def test_a_reset_that_met_too_few_bytes_has_not_fired() -> None:
    async with line() as (link, far, (_, writer)):
        with link.injected(Reset(10_000_000)):
            writer.write(SENT)
            await far.until(len(SENT))
    assert link.firings == {}


@pytest.mark.parametrize("fault", [kind() for kind in TOXICS], ids=lambda fault: fault.kind)
async def test_a_fault_on_a_silent_line_has_not_fired(fault: Fault) -> None:
    async with line() as (link, _, _):
        with link.injected(fault):
            await asyncio.sleep(0)
    assert link.firings == {}


async def test_latency_is_late_and_loses_nothing() -> None:
    async with line() as (link, far, (_, writer)):
        with link.injected(Latency(0.05, 0.0)):
            writer.write(SENT)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await far.until(1)
            await far.until(len(SENT))
    assert bytes(far.got) == SENT and link.firings == {("latency", "near-far"): 1}


async def test_a_narrow_line_takes_its_time_and_opens_when_the_fault_is_lifted() -> None:
    loop = asyncio.get_running_loop()
    async with line() as (link, far, (_, writer)):
        with link.injected(Bandwidth(10_000.0)):
            began_at = loop.time()
            writer.write(SENT)
            await far.until(2_000)
            assert loop.time() - began_at >= 0.15
            assert len(far.got) < len(SENT)
        await far.until(len(SENT))
    assert bytes(far.got) == SENT and link.firings == {("bandwidth", "near-far"): 1}


async def test_a_slicer_makes_crumbs() -> None:
    async with line() as (link, far, (_, writer)):
        with link.injected(Slicer(size_bytes=100)):
            writer.write(SENT[:1_000])
            await far.until(1_000)
    assert bytes(far.got) == SENT[:1_000] and len(far.pieces) >= 5
    assert link.firings == {("slicer", "near-far"): 1}


async def test_a_blackhole_keeps_everything_until_it_is_lifted() -> None:
    async with line() as (link, far, (_, writer)):
        with link.injected(Blackhole()) as active:
            writer.write(SENT)
            await active.has_fired.wait()
            assert far.got == b""
        await far.until(len(SENT))
    assert bytes(far.got) == SENT and link.firings == {("blackhole", "near-far"): 1}


async def test_a_timeout_swallows_and_then_closes() -> None:
    async with line() as (link, far, (reader, writer)):
        with link.injected(Timeout(0.02), ways=("up",)):
            writer.write(SENT)
            assert await reader.read() == b""
            await far.over.wait()
    assert far.got == b"" and far.error is None
    assert link.firings == {("timeout", "near-far"): 1}


async def test_a_slow_close_is_heard_of_late() -> None:
    async with line() as (link, far, (_, writer)):
        with link.injected(SlowClose(delay_s=30.0), ways=("up",)) as active:
            writer.write(SENT)
            writer.write_eof()
            await far.until(len(SENT))
            await active.has_fired.wait()
            assert not far.over.is_set()
        await far.over.wait()
    assert link.firings == {("slow_close", "near-far"): 1}


async def test_only_so_many_connections_are_struck() -> None:
    async with line() as (link, far, (_, writer)):
        with link.injected(Reset(), most=1):
            writer.write(b"x")
            await far.over.wait()
            host, _, port = link.address.partition(":")
            _, second = await asyncio.open_connection(host, int(port))
            second.write(SENT)
            await far.until(len(SENT))
            second.close()
    assert link.firings == {("reset", "near-far"): 1}


async def test_a_target_that_is_not_there_is_a_reset() -> None:
    async with line() as (link, _, _):
        link.target = "127.0.0.1:1"
        host, _, port = link.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
        writer.close()
