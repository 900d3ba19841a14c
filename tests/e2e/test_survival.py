"""The model's connection goes away under a conversation, and the user hears no seam.

Conversations with different faults are held at the same time: most of each is listening.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Literal, get_args

import pytest

from infra.local.edge import Dead
from protocol import media
from records import relays
from records.relays import Relay
from records.table import Table
from simulator import faults
from simulator.audio import tones
from simulator.audio.similarity import similarity
from tests.e2e.conftest import System
from tests.e2e.talk import INTERRUPTION, QUESTION, User, user

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]

LOSSES = (
    faults.GoAway(time_left_s=4.0),
    faults.Abort(),
    faults.CloseNow(code=1011, reason="Internal error encountered."),
)
Freezing = Literal["all", "audio", "hard"]


def gaps(visitor: User) -> list[int]:
    """How long the model was away, each time."""
    told = (event.leg_gap_ms for event in visitor.of(media.Metrics))  # type: ignore[attr-defined]
    return [gap for gap in told if gap is not None]


async def ask(visitor: User, number: int, pcm: bytes = INTERRUPTION) -> None:
    """Ask with the shortest of the samples, for the answer takes as long again, and hear the answer out."""
    await visitor.microphone.say(pcm)
    await visitor.until(media.TurnEnded, count=2 * number)
    await visitor.speaker.is_silent.wait()


def connection_of(system: System, visitor: User, turn: int = 1) -> int:
    """The model's connection that answered this turn, by the code which only the two ends know."""
    (answer,) = system.simulator.ledger.where("answer.begun", code=tones.decode(visitor.received(turn)))
    return int(answer["connection"])


async def talk_through(system: System, fault: faults.Fault) -> None:
    """Ask twice, and lose the model's connection in between."""
    ledger = system.simulator.ledger
    async with user(system) as visitor:
        await ask(visitor, 1)
        connection = connection_of(system, visitor)
        (opened,) = ledger.where("session.opened", connection=connection)
        system.simulator.inject(fault, connection)
        await ledger.wait_for("session.opened", session=opened["session"], resumed=True)
        await ask(visitor, 2)
    assert len(gaps(visitor)) == 1
    assert visitor.of(media.Error) == [] and visitor.of(media.TurnInterrupted) == []
    assert visitor.numbers() == [(1, n) for n in range(1, len(visitor.numbers()) + 1)]
    turns = [event.turn for event in visitor.of(media.TurnStarted)]  # type: ignore[attr-defined]
    assert turns == [1, 1, 2, 2]
    assert similarity(INTERRUPTION, visitor.received(2)) > 0.9


async def test_the_conversation_goes_on_when_the_models_connection_does_not(system: System) -> None:
    """Sent away, reset, closed."""
    async with asyncio.TaskGroup() as conversations:
        for fault in LOSSES:
            conversations.create_task(talk_through(system, fault), name=repr(fault))


async def ask_what_froze(system: System, mode: Freezing) -> None:
    """Ask three times; before the second, the model's connection freezes."""
    async with user(system) as visitor:
        await ask(visitor, 1)
        system.simulator.inject(faults.Freeze(mode=mode), connection_of(system, visitor))
        await ask(visitor, 2, QUESTION)  # of a shorter one the relay cannot tell that it is no cough
        await ask(visitor, 3)
    assert len(gaps(visitor)) == 1 and visitor.of(media.Error) == []
    finished = [e.turn for e in visitor.of(media.TurnEnded) if e.role == "agent"]  # type: ignore[attr-defined]
    assert finished == [1, 2, 3]
    assert similarity(INTERRUPTION, visitor.received(3)) > 0.9


async def test_a_model_that_freezes_on_an_open_socket_is_noticed_and_the_question_answered(
    system: System,
) -> None:
    """Frozen altogether, its speech only, and so that not even pongs come."""
    async with asyncio.TaskGroup() as conversations:
        for mode in get_args(Freezing):
            conversations.create_task(ask_what_froze(system, mode), name=mode)


def relay_of(system: System, visitor: User) -> Relay:
    """The relay that holds this user's call, and perhaps others."""
    table = Table(system.stack.client("dynamodb"), system.stack.table)
    loaded = relays.load_all(table, relays.pool(table).slots.values())
    (holding,) = [relay for relay in loaded if not relay.reported_at and visitor.call.session in relay.leases]
    return holding


def kill(system: System, relay: Relay) -> None:
    (process,) = [task.process_id for task in system.stack.tasks.all if task.address == relay.address]
    assert process is not None
    os.kill(process, signal.SIGKILL)


async def ask_when_live(visitor: User, number: int, epochs: int) -> None:
    """Ask once a relay has the session: of what is said meanwhile only the last two seconds are kept."""
    await visitor.until(media.Live, count=epochs)
    await ask(visitor, number)


@pytest.mark.parametrize("dead", get_args(Dead))
async def test_a_relay_that_is_killed_hands_its_sessions_to_another(
    system: System, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its address refuses at once, or answers nothing as a released one of Fargate."""
    monkeypatch.setattr(system.stack.edge, "dead", dead)
    async with user(system) as first, user(system) as second, user(system) as third:
        await ask(first, 1)
        left = await asyncio.to_thread(relay_of, system, first)
        kill(system, left)
        async with asyncio.TaskGroup() as questions:
            if dead == "refuses":  # the outage is short enough to speak through it
                questions.create_task(ask(first, 2, QUESTION))
            else:
                questions.create_task(ask_when_live(first, 2, epochs=2))
            for visitor in (second, third):
                epochs = 1 + (visitor.call.session in left.leases)
                questions.create_task(ask_when_live(visitor, 1, epochs))
        kept = [await asyncio.to_thread(system.turns, each.call.session) for each in (first, second, third)]
    assert [[turn.number for turn in each] for each in kept] == [[1, 2], [1], [1]]
    for each in (first, second, third):
        assert (each.call.reconnects > 0) == (each.call.session in left.leases)
    assert {live.e for live in first.of(media.Live)} == {1, 2}  # type: ignore[attr-defined]
    assert first.of(media.Error) == []
