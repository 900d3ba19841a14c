"""Echo cancelling: in a room the agent must not interrupt itself, and with headphones the user must be heard.

A canceller does not know whether there is an echo. Until some seconds of the agent's voice have left none in
the microphone, it takes what comes at the same time for one, and the user's words are lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.browser.conftest import Figure, System
from tests.browser.rig.page import Page
from tests.browser.rig.plain import PlainCall, talking
from tests.browser.rig.sound import Machine

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(900),
    pytest.mark.parametrize("page", ["chromium", "firefox"], indirect=True, scope="module"),
]

UNHEARD = 2  #: answers, after which a canceller has noticed that there is no echo
TORN = 10  #: calls at most whose sound a busy machine tears, and which show nothing
RINGS_S = 0.5  #: the room after the last word


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question: how often the agent took its own voice for the user's."""

    interruptions: int  #: of its answer
    false_starts: int  #: speech heard, beyond the question
    underruns: (
        int  #: of the page's player; with any, the echo is not the voice that the browser thinks it played
    )


@pytest_asyncio.fixture(loop_scope="session")
async def room(machine: Machine) -> AsyncIterator[Machine]:
    """The machine, with its loudspeaker in its microphone."""
    async with machine.looped():
        yield machine


async def ask_in(room: Machine, call: PlainCall, said: str) -> Outcome:
    """One question, and its answer until it ends or is cut."""
    await room.say(said)
    await call.page.comes("told.some(({ name }) => name === 'agentspeechend')", within_s=30)
    await asyncio.sleep(RINGS_S)
    interruptions, starts = (len(call.model.lines(kind)) for kind in ("turn.interrupted", "speech.started"))
    return Outcome(interruptions, starts - 1, (await call.state())["underruns"])


@pytest.mark.parametrize("calls", [1, pytest.param(10, marks=pytest.mark.visit)])
async def test_with_echo_cancellation_the_agent_does_not_interrupt_itself(
    page: Page, room: Machine, plain: str, system: System, said: str, figure: Figure, calls: int
) -> None:
    whole: list[Outcome] = []
    torn = 0
    while len(whole) < calls:
        async with talking(page, plain, system.page, system.simulator.ledger) as call:
            outcome = await ask_in(room, call, said)
        if outcome.underruns:
            torn += 1
            assert torn <= TORN, "this machine is too busy to play an answer in one piece"
        else:
            whole.append(outcome)
    heard_itself = sum(each.interruptions for each in whole)
    figure(f"{page}: {calls} calls in a room, {heard_itself} self-interruptions; {torn} more were torn")
    assert all(each == Outcome(0, 0, 0) for each in whole), whole


async def test_without_echo_cancellation_the_same_room_makes_it_interrupt_itself(
    page: Page, room: Machine, plain: str, system: System, said: str
) -> None:
    bare = {"mic": {"echoCancellation": False}}
    async with talking(page, plain, system.page, system.simulator.ledger, bare) as call:
        outcome = await ask_in(room, call, said)
    assert outcome.interruptions > 0


async def is_interrupted(call: PlainCall, machine: Machine, said: str, over: str) -> bool:
    """Whether the answer to a question stops at what is said over it."""
    await machine.say(said)
    await call.agent_is("speaking")
    await machine.say(over)
    await call.agent_is("listening")
    return bool(call.model.lines("turn.interrupted"))


async def test_with_headphones_the_third_answer_may_be_interrupted_though_echo_is_cancelled(
    page: Page, machine: Machine, plain: str, system: System, said: str, over: str
) -> None:
    async with talking(page, plain, system.page, system.simulator.ledger) as call:
        for _ in range(UNHEARD):
            await machine.say(said)
            await call.agent_is("speaking")
            await call.agent_is("listening")
        assert await is_interrupted(call, machine, said, over)
