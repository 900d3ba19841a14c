"""The model's connection goes away under a conversation, and the user hears no seam."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Literal, get_args

import pytest

from infra.local.edge import Dead
from infra.local.stack import LocalStack, Options
from protocol import media
from simulator import faults, serve
from simulator.audio.similarity import similarity
from tests.e2e.conftest import GEMINI_KEY, System
from tests.e2e.talk import QUESTION, User, user
from tests.witness import WITNESS

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]


def gaps(visitor: User) -> list[int]:
    """How long the model was away, each time."""
    told = (event.leg_gap_ms for event in visitor.of(media.Metrics))  # type: ignore[attr-defined]
    return [gap for gap in told if gap is not None]


async def ask(visitor: User, number: int) -> None:
    """Ask, and hear the answer out."""
    await visitor.microphone.say(QUESTION)
    await visitor.until(media.TurnEnded, count=2 * number)
    await visitor.speaker.is_silent.wait()


@pytest.mark.parametrize(
    "fault",
    [
        faults.GoAway(time_left_s=4.0),
        faults.Abort(),
        faults.CloseNow(code=1011, reason="Internal error encountered."),
    ],
    ids=["go away", "reset", "close"],
)
async def test_the_conversation_goes_on_when_the_models_connection_does_not(
    system: System, fault: faults.Fault
) -> None:
    async with user(system) as visitor:
        await ask(visitor, 1)
        (connection,) = {line["connection"] for line in system.simulator.ledger.where("answer.begun")[-1:]}
        opened = len(system.simulator.ledger.where("session.opened"))
        system.simulator.inject(fault, connection)
        await system.simulator.ledger.wait_for("session.opened", count=opened + 1)
        await ask(visitor, 2)
    assert len(gaps(visitor)) == 1
    assert visitor.of(media.Error) == [] and visitor.of(media.TurnInterrupted) == []
    assert visitor.numbers() == [(1, n) for n in range(1, len(visitor.numbers()) + 1)]
    turns = [event.turn for event in visitor.of(media.TurnStarted)]  # type: ignore[attr-defined]
    assert turns == [1, 1, 2, 2]
    assert similarity(QUESTION, visitor.received(2)) > 0.9


@pytest.mark.parametrize("mode", ["all", "audio", "hard"])
async def test_a_model_that_freezes_on_an_open_socket_is_noticed_and_the_question_answered(
    system: System, mode: Literal["all", "audio", "hard"]
) -> None:
    async with user(system) as visitor:
        await ask(visitor, 1)
        (connection,) = {line["connection"] for line in system.simulator.ledger.where("answer.begun")[-1:]}
        system.simulator.inject(faults.Freeze(mode=mode), connection)
        await ask(visitor, 2)
        await ask(visitor, 3)
    assert len(gaps(visitor)) == 1 and visitor.of(media.Error) == []
    finished = [e.turn for e in visitor.of(media.TurnEnded) if e.role == "agent"]  # type: ignore[attr-defined]
    assert finished == [1, 2, 3]
    assert similarity(QUESTION, visitor.received(3)) > 0.9


@pytest.mark.parametrize("dead", get_args(Dead))
async def test_a_relay_that_is_killed_hands_its_sessions_to_another(dead: Dead) -> None:
    """Whether its address refuses at once, or answers nothing as a released one of Fargate."""
    WITNESS.keeps(GEMINI_KEY, "the model's key")
    async with serve() as model:
        options = Options(
            gemini_url=model.url,
            gemini_key=GEMINI_KEY,
            parameters={"RelayCapacity": "2"},
            dead_address=dead,
        )
        async with LocalStack(options) as stack:
            here = System(stack, model)
            async with user(here) as first, user(here) as second, user(here) as third:
                await ask(first, 1)
                full, _ = (
                    task.process_id for task in stack.tasks.all
                )  # two calls fill one, the third has another
                assert full is not None
                os.kill(full, signal.SIGKILL)
                await ask(first, 2)
                await ask(second, 1)
                await ask(third, 1)
                kept = [
                    await asyncio.to_thread(here.turns, each.call.session) for each in (first, second, third)
                ]
        WITNESS.logs(line.text for line in stack.logs.lines)
    assert [[turn.number for turn in each] for each in kept] == [[1, 2], [1], [1]]
    assert sorted(each.call.reconnects > 0 for each in (first, second, third)) == [False, True, True]
    assert {live.e for live in first.of(media.Live)} == {1, 2}  # type: ignore[attr-defined]
    assert first.of(media.Error) == []
