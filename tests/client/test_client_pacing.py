"""The client sends no faster than the relay takes, so that nothing of a recording or a document is lost."""

from __future__ import annotations

import asyncio

import pytest

from protocol import media
from protocol.audio import encode_audio
from protocol.codec import encode
from protocol.limits import (
    FRAME_MAX_MS,
    IMAGE_CHARS,
    TEXT_CHARS,
    TEXT_CHARS_BURST,
    TEXT_CHARS_PER_S,
    UPLINK_MS_PER_S,
)
from protocol.media import Agent, Live, LiveLimits
from protocol.server import ServerSession
from vivavoce.pacing import Pacing


def now() -> float:
    return asyncio.get_running_loop().time()


def live() -> ServerSession:
    session = ServerSession(1, now())
    session.receive_text(encode(media.Hello([1])), now())
    session.go_live(Live("s", 0, Agent("a"), LiveLimits(1, 1)))
    return session


@pytest.mark.looptime
@pytest.mark.parametrize("frame_ms", [20, 100])
async def test_a_recording_that_is_sent_at_once_arrives_whole(frame_ms: int) -> None:
    pacing, session = Pacing(), live()
    handed: list[int] = []
    pcm = bytes(32 * frame_ms)
    began_at = now()
    for seq in range(30_000 // frame_ms):
        await pacing.audio(pcm)
        handed += [frame.seq for frame in session.receive_audio(encode_audio(0, seq, pcm), now())]
    handed += [frame.seq for frame in session.audio_due(now() + 1)]
    assert handed == list(range(30_000 // frame_ms)) and session.uplink_dropped_ms == 0
    assert now() - began_at == pytest.approx((30_000 - 2_000) / UPLINK_MS_PER_S, rel=0.05)


@pytest.mark.looptime
@pytest.mark.parametrize("every_s", [0.1, 0.0995])
async def test_a_microphone_never_waits(every_s: float) -> None:
    """Nor one whose clock is half a percent fast, though it gains more than may wait in the meantime."""
    pacing = Pacing()
    for _ in range(round(600 / every_s)):
        await asyncio.sleep(every_s)
        before = now()
        await pacing.audio(bytes(32 * FRAME_MAX_MS))
        assert now() == before


@pytest.mark.looptime
async def test_a_long_document_is_sent_as_fast_as_it_is_taken() -> None:
    pacing, session = Pacing(), live()
    began_at, messages = now(), 20
    for _ in range(messages):
        message = media.Text("x" * TEXT_CHARS, respond=False)
        await pacing.message(message)
        assert session.receive_text(encode(message), now()) == message
    waited_s = (messages * TEXT_CHARS - TEXT_CHARS_BURST) / TEXT_CHARS_PER_S
    assert now() - began_at == pytest.approx(waited_s, rel=0.01)


@pytest.mark.looptime
async def test_who_came_first_is_sent_first_and_what_is_no_text_never_waits() -> None:
    pacing, order = Pacing(), []

    async def send(name: str, message: media.ClientMessage) -> None:
        await pacing.message(message)
        order.append(name)

    for _ in range(TEXT_CHARS_BURST // IMAGE_CHARS):
        await pacing.message(media.Image("image/png", b"x"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send("long", media.Text("x" * TEXT_CHARS)))
        tasks.create_task(send("short", media.Context("x")))
        tasks.create_task(send("ping", media.Ping(1.0)))
    assert order == ["ping", "long", "short"]
