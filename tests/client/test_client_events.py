"""The queue between the connection and the reader of events."""

from __future__ import annotations

import asyncio

import pytest

from protocol.audio import AudioFrame
from protocol.limits import REPLAY_EVENTS
from protocol.media import TurnEnded
from vivavoce import VoiceError
from vivavoce.events import EventQueue

pytestmark = pytest.mark.looptime


async def test_a_full_queue_makes_the_writer_wait_for_the_reader() -> None:
    events = EventQueue()
    for turn in range(REPLAY_EVENTS):
        await events.put(TurnEnded(turn, "agent"))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(events.put(TurnEnded(9, "user")))
        done, _ = await asyncio.wait({waiting}, timeout=60)
        assert not done
        reader = events.read()
        await anext(reader)
        await asyncio.wait_for(waiting, 60)


async def test_closing_frees_a_writer_that_waits() -> None:
    events = EventQueue()
    for turn in range(REPLAY_EVENTS):
        await events.put(TurnEnded(turn, "agent"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(events.put(TurnEnded(9, "user")))
        events.close(None)
    assert len([event async for event in events.read()]) == REPLAY_EVENTS + 1


async def test_what_was_queued_is_read_before_the_failure_is_raised() -> None:
    events = EventQueue()
    await events.put(AudioFrame(1, 0, b""))
    await events.put(AudioFrame(2, 1, b""))
    events.drop_audio(1)
    events.close(VoiceError.of("connection_lost"))
    events.close(None)  # the first word counts
    reader = events.read()
    assert await anext(reader) == AudioFrame(2, 1, b"")
    with pytest.raises(VoiceError):
        await anext(reader)
