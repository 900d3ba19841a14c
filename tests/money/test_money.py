"""Money against a bookkeeper who reads the simulator's ledger only; `make money` walks further."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from bench import virtual
from protocol import media
from protocol.control import Config
from records import budgets
from records.budgets import Limits
from simulator.billing import Telling
from simulator.scenario import Behaviour
from tests.money import bookkeeper
from tests.money.chats import chats
from tests.money.deployment import CENT, deployment
from tests.money.hostile import Device
from tests.money.walk import Walked, heartbeat, walk

STEPS = 150
LEG_S = 0.1  #: by which a leg's time may differ: one end hears of its close before the other


def walked(folder: Path, telling: Telling = "turn", steps: int = STEPS) -> Walked:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return virtual.run(walk(steps, seed, folder / "ledger.jsonl", telling=telling))


@pytest.mark.parametrize("telling", ["turn", "parts", "snapshots"])
def test_what_a_hostile_user_costs_is_counted_to_the_micro_dollar(tmp_path: Path, telling: Telling) -> None:
    found = walked(tmp_path, telling)
    book, counted = found.book, found.counted
    assert book.turns and not book.unclosed
    assert counted.reported == book.told
    assert counted.estimated >= book.untold, "what Google does not tell is reckoned, and not too low"
    assert counted.connected_ms / 1000 == pytest.approx(book.connected_s, abs=1 + LEG_S * book.connections)
    assert max(found.over.values()) <= heartbeat()
    assert found.held == 0, "nothing is held for sessions that are over"


def test_what_a_model_never_tells_is_reckoned_and_not_too_low(tmp_path: Path) -> None:
    found = walked(tmp_path, "absent")
    assert (found.book.told, found.counted.reported) == (0, 0)
    assert found.book.untold <= found.counted.estimated <= 2 * found.book.untold + 10_000
    assert max(found.over.values()) <= heartbeat()


def test_a_count_that_goes_on_from_turn_to_turn_is_not_taken_for_the_bills_of_turns(tmp_path: Path) -> None:
    """Not to the micro-dollar: another relay does not know where the count stood."""
    found = walked(tmp_path, "total")
    assert found.book.total <= found.counted.total <= 2 * found.book.total + 10_000


@pytest.mark.parametrize("count", [20])
def test_the_totals_of_generated_conversations_are_the_ledgers(tmp_path: Path, count: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    world, book = virtual.run(chats(tmp_path / "ledger.jsonl", count, seed))
    used = list(budgets.of_day(world.table, world.began_at // budgets.DAY_S))
    assert len(used) == count and sum(each.sessions for each in used) == count
    assert sum(each.spent.reported for each in used) == book.told > 0
    for each in used:
        assert budgets.committed(world.table, each.user, world.began_at)["user"] == each.spent.total


async def talk(device: Device, turns: int) -> int:
    """Ask on and on. Returns after how many questions the call was over."""
    for number in range(turns):
        if device.ended:
            return number
        await device.say(media.Text("tell me more, and more, and more of all that you know"))
        await asyncio.sleep(12)
    return turns


def test_a_two_cent_budget_ends_a_talkative_call_politely_and_in_time(tmp_path: Path) -> None:
    async def calls() -> Device:
        money = Limits(session=2 * CENT)
        async with deployment(tmp_path / "l", behaviour=Behaviour(voice="synthetic"), money=money) as world:
            async with asyncio.TaskGroup() as tasks:
                session, *where = world.start("ada", Config())
                device = Device(session, manual=False)
                await device.join(*where, tasks)
                assert await talk(device, 40) < 40
                await device.close()
            await asyncio.sleep(5)
            assert budgets.of_session(world.table, session) <= 2 * CENT
            return device

    device = virtual.run(calls())
    assert device.ended == "quota_exceeded"
    kinds = [type(said) for said in device.told if not isinstance(said, media.Usage)]
    assert kinds == [media.Budget, media.Error, media.Ended], "warned, then told"
    book = bookkeeper.read(tmp_path / "l")
    assert CENT < book.told <= 2 * CENT


def test_two_sessions_of_a_user_cannot_together_pass_his_day(tmp_path: Path) -> None:
    async def calls() -> None:
        money = Limits(user=4 * CENT)
        async with deployment(tmp_path / "l", behaviour=Behaviour(voice="synthetic"), money=money) as world:
            async with asyncio.TaskGroup() as tasks:
                devices = []
                for _ in range(2):
                    session, *where = world.start("ada", Config())
                    device = Device(session, manual=False)
                    devices.append(device)
                    await device.join(*where, tasks)
                turns = [tasks.create_task(talk(device, 60)) for device in devices]
                await asyncio.wait(turns)
                for device in devices:
                    await device.close()
            await asyncio.sleep(5)
            assert [device.ended for device in devices] == ["quota_exceeded"] * 2
            spent = budgets.committed(world.table, "ada", world.now())["user"]
            assert 2 * CENT < spent <= 4 * CENT

    virtual.run(calls())
    assert bookkeeper.read(tmp_path / "l").told <= 4 * CENT
