"""<vivavoce-call> on the plain HTML page of the examples, in Chromium, against the whole local stack."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.audio import tones
from tests.browser.conftest import System
from tests.browser.drive import OVER, WORDS, Sound, drive
from tests.browser.pages import TAP, html_page

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

Seen = dict[str, Any]

DEAF = "http://127.0.0.1:9"  #: nobody listens there
#: nothing inline, no data: or blob:, and sockets to this machine only
STRICT = "default-src 'none'; script-src 'self'; img-src data:; connect-src 'self' http://127.0.0.1:* ws://127.0.0.1:*"


def holds_a_conversation(seen: Seen, system: System) -> None:
    """Two questions were spoken, the second over the answer to the first, and both answers sounded."""
    question, cut, over, answer = seen["rows"]
    assert (question["who"], question["heard"]) == ("You", WORDS)
    assert cut["who"] == "Assistant" and cut["isCut"] and cut["unheard"]
    assert WORDS.startswith(cut["heard"])
    assert (over["who"], over["heard"]) == ("You", OVER)
    assert (answer["heard"], answer["isCut"]) == (OVER, False)
    first, second = (each["code"] for each in system.simulator.ledger.where("answer.begun")[-2:])
    sound = Sound.of(seen["sound"])
    assert [code for code, _ in tones.find(sound.pcm, sound.rate)] == [first, second]


async def test_a_page_with_one_script_tag_holds_a_spoken_conversation_and_breaks_no_rule_of_accessibility(
    system: System, talked_over: str
) -> None:
    async with html_page(system.page) as url:
        seen = await drive("element", url=url, launch={"wav": talked_over})
    holds_a_conversation(seen, system)
    assert seen["atFirst"] == ["vivavoce-call.js"]
    assert [told for told in seen["told"] if told[0] != "message"] == [
        ["call", "connecting"], ["call", "connected"], ["call", "closing"], ["call", "closed"]
    ]  # fmt: skip
    for rules in seen["rules"]:
        assert rules["checked"] > 100
        assert rules["found"] == []
    assert seen["overhangs"] == 0
    assert seen["errors"] == []


async def test_a_strict_policy_needs_no_exception_but_files_for_the_worklets(
    system: System, talked_over: str
) -> None:
    worklets = 'worklets="../../sdk/dist/worklets"'
    async with html_page(system.page, policy=STRICT, attributes=worklets) as url:
        seen = await drive("element", url=url, tap=TAP, launch={"wav": talked_over})
    holds_a_conversation(seen, system)
    assert seen["violations"] == []
    assert seen["errors"] == []


async def test_every_state_is_whole_at_320_pixels_and_says_what_to_do(
    chromium: str,
) -> None:
    async with html_page(DEAF) as url:
        seen = await drive("element_states", url=url)
    assert seen["told"] == "The server cannot be reached. Check your connection and try again."
    assert seen["focused"] == "Start talking"
    assert len(seen["looked"]) == 5
    for state in seen["looked"]:
        assert state["checked"] > 100
        assert (state["found"], state["overhang"]) == ([], 0), state["name"]
