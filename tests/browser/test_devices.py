"""Devices pulled out, plugged in and chosen in a call: the agent hears again, or the user is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio

from simulator.audio import tones
from tests.browser.conftest import System
from tests.browser.drive import WORDS
from tests.browser.rig.page import Page
from tests.browser.rig.plain import PlainCall, talking
from tests.browser.rig.sound import LOUDSPEAKER, MICROPHONE, RATE_HZ, Machine

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),
    pytest.mark.parametrize("page", ["chromium", "firefox"], indirect=True, scope="module"),
]

TRIES = 3  #: into some of which a busy machine tears holes
LATE_S = 8.0  #: what is not heard by then is not heard at all
SECOND, HEADSET, HEADPHONES = "second", "headset", "headphones"
HEADSET_HZ = 16_000  #: what a headset's microphone has when both ways go over Bluetooth


@pytest_asyncio.fixture(loop_scope="session")
async def desk(machine: Machine) -> AsyncIterator[Machine]:
    """The machine as it was at the start, and will be again, whatever a test pulls out of it."""
    await machine.tidy()
    yield machine
    await machine.tidy()


@pytest_asyncio.fixture(loop_scope="session")
async def call(page: Page, desk: Machine, plain: str, system: System) -> AsyncIterator[PlainCall]:
    async with talking(page, plain, system.page, system.simulator.ledger) as begun:
        yield begun


async def is_heard(call: PlainCall, desk: Machine, said: str, into: str) -> None:
    """Say the question into a microphone until the model hears its words."""
    before = len(call.model.lines("utterance.heard"))
    for _ in range(TRIES):
        count = len(call.model.lines("utterance.heard"))
        await desk.say(said, into)
        with suppress(TimeoutError):
            line = await call.model.line("utterance.heard", count + 1, within_s=LATE_S)
            if line["text"] == WORDS:
                return
    heard = [line["text"] for line in call.model.lines("utterance.heard")[before:]]
    pytest.fail(f"what was said into {into}, {TRIES} times, came as {heard}; {await call.state()}")


async def is_told(call: PlainCall, *codes: str) -> None:
    """Wait until the page has been told one of these."""
    await call.page.comes(
        f"told.some(({{ name, code }}) => name === 'error' && {list(codes)}.includes(code))"
    )


async def sounds(call: PlainCall, desk: Machine, out_of: str) -> bool:
    """Whether the answer to a typed question comes out of this loudspeaker; a busy machine may try thrice."""
    for _ in range(TRIES):
        answers = len(call.model.lines("answer.begun"))
        async with desk.recorded(out_of) as heard:
            await call.page.run("client.sendText('Which platform?')")
            code = (await call.model.line("answer.begun", answers + 1))["code"]
            await call.agent_is("speaking")
            await call.agent_is("listening")
        if code in [found for found, _ in tones.find(bytes(heard), RATE_HZ)]:
            return True
    return False


async def test_a_microphone_that_is_pulled_out_gives_way_to_another(
    call: PlainCall, desk: Machine, said: str
) -> None:
    await desk.plug_microphone(SECOND)
    await is_heard(call, desk, said, MICROPHONE)
    await desk.unplug(MICROPHONE)
    await is_heard(call, desk, said, SECOND)


async def test_the_only_microphone_pulled_out_is_told_and_a_new_one_is_heard(
    call: PlainCall, desk: Machine, said: str
) -> None:
    await desk.unplug(MICROPHONE)
    await is_told(call, "mic_lost", "mic_silent")  # silent: the system puts the loudspeaker's monitor there
    await desk.plug_microphone(SECOND)
    assert await call.choose("mic", SECOND) is None
    await is_heard(call, desk, said, SECOND)


async def test_the_system_choice_of_a_microphone_is_followed_or_the_one_that_is_shown_is_heard(
    call: PlainCall, desk: Machine, said: str
) -> None:
    await desk.plug_microphone(SECOND)
    await desk.prefer(microphone=SECOND)
    shown = (await call.state())["mic"]["label"]
    await is_heard(call, desk, said, MICROPHONE if shown == MICROPHONE else SECOND)


async def test_a_headset_of_16_khz_is_heard_and_when_it_goes_another_is(
    call: PlainCall, desk: Machine, said: str
) -> None:
    await desk.plug_microphone(HEADSET, HEADSET_HZ)
    assert await call.choose("mic", HEADSET) is None
    assert (await call.state())["mic"]["label"] == HEADSET
    await is_heard(call, desk, said, HEADSET)
    await desk.unplug(HEADSET)
    await is_heard(call, desk, said, MICROPHONE)


async def test_a_microphone_that_is_not_there_is_told_and_the_system_choice_is_heard_again(
    call: PlainCall, desk: Machine, said: str
) -> None:
    assert await call.page.run("codeOf(client.mic.setDevice('gone'))") == "mic_not_found"
    assert (await call.state())["mic"]["status"] == "error"
    assert await call.choose("mic", None) is None
    await is_heard(call, desk, said, MICROPHONE)


async def test_a_microphone_chosen_while_muted_is_heard_when_that_ends(
    call: PlainCall, desk: Machine, said: str
) -> None:
    await desk.plug_microphone(SECOND)
    await call.page.run("client.mic.setMuted(true)")
    assert await call.choose("mic", SECOND) is None
    await desk.say(said, SECOND)
    assert call.model.lines("speech.started") == []
    await call.page.run("client.mic.setMuted(false)")
    await is_heard(call, desk, said, SECOND)


async def test_a_chosen_speaker_sounds_until_the_system_choice_is_chosen_again(
    call: PlainCall, desk: Machine
) -> None:
    await desk.plug_loudspeaker(HEADPHONES)
    assert await call.choose("speaker", HEADPHONES) is None
    assert await sounds(call, desk, HEADPHONES)
    assert await call.choose("speaker", None) is None
    assert await sounds(call, desk, LOUDSPEAKER)


async def test_a_chosen_speaker_that_is_pulled_out_gives_way_to_another(
    call: PlainCall, desk: Machine
) -> None:
    await desk.plug_loudspeaker(HEADPHONES)
    assert await call.choose("speaker", HEADPHONES) is None
    await desk.unplug(HEADPHONES)  # so soon that Firefox may tell neither that it came nor that it went
    assert await sounds(call, desk, LOUDSPEAKER)
    assert "deviceId" not in (await call.state())["speaker"]


async def test_a_speaker_pulled_out_in_a_call_gives_way_to_another(call: PlainCall, desk: Machine) -> None:
    await desk.plug_loudspeaker(HEADPHONES)
    assert await sounds(call, desk, LOUDSPEAKER)
    await desk.unplug(LOUDSPEAKER)
    assert await sounds(call, desk, HEADPHONES)
