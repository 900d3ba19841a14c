"""The React example as its README has it: a page of its own, on a port of its own, against `make run`."""

from __future__ import annotations

import pytest

from simulator.audio import tones
from tests.browser.conftest import System
from tests.browser.drive import OVER, WORDS, Sound, drive
from tests.browser.pages import Script, react_page

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("script", ["dev", "build"])
async def test_the_react_example_holds_a_spoken_conversation_and_may_be_talked_over(
    system: System, script: Script, talked_over: str
) -> None:
    async with react_page(system.page, script) as url:
        seen = await drive("example", url=url, isTalkedOver=True, launch={"wav": talked_over})
    question, cut, over, answer = seen["lines"]
    assert question == WORDS
    assert cut and WORDS.startswith(cut) and cut != WORDS, "the part of the answer that was heard"
    assert (over, answer) == (OVER, OVER)
    first, second = (each["code"] for each in system.simulator.ledger.where("answer.begun")[-2:])
    sound = Sound.of(seen["sound"])
    assert [code for code, _ in tones.find(sound.pcm, sound.rate)] == [first, second]
    assert seen["rules"]["checked"] > 100
    assert seen["rules"]["found"] == []
    assert seen["errors"] == []
