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
SPEEDS = (5.0, 1.5)  #: at the first a slow machine's pauses may look like Google's, at the second they do not


def nothing(_: str) -> None:
    """Nobody listens to the progress."""


@asynccontextmanager
async def simulated(scenario: str = "", **config: Any) -> AsyncIterator[Running]:
    """A simulator in which each model has its own habits, but for what a scenario's YAML changes."""
    given = yaml.safe_load(scenario) or {}
    settings = {"dialect": "profile", **given.pop("settings", {})}
    parsed = parse(yaml.safe_dump({**given, "settings": settings}))
    async with serve(Config(**{"api_key": KEY, "scenario": parsed, **config})) as running:
        yield running


async def meet(
    claims: set[str], scenario: str = "", *, model: str = MODEL, **config: Any
) -> tuple[Recording, Findings]:
    """Recording and findings of a first contact. It is made again, slower, if not just `claims` differ."""
    for speed in SPEEDS:
        async with simulated(scenario, time_scale=speed, **config) as running:
            met = await Contact(GeminiServer(running.url, KEY), model, speed).meet(nothing)
        if differing(met[1]) == claims:
            break
    return met


def differing(findings: Findings) -> set[str]:
    """Ids of the claims that differ."""
    return {one.id for one in findings.differing}


real_time = pytest.mark.timeout(300)
