"""A way up of 128 kbit/s, half of what PCM takes: the question goes up as ADPCM, and is answered."""

from __future__ import annotations

import asyncio

import pytest

from infra.faults.toxics import Bandwidth
from protocol import media
from simulator.audio import tones
from simulator.audio.similarity import similarity
from tests import dialect
from tests.e2e.conftest import System
from tests.e2e.talk import QUESTION, user
from vivavoce import Quality

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]

BYTES_PER_S = 16_000
SETTLES_S = 6.0  #: until what was under way as PCM has arrived


async def test_a_question_on_a_narrow_line_is_understood_and_answered(system: System) -> None:
    assert system.media is not None
    async with user(system) as visitor:
        with system.media.injected(Bandwidth(BYTES_PER_S), ways=("up",)) as active:
            await visitor.until(Quality)
            await asyncio.sleep(SETTLES_S)
            await visitor.microphone.say(QUESTION)
            await visitor.until(media.TurnEnded, count=2)
            active.lifted.set()
        await visitor.speaker.is_silent.wait()
        (quality,) = visitor.of(Quality)
    assert isinstance(quality, Quality) and quality.quality == "narrow"
    assert visitor.said("user") == "Could you tell me when the next train leaves?"
    codes = dialect.codes(system.simulator.ledger.where("answer.begun"))
    assert [code for code, _ in tones.find(bytes(visitor.heard))] == codes
    assert similarity(QUESTION, bytes(visitor.heard)) > 0.9  # the simulator says what it heard
