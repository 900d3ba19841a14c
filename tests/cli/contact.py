"""A first contact with a simulator, in a fraction of its time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cli.doctor.google.contact import Contact
from cli.doctor.google.report import Findings
from cli.stack.gemini_server import GeminiServer
from gemini.contact.recording import Recording
from simulator import Config, parse, serve
from simulator.server.server import Running

KEY = "AIza-contact-of-a-test"
MODEL = "gemini-3.8-live"
SPEED = 6.0  #: more, and a slow machine's pauses look like Google's
#: what the simulator does otherwise than is believed of Google; may only become less
UNLIKE_GOOGLE = {
    *("setup.language_auto", "setup.open_schema", "setup.code_execution", "setup.url_context"),
    *("profile.client_content_interrupts", "history.quiet"),
}
#: the dialect of the default model
DIALECT = {"voice_activity": "absent", "stream_end": "ignore"}


def nothing(_: str) -> None:
    """Nobody listens to the progress."""


@asynccontextmanager
async def simulated(settings: dict[str, Any] | None = None, **config: Any) -> AsyncIterator[Running]:
    """A simulator that speaks the default model's dialect, but for what `settings` change."""
    lines = [f"  {name}: {value}" for name, value in {**DIALECT, **(settings or {})}.items()]
    scenario = parse("settings:\n" + "\n".join(lines))
    async with serve(Config(time_scale=SPEED, api_key=KEY, scenario=scenario, **config)) as running:
        yield running


async def meet(running: Running, model: str = MODEL) -> tuple[Recording, Findings]:
    """Recording and findings of a first contact."""
    return await Contact(GeminiServer(running.url, KEY), model, SPEED).meet(nothing)


def differing(findings: Findings) -> set[str]:
    """Ids of claims that differ, but for what the simulator is known to do."""
    return {one.id for one in findings.differing} - UNLIKE_GOOGLE


real_time = pytest.mark.timeout(180)
