"""Pace and content of the recorded microphone, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from vivavoce.microphone import AHEAD_FRAMES, SILENCE, Microphone

pytestmark = pytest.mark.looptime

LOUD = b"\x00\x40\x00\xc0" * 160  #: 20 ms
HUM = b"\x08\x00\xf8\xff" * 160  #: 20 ms of a noise floor


class Listener:
    """Takes the frames, slowly if asked, and notes when they came."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.at: list[float] = []
        self.delay_s = 0.0

    async def send(self, frame: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.frames.append(frame)
        self.at.append(round(loop.time(), 4))
        if self.delay_s:
            late = loop.create_future()
            loop.call_later(self.delay_s, late.set_result, None)
            self.delay_s = 0.0
            await late

    async def run(self, microphone: Microphone, seconds: float) -> None:
        """Listen for so long."""
        try:
            async with asyncio.timeout(seconds):
                await microphone.run()
        except TimeoutError:
            return


async def test_frames_come_every_20_ms_without_drift() -> None:
    listener = Listener()
    began_at = asyncio.get_running_loop().time()
    await listener.run(Microphone(listener.send), 60.01)
    assert len(listener.frames) == 3000
    assert listener.at[-1] - began_at == pytest.approx(60.0, abs=0.001)


async def test_a_stall_is_made_up_for() -> None:
    listener = Listener()
    listener.delay_s = 0.1
    await listener.run(Microphone(listener.send), 0.205)
    assert listener.at == [0.02, 0.12, 0.12, 0.12, 0.12, 0.12, 0.14, 0.16, 0.18, 0.2]


async def test_a_recording_is_spoken_between_silences() -> None:
    listener, said = Listener(), []
    microphone = Microphone(listener.send)

    async def say() -> None:
        said.append(await microphone.say(LOUD * 2 + SILENCE * 3))
        said.append(await microphone.say(LOUD + b"\x00\x40" * 10))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(say())
        await listener.run(microphone, 0.185)
    assert listener.frames[:5] == [LOUD, LOUD, SILENCE, SILENCE, SILENCE]
    assert listener.frames[5] == LOUD and listener.frames[6] == (b"\x00\x40" * 10).ljust(640, b"\0")
    assert listener.frames[7:] == [SILENCE, SILENCE]
    assert [round(at, 3) for at in said] == [0.04, 0.14]  # when the words were over, not the recordings


@pytest.mark.parametrize(
    ("frames", "ends_at_s"),
    [
        ([HUM, LOUD, HUM, LOUD, HUM, SILENCE], 0.08),
        ([HUM, HUM, LOUD], 0.06),
        ([SILENCE, SILENCE], 0.02),
        ([LOUD, *[SILENCE] * 2 * AHEAD_FRAMES], 0.02),
    ],
)
async def test_speech_ends_at_the_last_loud_frame(frames: list[bytes], ends_at_s: float) -> None:
    listener, began_at = Listener(), asyncio.get_running_loop().time()
    microphone = Microphone(listener.send)
    async with asyncio.TaskGroup() as tasks:
        saying = tasks.create_task(microphone.say(iter(frames)))
        await listener.run(microphone, 0.02 * len(frames) + 0.01)
    assert saying.result() - began_at == pytest.approx(ends_at_s, abs=0.001)
    assert listener.frames == frames


async def test_a_long_recording_is_read_as_it_is_spoken() -> None:
    read = 0

    def hours() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield LOUD

    listener = Listener()
    microphone = Microphone(listener.send)
    async with asyncio.TaskGroup() as tasks:
        saying = tasks.create_task(microphone.say(hours()))
        await listener.run(microphone, 30.01)
        saying.cancel()
    assert listener.frames == [LOUD] * 1500 and read <= 1500 + AHEAD_FRAMES + 1


async def test_saying_nothing_is_over_at_once() -> None:
    listener = Listener()
    microphone = Microphone(listener.send)
    async with asyncio.TaskGroup() as tasks:
        saying = tasks.create_task(microphone.say(b""))
        await listener.run(microphone, 0.05)
    assert saying.result() == pytest.approx(0.02)
