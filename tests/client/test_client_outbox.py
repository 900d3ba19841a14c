"""What waits for the socket stays bounded, and in order."""

from __future__ import annotations

import asyncio

import pytest

from protocol.audio import encode_audio
from vivavoce.outbox import MESSAGES, Outbox

pytestmark = pytest.mark.looptime


def frame(seq: int) -> bytes:
    """20 ms of microphone audio."""
    return encode_audio(0, seq, bytes(640))


async def take_all(outbox: Outbox) -> list[str | bytes]:
    taken = []
    try:
        async with asyncio.timeout(1):
            while True:
                taken.append(await outbox.take())
    except TimeoutError:
        return taken


async def test_order_is_kept_between_audio_and_messages() -> None:
    outbox = Outbox()
    outbox.open([])
    outbox.audio(frame(0))
    await outbox.message("end of speech")
    outbox.audio(frame(1))
    assert await take_all(outbox) == [frame(0), "end of speech", frame(1)]
    assert outbox.queued_ms == 0


async def test_only_the_newest_two_seconds_of_audio_wait() -> None:
    outbox = Outbox()
    outbox.open([])
    await outbox.message("hello")
    for seq in range(150):
        outbox.audio(frame(seq))
    assert outbox.queued_ms == 2000 and outbox.dropped_ms == 1000
    assert await take_all(outbox) == ["hello"] + [frame(seq) for seq in range(50, 150)]


async def test_a_break_keeps_messages_and_leaves_audio_to_the_session() -> None:
    outbox = Outbox()
    await outbox.message("early")
    assert await take_all(outbox) == []
    outbox.open([])
    outbox.audio(frame(0))
    outbox.close()
    outbox.audio(frame(1))
    outbox.report("how things stand")
    await outbox.message("late")
    outbox.open([frame(0), frame(1)])
    assert await take_all(outbox) == [frame(0), frame(1), "early", "late"]


async def test_what_could_not_be_written_is_the_first_of_the_next_connection() -> None:
    outbox = Outbox()
    outbox.open([])
    await outbox.message("first")
    await outbox.message("second")
    outbox.put_back(await outbox.take())
    outbox.put_back(frame(0))
    assert await take_all(outbox) == ["first", "second"]


async def test_too_many_messages_make_their_sender_wait() -> None:
    outbox = Outbox()
    for number in range(MESSAGES):
        await outbox.message(str(number))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(outbox.message("one more"))
        done, _ = await asyncio.wait({waiting}, timeout=60)
        assert not done
        outbox.open([])
        assert await outbox.take() == "0"
    assert (await take_all(outbox))[-1] == "one more"
