"""Two minutes on a line narrower than speech: a real browser, and a proxy that lets little through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import pytest_asyncio

import simulator
from infra.faults.link import Link
from infra.faults.toxics import Bandwidth
from infra.local.endpoint import Endpoint, listen
from infra.local.page import page_app
from infra.local.stack import LocalStack
from infra.local.stack import Options as StackOptions
from tests import dialect
from tests.browser.conftest import GEMINI_KEY, Figure
from tests.browser.drive import QUESTION, drive, driving, recording
from tests.witness import WITNESS

KBPS = 128
WORDS = "Could you tell me when the next train leaves?"
#: Narrow for so long, and then wide: by then PCM is tried after 80 s of ADPCM, and is good 10 s later.
NARROW_S, WIDE_S = 120, 75
#: The policy's own bound is 2.5 s (vectors/uplink_delay.json); buffers of a real system come to it. Audio
#: that is never given up would be more than a minute late by the end.
LATE_MS = 5000


@pytest.fixture
def questions(tmp_path: Path) -> str:
    """A microphone that hears one question again and again, at first when a cold relay has started."""
    return recording(tmp_path / "questions.wav", 15.0, *[QUESTION, 12.0] * 15)


@pytest_asyncio.fixture
async def line(chromium: str) -> AsyncIterator[tuple[Link, str]]:
    """A link between the browser and its relay, and the page that leads through it."""
    WITNESS.keeps(GEMINI_KEY, "the model's key")
    async with Link("client-edge") as media, simulator.serve(simulator.Config()) as model:
        options = StackOptions(
            gemini_url=model.url,
            gemini_key=GEMINI_KEY,
            parameters=dialect.parameters(MediaUrl=f"ws://{media.address}"),
        )
        async with LocalStack(options) as stack, driving():
            media.target = stack.urls.media.removeprefix("ws://")
            WITNESS.keeps(stack.secrets.jwt, "the JWT secret")
            WITNESS.keeps(stack.secrets.route, "the route key")
            app = page_app(stack.urls.control, stack.user(), media_url=f"ws://{media.address}")
            async with Endpoint(app, listen()) as page:
                yield media, page.url
        WITNESS.logs(log.text for log in stack.logs.lines)


def late_ms(seen: dict[str, Any]) -> list[float]:
    """How long each probe was under way, above the least: the frames before and behind it were as late."""
    ways = [message["server_ms"] - message["t"] for message in seen["messages"] if message["type"] == "pong"]
    return [way - min(ways) for way in ways]


@pytest.mark.visit
@pytest.mark.timeout(400)
async def test_a_conversation_goes_on_over_a_narrow_line_and_the_page_says_so(
    line: tuple[Link, str], questions: str, figure: Figure
) -> None:
    media, url = line
    with media.injected(Bandwidth(KBPS * 125), ways=("up",)) as active:
        wishes = {"url": url, "narrow_s": NARROW_S, "wide_s": WIDE_S, "launch": {"wav": questions}}
        visit = asyncio.create_task(drive("narrow", within_s=NARROW_S + WIDE_S + 120, **wishes))
        await asyncio.wait_for(active.has_fired.wait(), 100)  # the relay starts cold
        await asyncio.sleep(NARROW_S)
        active.lifted.set()
        seen = await visit
    narrowed = seen["narrowed"]
    late = late_ms(narrowed)
    answers = {m["turn"] for m in narrowed["messages"] if m["type"] == "turn.ended" and m["role"] == "agent"}
    asked = [m["turn"] for m in narrowed["messages"] if m["type"] == "transcript" and m.get("text") == WORDS]
    figure(
        f"{KBPS} kbit/s for {NARROW_S} s: {len(late)} probes, {median(late):.0f} ms late in the middle, "
        f"{max(late):.0f} ms at most; {len(asked)} questions understood, {len(answers)} answered"
    )
    assert len(late) > NARROW_S and max(late) < LATE_MS
    assert any("too narrow" in note for note in narrowed["notes"])
    assert "wide again" in seen["notes"][-1]
    assert late_ms(seen)[-1] < 250
    assert len(answers.intersection(asked)) >= 3, "the conversation did not go on"
    assert median(late) < 250
    assert seen["connection"] == "Connected"
    assert seen["errors"] == []
