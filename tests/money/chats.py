"""Generated conversations of well-behaved users."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from protocol import media
from protocol.control import Config
from records.budgets import Limits
from simulator.scenario import Behaviour
from tests.money import bookkeeper
from tests.money.deployment import CENT, Deployment, deployment
from tests.money.hostile import Device


async def chats(log: Path, count: int, seed: int) -> tuple[Deployment, bookkeeper.Book]:
    """So many conversations of well-behaved users, ten at a time."""
    chance = random.Random(seed)
    behaviour = Behaviour(voice="synthetic", seed=seed)
    async with deployment(log, behaviour=behaviour, money=Limits(user=1_000 * CENT)) as world:
        async with asyncio.TaskGroup() as tasks:
            room = asyncio.Semaphore(10)
            for number in range(count):
                tasks.create_task(chat(world, f"user-{number}", chance.randint(1, 5), tasks, room))
        await asyncio.sleep(10)
    return world, bookkeeper.read(log)


async def chat(
    world: Deployment, user: str, turns: int, tasks: asyncio.TaskGroup, room: asyncio.Semaphore
) -> None:
    async with room:
        session, *where = world.start(user, Config())
        device = Device(session, manual=False)
        await device.join(*where, tasks)
        for number in range(turns):
            await device.say(media.Text(f"tell me more of {'this and that, ' * number}"))
            await asyncio.sleep(12)
        await device.say(media.EndCall())
        await asyncio.sleep(3)
        await device.close()
