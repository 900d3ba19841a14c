"""The money walk: random steps of a hostile user, and a bookkeeper who reads the simulator's ledger only.

python -m tests.money.walk --steps 10000 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import virtual
from gemini import profiles
from records import budgets
from records.budgets import Limits, Spent
from simulator.billing import Telling
from simulator.scenario import Behaviour
from tests import dialect
from tests.money import bookkeeper
from tests.money.bookkeeper import Book
from tests.money.chats import chats
from tests.money.deployment import CENT, DAY_S, Deployment, deployment
from tests.money.hostile import Hostile

MONEY = Limits(session=2 * CENT, user=12 * CENT, deployment=15 * CENT)
BETWEEN_S = 5  #: two heartbeats
TALK, CONTEXT, THOUGHTS = 75 + 300, 3_000, 612  #: micro-dollars of a second both ways, and of a turn at most
USER = "mallory"


def heartbeat(model: str = "") -> int:
    """Micro-dollars that may be spent between two heartbeats, at most.

    A model whose reply comes as two turns reads the context for each, and thinks.
    """
    profile = profiles.of(model or dialect.model())
    turns = 2 * (CONTEXT + THOUGHTS) if profile.splits_replies.value else CONTEXT
    return BETWEEN_S * TALK + turns


@dataclass
class Walked:
    """What a walk has come to."""

    steps: dict[str, int]
    endings: dict[str, int]
    days: int
    book: Book
    counted: Spent
    over: dict[str, int] = field(default_factory=dict)  #: micro-dollars beyond a budget, at most
    held: int = 0  #: micro-dollars that are held at the end: none should be


async def walk(
    steps: int, seed: int, log: Path, *, telling: Telling = "turn", money: Limits = MONEY, model: str = ""
) -> Walked:
    chance = random.Random(seed)
    behaviour = Behaviour(voice="synthetic", seed=seed, usage=telling)
    async with deployment(log, behaviour=behaviour, money=money, model=model) as world:
        walked = Walked({}, {}, 1, Book(), Spent())
        async with asyncio.TaskGroup() as tasks:
            user = Hostile(world, chance, tasks, USER)
            for _ in range(steps):
                await user.step()
                _look(world, user, walked, money)
                if user.refused.startswith(("quota_exceeded", "quota_minutes")):
                    await user.leave()
                    await asyncio.sleep(DAY_S - world.now_s() % DAY_S + 1)
                    walked.days += 1
                    world.client.forget("SES#", "TKT#", "REQ#", "LIMIT#")
            await user.leave()
        await asyncio.sleep(200)
        _look(world, user, walked, money)
        walked.steps, walked.endings = user.done, user.endings
        walked.counted = _counted(world, walked.days)
        for day in range(walked.days + 1):
            at = world.began_at + day * DAY_S
            used = sum(each.spent.total for each in budgets.of_day(world.table, at // DAY_S))
            walked.held += budgets.committed(world.table, USER, at)["user"] - used if money.user else 0
    walked.book = bookkeeper.read(log)
    return walked


def _counted(world: Deployment, days: int) -> Spent:
    first = world.began_at // DAY_S
    found = [used.spent for day in range(days + 1) for used in budgets.of_day(world.table, first + day)]
    sums = [
        sum(getattr(spent, name) for spent in found) for name in ("reported", "estimated", "connected_ms")
    ]
    return Spent(*sums)


def _look(world: Deployment, user: Hostile, walked: Walked, money: Limits) -> None:
    """How far each budget is passed, by what is counted."""
    day = sum(used.spent.total for used in budgets.of_day(world.table, world.now() // DAY_S))
    limits = {"user": money.user, "deployment": money.deployment}
    for scope, limit in limits.items():
        walked.over[scope] = max(walked.over.get(scope, 0), day - limit if limit else 0)
    for session in user.sessions:
        over = budgets.of_session(world.table, session) - money.session if money.session else 0
        walked.over["session"] = max(walked.over.get("session", 0), over)


def main() -> None:
    parser = argparse.ArgumentParser(description="The money walk, in virtual time.")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--usage", default="turn", help="as the simulator tells it")
    parser.add_argument("--model", default="")
    parser.add_argument("--chats", type=int, default=0, help="generated conversations, after the walk")
    args = parser.parse_args()
    began_at = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "ledger.jsonl"
        found = virtual.run(walk(args.steps, args.seed, log, telling=args.usage, model=args.model))
    book, counted = found.book, found.counted
    done = sum(found.steps.values())
    print(f"seed {args.seed}: {done} steps on {found.days} days, {book.connections} connections")
    print("  " + _listed(found.steps))
    print("  sessions ended: " + _listed(found.endings))
    print(f"  told by the model: ledger {book.told}, counted {counted.reported} micro-dollars")
    print(f"  not told: ledger {book.untold}, estimated {counted.estimated}")
    print(f"  connected: ledger {book.connected_s:.1f} s, counted {counted.connected_ms / 1000:.1f} s")
    allowed = heartbeat(args.model)
    print(f"  beyond a budget, at most: {found.over}, allowed {allowed}; held at the end: {found.held}")
    print(f"  took {time.monotonic() - began_at:.0f} s")
    if args.chats:
        _chat(args.chats, args.seed)


def _chat(count: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world, book = virtual.run(chats(Path(folder) / "ledger.jsonl", count, seed))
    used = list(budgets.of_day(world.table, world.began_at // DAY_S))
    counted = sum(each.spent.reported for each in used)
    print(
        f"{len(used)} conversations, {book.turns} turns: ledger {book.told}, counted {counted} micro-dollars"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    main()
