"""The process that runs the scenarios: one that fails does not spoil the next, and nothing of it stays."""

from __future__ import annotations

import pytest

from tests.browser.drive import drive, driving


async def test_a_scenario_that_fails_says_why_and_the_next_one_runs(chromium: str) -> None:
    async with driving():
        with pytest.raises(AssertionError, match="unheard_of"):
            await drive("unheard_of")
        assert await drive("trouble", urls={}) == {}


async def test_a_scenario_that_takes_too_long_is_given_up_and_the_next_one_runs(chromium: str) -> None:
    async with driving():
        with pytest.raises(TimeoutError):
            await drive("trouble", urls={}, within_s=0.0)
        assert await drive("trouble", urls={}) == {}
