"""The model's connection goes away under a conversation, and the user hears no seam."""

from __future__ import annotations

import pytest

from protocol import media
from simulator import faults
from simulator.likeness import likeness
from tests.e2e.conftest import System
from tests.e2e.talk import QUESTION, User, user

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
    assert likeness(QUESTION, visitor.received(2)) > 0.9
