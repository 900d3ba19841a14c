"""The queue to the model: order, bounds, batches."""

from __future__ import annotations

import asyncio

from gemini.messages import FlushAudio
from protocol.audio import AudioFrame
from relay.model.uplink_queue import Speech, UplinkQueue

MS20 = bytes(640)


def frame(seq: int) -> AudioFrame:
    return AudioFrame(0, seq, MS20)


async def test_one_frame_at_a_time_when_nothing_has_piled_up() -> None:
    queue = UplinkQueue()
    queue.put_audio(frame(0))
    assert await queue.get() == Speech(0, MS20)
    assert queue.queued_ms == 0


async def test_what_piled_up_is_handed_on_in_larger_pieces_and_in_order() -> None:
    queue = UplinkQueue()
    for seq in range(7):
        queue.put_audio(frame(seq))
    first, second = await queue.get(), await queue.get()
    assert isinstance(first, Speech) and isinstance(second, Speech)
    assert (first.seq, len(first.pcm), second.seq, len(second.pcm)) == (4, 5 * 640, 6, 2 * 640)


async def test_a_command_keeps_its_place_between_frames() -> None:
    queue = UplinkQueue()
    queue.put_audio(frame(0))
    queue.put_command(FlushAudio())
    queue.put_audio(frame(1))
    assert [await queue.get() for _ in range(3)] == [Speech(0, MS20), FlushAudio(), Speech(1, MS20)]


async def test_the_oldest_audio_is_dropped_and_counted_but_no_command() -> None:
    queue = UplinkQueue(limit_ms=60)
    queue.put_command(FlushAudio())
    for seq in range(5):
        queue.put_audio(frame(seq))
    assert queue.dropped_ms == 40 and queue.queued_ms == 60
    assert await queue.get() == FlushAudio()
    assert await queue.get() == Speech(4, MS20 * 3)


async def test_get_waits_for_what_comes() -> None:
    queue = UplinkQueue()
    waiting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.put_audio(frame(3))
    assert await waiting == Speech(3, MS20)
