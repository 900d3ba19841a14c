"""The console in every engine that Debian has: asked, spoken over, cut, muted, typed to, with real sound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from simulator.audio import tones
from tests.browser.conftest import System
from tests.browser.drive import INTERRUPTION, WORDS, recording
from tests.browser.rig.console import Call, calling
from tests.browser.rig.engines import ENGINES
from tests.browser.rig.page import Page
from tests.browser.rig.sound import RATE_HZ, Machine

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),
    pytest.mark.parametrize("page", ENGINES, indirect=True, scope="module"),
]

TRIES = 5  #: questions, of which a busy machine may tear holes into some answers
#: No sentence twice: what comes twice in a row is taken for one that was sent twice (decision 0023).
LONG = (
    "I want to know of all the trains which leave from here before noon, and of the one which comes last. "
    "Then tell me where each of them stops on its way, and whether there is a place to eat in the last. "
)


@pytest_asyncio.fixture(loop_scope="session")
async def call(page: Page, system: System) -> AsyncIterator[Call]:
    async with calling(page, system.page, system.simulator.ledger) as begun:
        yield begun


async def test_a_spoken_question_is_answered_from_the_loudspeaker(
    call: Call, machine: Machine, said: str
) -> None:
    for tried in range(1, TRIES + 1):
        async with machine.recorded() as heard:
            await machine.say(said)
            await call.console.becomes("Speaking")
            await call.console.becomes("Listening")
        codes = [code for code, _ in tones.find(bytes(heard), RATE_HZ)]
        answer = await call.model.line("answer.begun", tried)
        assert codes in ([], [answer["code"]])
        if codes:
            break
    else:
        pytest.fail(f"of {TRIES} answers, none was known again at the loudspeaker")
    assert [(row["role"], row["heard"]) for row in (await call.console.rows())[:2]] == [
        ("user", WORDS), ("agent", call.model.lines("answer.begun")[0]["text"])
    ]  # fmt: skip


async def test_an_answer_stops_when_it_is_spoken_over_and_what_was_heard_of_it_is_known(
    call: Call, machine: Machine, tmp_path: Path
) -> None:
    await call.console.type(LONG)
    await call.console.plays()
    await machine.say(recording(tmp_path / "over.wav", INTERRUPTION, 0.5))
    await call.console.is_cut()
    cut = next(row for row in await call.console.rows() if row["isCut"])
    (answer, *_) = call.model.lines("answer.begun")
    assert cut["heard"]
    assert cut["unheard"]
    shown = f"{cut['heard']} {cut['unheard']}".split()
    assert shown == answer["text"].split()[: len(shown)]
    assert (await call.model.line("turn.interrupted"))["cause"] == "speech"


async def test_an_answer_goes_on_where_both_lines_were_cut(call: Call) -> None:
    await call.console.type(LONG)
    await call.console.plays()
    await call.console.page.press("Both")
    await call.console.is_back()
    await call.console.becomes("Listening", within_s=40)
    (answer,) = call.model.lines("answer.begun")
    assert [(row["heard"], row["isCut"]) for row in await call.console.rows()] == [
        (LONG.strip(), False), (answer["text"], False)
    ]  # fmt: skip
    assert "Events missing 0, received twice 0" in await call.console.is_back()


async def test_what_is_said_to_a_muted_microphone_reaches_nobody(
    call: Call, machine: Machine, said: str
) -> None:
    await call.console.page.press("Mute microphone")
    await machine.say(said)
    await call.console.page.press("Mute microphone")
    await machine.say(said)
    await call.console.becomes("Speaking")
    (heard,) = call.model.lines("utterance.heard")
    assert heard["text"] == WORDS
    assert len(call.model.lines("speech.started")) == 1


async def test_a_typed_question_is_answered_by_voice(call: Call, machine: Machine) -> None:
    async with machine.recorded() as heard:
        await call.console.type("Which platform is it?")
        await call.console.becomes("Speaking")
        await call.console.becomes("Listening")
    answer = await call.model.line("answer.begun")
    assert [code for code, _ in tones.find(bytes(heard), RATE_HZ)] in ([], [answer["code"]])
    assert [(row["role"], row["heard"], row["isTyped"]) for row in await call.console.rows()] == [
        ("user", "Which platform is it?", True), ("agent", answer["text"], False)
    ]  # fmt: skip
