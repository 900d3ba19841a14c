"""A first contact with a simulator, in a fraction of its time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml

from cli.doctor.google.contact import Contact
from cli.doctor.google.report import Findings
from cli.stack.gemini_server import GeminiServer
from gemini.contact.recording import Recording
from simulator import Config, parse, serve
from simulator.server.server import Running

KEY = "AIza-contact-of-a-test"
MODEL = "gemini-3.8-live"
SPEED = 6.0  #: more, and a slow machine's pauses look like Google's


def nothing(_: str) -> None:
    """Nobody listens to the progress."""


@asynccontextmanager
async def simulated(scenario: str = "", **config: Any) -> AsyncIterator[Running]:
    """A simulator in which each model has its own habits, but for what a scenario's YAML changes."""
    given = yaml.safe_load(scenario) or {}
    settings = {"dialect": "profile", **given.pop("settings", {})}
    parsed = parse(yaml.safe_dump({**given, "settings": settings}))
    async with serve(
        Config(**{"time_scale": SPEED, "api_key": KEY, "scenario": parsed, **config})
    ) as running:
        yield running


async def meet(running: Running, model: str = MODEL) -> tuple[Recording, Findings]:
    """Recording and findings of a first contact."""
    return await Contact(GeminiServer(running.url, KEY), model, SPEED).meet(nothing)


def differing(findings: Findings) -> set[str]:
    """Ids of the claims that differ."""
    return {one.id for one in findings.differing}


real_time = pytest.mark.timeout(180)
