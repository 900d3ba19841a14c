"""Both examples in Firefox and WebKitGTK, with real sound: asked, talked over, asked again.

Chromium holds the same conversation with its fake microphone: test_element, test_example.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from simulator.audio import tones
from tests.browser.conftest import System
from tests.browser.drive import INTERRUPTION, OVER, WORDS, recording
from tests.browser.pages import html_page, react_page
from tests.browser.rig.page import Page
from tests.browser.rig.sound import RATE_HZ, Machine

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
    pytest.mark.visit,
    pytest.mark.parametrize("page", ["firefox", "webkit"], indirect=True, scope="module"),
]

_CARD = "document.querySelector('vivavoce-call').shadowRoot"


@dataclass(frozen=True, slots=True)
class Example:
    """How a person starts and ends a call there, and the expressions of what it shows."""

    serve: Callable[[str], AbstractAsyncContextManager[str]]
    begin: str
    end: str
    state: str
    lines: str
    listening: str
    speaking: str
    over: str


EXAMPLES = {
    "html": Example(
        html_page, "Start talking", "End call",
        state=f"{_CARD}.querySelector('.state').textContent",
        lines=f"[...{_CARD}.querySelectorAll('.said .heard')].map((each) => each.textContent)",
        listening="Listening", speaking="Speaking", over="Call ended",
    ),
    "react": Example(
        react_page, "Talk", "Hang up",
        state="document.querySelector('output').textContent",
        lines="[...document.querySelectorAll('[role=log] p')].map((each) => each.textContent)",
        listening="listening", speaking="speaking", over="closed",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interruption after some words of the answer."""
    return recording(tmp_path_factory.mktemp("said") / "over.wav", 2.0, INTERRUPTION, 0.5)


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_holds_a_spoken_conversation_and_may_be_talked_over(
    name: str, page: Page, system: System, machine: Machine, said: str, over: str
) -> None:
    example = EXAMPLES[name]
    async with example.serve(system.page) as url, machine.recorded() as heard:
        await page.open(url)
        await page.press(example.begin)
        await page.comes(f"{example.state} === {example.listening!r}", within_s=40)
        await machine.say(said)
        await page.comes(f"{example.state} === {example.speaking!r}")
        await machine.say(over)
        await page.comes(f"{example.lines}.length === 4")
        await page.comes(f"{example.state} === {example.listening!r}")
        question, cut, second, answer = await page.run(example.lines)
        await page.press(example.end)
        await page.comes(f"{example.state} === {example.over!r}")
    assert question == WORDS
    assert second == answer
    assert second == OVER or second.startswith("[speech"), "echo cancelling may blur it"
    assert cut and cut != WORDS and WORDS.startswith(cut)
    first, last = (each["code"] for each in system.simulator.ledger.where("answer.begun")[-2:])
    codes = [code for code, _ in tones.find(bytes(heard), RATE_HZ)]
    assert codes in ([first, last], [first], [last], [])  # a busy machine tears holes into some
