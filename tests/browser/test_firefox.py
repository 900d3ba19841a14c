"""The console page in Firefox, with a loudspeaker and a microphone, against the whole local stack."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from simulator.audio import tones
from tests.browser.conftest import Missing, System, install, missing
from tests.browser.drive import QUESTION, recording
from tests.browser.firefox import Page, firefox
from tests.browser.loudspeaker import RATE_HZ, Machine, loudspeaker

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

BROWSERS = ("firefox-esr", "firefox")
TRIES = 5  #: calls, of which a busy machine may tear holes into some answers
KNOWN = 2  #: calls whose answer is known again


@pytest.fixture(scope="module")
def program() -> Iterator[str]:
    """Where Firefox lies, with a sound server beside it. Skips, loudly, when they cannot be had."""
    try:
        yield install("firefox-esr", os.environ.get("FIREFOX"), BROWSERS)
        install("pulseaudio", None, ("pulseaudio",))
        install("pulseaudio-utils", None, ("parec",))
    except Missing as reason:
        missing(reason)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def machine(program: str) -> AsyncIterator[Machine]:
    folder = tempfile.mkdtemp(prefix="sound")
    try:
        async with loudspeaker(Path(folder)) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="session")
async def page(program: str, machine: Machine, system: System) -> AsyncIterator[Page]:
    async with firefox(program, machine.environment) as opened:
        await opened.open(system.page)
        yield opened


async def test_a_spoken_question_is_answered_from_the_loudspeaker_and_the_page_stays_alive(
    page: Page, machine: Machine, system: System, tmp_path: Path
) -> None:
    question = recording(tmp_path / "question.wav", QUESTION, 0.5)
    known = 0
    for _ in range(TRIES):  # a context each
        await page.press("Start talking")
        await page.becomes("Listening")
        async with machine.recorded() as heard:
            await machine.say(question)
            await page.becomes("Speaking")
            await page.becomes("Listening")
        await page.press("End call")
        await page.becomes("Call ended")
        answer = system.simulator.ledger.where("answer.begun")[-1]
        codes = [code for code, _ in tones.find(bytes(heard), RATE_HZ)]
        assert codes in ([], [answer["code"]])
        known += len(codes)
        if known == KNOWN:
            return
    pytest.fail(f"the answer was known again in {known} of {TRIES} calls")
