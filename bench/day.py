"""A day on one relay: is anything left behind, and is every token counted?

    python -m bench.day --hours 24 --seed 1
    python -m bench.day --hours 16 --seed 1 --breaks

In virtual time: one conversation after the other, half an hour each, with the changes of the model's
connection that belong to it. Memory is that of the whole process, hour by hour: relay, client and model.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import stdev

from bench import virtual
from infra.faults.memory_probe import resident_kb, slope
from protocol import media
from simulator import faults
from simulator.scenario import Behaviour
from simulator.speech.samples import SHIPPED
from vivavoce import Conversation
from vivavoce.wavefile import read_wav

SESSION_S = 29 * 60.0
FRAME_BYTES = 3_200  #: 100 ms of microphone: the longest that the protocol takes
QUESTION = read_wav(SHIPPED / "question.wav")
SILENCE_S = 1.2  #: after the words, so that their end is noticed
HOUR_S = 3600.0
WARM_H = 8  #: the first hours fill bounded caches and the interpreter's free lists
MOST_BLOCKS = 400.0  #: growth in an hour; one leaked call would be some thousands


@dataclass
class Hour:
    """What there was at its end, with nobody talking."""

    blocks: int  #: allocated by Python
    process_kb: int
    tasks: int
    handles: int


@dataclass
class Figures:
    seed: int
    hours: list[Hour] = field(default_factory=list)
    sessions: int = 0
    turns: int = 0  #: written
    changes: int = 0  #: of model connections
    breaks: int = 0  #: connections that were cut, of the client or the model
    told_tokens: int = 0  #: at the ends of the sessions, by the relay
    kept_tokens: int = 0  #: with the turns
    model_tokens: int = 0  #: by the model's own count
    errors: list[str] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Blocks of memory, in an hour."""
        return slope([(i, hour.blocks) for i, hour in enumerate(self.hours) if i >= WARM_H])

    @property
    def growth_kb(self) -> float:
        """Of the process, in an hour."""
        return slope([(i, hour.process_kb) for i, hour in enumerate(self.hours) if i >= WARM_H])

    @property
    def noise(self) -> float:
        """By how many blocks the hours differ anyway."""
        blocks = [hour.blocks for hour in self.hours[WARM_H:]]
        return stdev(blocks) if len(blocks) > 1 else 0.0

    @property
    def failures(self) -> list[str]:
        first, last = self.hours[0], self.hours[-1]
        failures = list(self.errors)
        if self.growth > MOST_BLOCKS:
            failures.append(f"{self.growth:.0f} blocks of memory more every hour")
        if last.tasks > first.tasks:
            failures.append(f"{last.tasks - first.tasks} tasks more than after the first hour")
        if last.handles > first.handles:
            failures.append(f"{last.handles - first.handles} handles more than after the first hour")
        if not self.told_tokens == self.kept_tokens == self.model_tokens:
            failures.append("the tokens differ")
        return failures

    def table(self) -> str:
        first, last = self.hours[0], self.hours[-1]
        rows = [
            ("seed", str(self.seed)),
            ("simulated", f"{len(self.hours)} h: {self.sessions} sessions, {self.turns} turns"),
            ("model connections changed", str(self.changes)),
            ("connections cut", str(self.breaks)),
            ("blocks of memory after hour 1 / the last", f"{first.blocks} / {last.blocks}"),
            ("  growth in an hour", f"{self.growth:+.0f}; hours differ by {self.noise:.0f}"),
            ("resident memory after hour 1 / the last", f"{first.process_kb} / {last.process_kb} KB"),
            ("  growth in an hour", f"{self.growth_kb:+.0f} KB"),
            ("tasks after hour 1 / the last", f"{first.tasks} / {last.tasks}"),
            ("handles after hour 1 / the last", f"{first.handles} / {last.handles}"),
            ("tokens by the model's count", str(self.model_tokens)),
            ("  told at the sessions' ends", str(self.told_tokens)),
            ("  kept with the turns", str(self.kept_tokens)),
        ]
        return "\n".join(f"{name:<42}{value}" for name, value in rows)


async def measure(
    hours: int, seed: int, hour_s: float = HOUR_S, session_s: float = SESSION_S, breaks: bool = False
) -> Figures:
    figures, chance = Figures(seed), random.Random(seed)
    async with (
        virtual.house(Behaviour(voice="synthetic", seed=seed, chunk_ms=200)) as house,
        asyncio.TaskGroup() as tasks,
    ):
        breaking = tasks.create_task(_break(house, figures, chance)) if breaks else None
        await _live(house, figures, chance, hours, hour_s, session_s)
        if breaking is not None:
            breaking.cancel()
    return figures


async def _live(
    house: virtual.House, figures: Figures, chance: random.Random, hours: int, hour_s: float, session_s: float
) -> None:
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    for hour in range(1, hours + 1):
        while loop.time() < began_at + hour * hour_s:
            figures.sessions += 1
            await Talker(house, figures, chance).talk(session_s)
            _settle_up(house, figures)
        figures.hours.append(_look())
        print(f"  {hour} h, {figures.turns} turns", file=sys.stderr, flush=True)


async def _break(house: virtual.House, figures: Figures, chance: random.Random) -> None:
    """Cut the model's connection or the client's, again and again."""
    while True:
        await asyncio.sleep(chance.uniform(10.0, 60.0))
        figures.breaks += 1
        if chance.random() < 0.5:
            house.model.inject(faults.Abort())
            continue
        for call in house.relay.registry.calls.values():
            call.drop_client()


def _look() -> Hour:
    gc.collect()
    handles = len(os.listdir("/proc/self/fd"))
    return Hour(sys.getallocatedblocks(), resident_kb(os.getpid()), len(asyncio.all_tasks()), handles)


def _settle_up(house: virtual.House, figures: Figures) -> None:
    """Count what the session has left, and forget it: only the relay might remember now."""
    figures.turns += len(house.book.turns)
    figures.kept_tokens += sum(turn.tokens.total for _, turn in house.book.turns)
    ledger, world = house.model.ledger, house.model.world
    figures.model_tokens += sum(line["usage"]["totalTokenCount"] for line in ledger.where("usage.counted"))
    figures.changes += len(ledger.where("session.opened", resumed=True))
    for memory in (house.book.turns, house.book.handles, ledger.lines):
        memory.clear()
    for table in (house.book.finished, house.book.tickets, house.book.sessions):
        table.clear()
    for kept in (world.handles._snapshots, world.handles._of, world.tokens._tokens):
        kept.clear()  # Google's memory, not ours


class Talker:
    """One session: question, answer, a pause, and again."""

    def __init__(self, house: virtual.House, figures: Figures, chance: random.Random) -> None:
        self._figures, self._chance = figures, chance
        self._call: Conversation = house.conversation(figures.sessions)
        self._answers = 0
        self._news = asyncio.Event()
        self._over = False

    async def talk(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        async with asyncio.TaskGroup() as tasks, self._call as call:
            tasks.create_task(self._listen())
            while loop.time() < ends_at and not self._over:
                await self._ask(call)
                await asyncio.sleep(self._chance.uniform(1.0, 12.0))
            await call.end()
            await self._until(lambda: self._over)
        await asyncio.sleep(5)  # the relay forgets the call

    async def _ask(self, call: Conversation) -> None:
        before = self._answers
        if self._chance.random() < 0.2:
            await call.send_text("and in writing?")
        else:
            await call.mic("open")
            for at in range(0, len(QUESTION) - FRAME_BYTES, FRAME_BYTES):
                await call.send_audio(QUESTION[at : at + FRAME_BYTES])
                await asyncio.sleep(0.1)
            for _ in range(round(SILENCE_S / 0.1)):
                await call.send_audio(bytes(FRAME_BYTES))
                await asyncio.sleep(0.1)
            await call.mic("paused")
        await self._until(lambda: self._answers > before or self._over)

    async def _listen(self) -> None:
        async for event in self._call.events():
            match event:
                case media.TurnEnded(role="agent"):
                    self._answers += 1
                case media.Error(code=code):
                    self._figures.errors.append(code)
                case media.Ended(usage=usage):
                    self._figures.told_tokens += usage.total
            self._news.set()
        self._over = True
        self._news.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(300):
            while not condition():
                self._news.clear()
                await self._news.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--breaks", action="store_true", help="cut connections meanwhile")
    given = parser.parse_args()
    figures = virtual.run(measure(given.hours, given.seed, breaks=given.breaks))
    print(figures.table())
    for failure in figures.failures:
        print(failure, file=sys.stderr)
    return 1 if figures.failures else 0


if __name__ == "__main__":
    sys.exit(main())
