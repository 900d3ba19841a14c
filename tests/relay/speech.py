"""A user who speaks into a listener's microphone, in the test's own time."""

from __future__ import annotations

import asyncio
import functools
import random

from tests.relay import sounds
from tests.relay.calls import Listener
from tests.relay.sounds import HZ


@functools.cache
def question() -> list[bytes]:
    """Three and a half seconds of speech, and a quarter of a second of quiet."""
    return [*sounds.frames(sounds.at_level(sounds.spoken()["question"], -22))]


@functools.cache
def quiet() -> list[bytes]:
    """A second of nothing."""
    return [*sounds.frames(sounds.quiet(1.0, random.Random(1)))]


def talk(seconds: float) -> list[bytes]:
    """So much speech, without a pause."""
    said = question()[:175]
    return [said[number % len(said)] for number in range(round(seconds * 50))]


async def speak(listener: Listener, frames: list[bytes], first: int = 0) -> int:
    """In real time. Returns the next frame's number."""
    for number, pcm in enumerate(frames, first):
        listener.speak(number, pcm)
        await asyncio.sleep(len(pcm) / 2 / HZ)
    return first + len(frames)


async def hush(listener: Listener, seconds: float, first: int) -> int:
    """An open microphone in a quiet room. Returns the next frame's number."""
    for _ in range(round(seconds)):
        first = await speak(listener, quiet(), first)
    return first
