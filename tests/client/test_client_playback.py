"""The virtual speaker's truth, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from protocol.media import Playback
from vivavoce.playback import BUFFER_MS, VirtualSpeaker

pytestmark = pytest.mark.looptime


def voice(ms: int) -> bytes:
    """So much of the agent's audio."""
    return b"\x01\x00" * (24 * ms)


class Room:
    """A speaker that plays, and everything it reported with the time of the report."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.speaker = VirtualSpeaker(self.heard.extend)
        self.reports: list[tuple[float, Playback]] = []
        self.began_at = asyncio.get_running_loop().time()

    def report(self, playback: Playback) -> None:
        self.reports.append((round(asyncio.get_running_loop().time() - self.began_at, 3), playback))


@asynccontextmanager
async def open_room() -> AsyncIterator[Room]:
    """A speaker that plays until the block ends. No fixture: those run before time is virtual."""
    async with asyncio.TaskGroup() as tasks:
        room = Room()
        playing = tasks.create_task(room.speaker.run(room.report))
        await pass_time(0)  # it plays
        yield room
        playing.cancel()


async def pass_time(seconds: float) -> None:
    """Let virtual time go by."""
    loop = asyncio.get_running_loop()
    gone = loop.create_future()
    loop.call_later(seconds, gone.set_result, None)
    await gone


async def test_a_turn_is_started_progresses_each_second_and_drains() -> None:
    async with open_room() as room:
        for _ in range(125):
            room.speaker.play(1, voice(20))
        room.speaker.finish(1)
        await room.speaker.is_silent.wait()
        assert room.reports == [
            (0.0, Playback(1, "started", 0, 20)),
            (1.0, Playback(1, "progress", 1000, 1500)),
            (2.0, Playback(1, "progress", 2000, 500)),
            (2.5, Playback(1, "drained", 2500, 0)),
        ]
        assert len(room.heard) == len(voice(2500))


async def test_an_interruption_is_silent_at_once_and_says_what_was_heard() -> None:
    async with open_room() as room:
        room.speaker.play(1, voice(3000))
        await pass_time(0.333)
        assert room.speaker.flush(1) == 333
        assert room.reports[-1] == (0.333, Playback(1, "flushed", 333, 0))
        assert room.speaker.is_silent.is_set()
        await pass_time(5)
        assert len(room.heard) == len(voice(333)) and len(room.reports) == 2


async def test_an_interrupted_turn_leaves_the_next_one_in_place() -> None:
    async with open_room() as room:
        room.speaker.play(1, voice(1000))
        room.speaker.play(2, voice(100))
        room.speaker.finish(2)
        await pass_time(0.25)
        assert room.speaker.flush(1) == 250
        await room.speaker.is_silent.wait()
        assert [(report.turn, report.state, report.played_ms) for _, report in room.reports] == [
            (1, "started", 0),
            (1, "flushed", 250),
            (2, "started", 0),
            (2, "drained", 100),
        ]
        assert room.reports[-1][0] == 0.35


async def test_turns_play_one_after_the_other() -> None:
    async with open_room() as room:
        room.speaker.play(1, voice(200))
        room.speaker.play(2, voice(300))
        room.speaker.finish(2)
        await room.speaker.is_silent.wait()
        assert [(at, report.turn, report.state) for at, report in room.reports] == [
            (0.0, 1, "started"),
            (0.2, 1, "drained"),
            (0.2, 2, "started"),
            (0.5, 2, "drained"),
        ]


async def test_audio_that_comes_too_late_leaves_a_gap_that_is_not_counted_as_heard() -> None:
    async with open_room() as room:
        room.speaker.play(1, voice(100))
        await pass_time(1.0)
        assert room.reports[-1] == (0.1, Playback(1, "progress", 100, 0))  # ran dry, and said so
        assert not room.speaker.is_silent.is_set()
        room.speaker.play(1, voice(100))
        room.speaker.finish(1)
        await room.speaker.is_silent.wait()
        assert room.reports[-2:] == [
            (1.0, Playback(1, "progress", 100, 100)),
            (1.1, Playback(1, "drained", 200, 0)),
        ]


async def test_the_end_of_a_turn_may_be_known_after_it_was_played() -> None:
    async with open_room() as room:
        room.speaker.play(1, voice(100))
        await pass_time(0.4)
        room.speaker.finish(1)
        await room.speaker.is_silent.wait()
        assert room.reports[-1] == (0.4, Playback(1, "drained", 100, 0))


async def test_flushing_what_was_never_played_reports_nothing() -> None:
    async with open_room() as room:
        assert room.speaker.flush(7) == 0
        await pass_time(2)
        assert room.reports == []


async def test_what_no_answer_can_need_is_not_kept() -> None:
    async with open_room() as room:
        minute = voice(60_000)
        for _ in range(20):
            room.speaker.play(1, minute)
        assert room.speaker.buffered_ms <= BUFFER_MS + 60_000


async def test_nothing_drifts_over_half_an_hour() -> None:
    async with open_room() as room:
        for _ in range(3600):
            room.speaker.play(1, voice(500))
            await pass_time(0.5)
        room.speaker.finish(1)
        await room.speaker.is_silent.wait()
        at, last = room.reports[-1]
        assert last == Playback(1, "drained", 1_800_000, 0) and at == 1800.0
