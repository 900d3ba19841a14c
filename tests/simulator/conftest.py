"""Simulators for the tests of this room: on the loopback, in fast time."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from simulator import Config, Running, serve
from simulator.speech import samples
from simulator.speech.samples import Sample

# pytest-asyncio asks for a current loop before its first test. Where none was ever set, asyncio makes one
# that nobody closes, and with warnings as errors the run fails at its very end.
asyncio.set_event_loop(None)

SCALE = 40.0  #: virtual seconds in a real one


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with serve(Config(time_scale=SCALE)) as up:
        yield up


@pytest.fixture(scope="session")
def known() -> dict[str, Sample]:
    return {sample.name: sample for sample in samples.load_all()}
