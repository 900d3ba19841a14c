"""Call after call in one Firefox, whose pages have stood still for good when an agent first spoke."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.browser.conftest import Figure, System
from tests.browser.rig.console import calling
from tests.browser.rig.page import Page

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("page", ["firefox"], indirect=True, scope="module"),
]

CALL_S = 60.0  #: a whole call, on a busy machine


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("calls", [2, pytest.param(20, marks=pytest.mark.visit)])
async def test_no_call_of_many_hangs_when_the_agent_speaks(
    page: Page, system: System, figure: Figure, calls: int
) -> None:
    took = []
    for number in range(1, calls + 1):
        began = time.monotonic()
        async with asyncio.timeout(CALL_S), calling(page, system.page, system.simulator.ledger) as call:
            await call.console.type(f"This is call {number}.")
            await call.console.becomes("Speaking")
            await call.console.becomes("Listening")
        took.append(time.monotonic() - began)
    assert len(took) == calls
    average = sum(took) / calls
    figure(f"{page}: {calls} calls in a row, none hung; {average:.1f} s each, {max(took):.1f} s the longest")
