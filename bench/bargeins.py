"""Somebody speaks over the agent: does the record say what was heard?

    python -m bench.bargeins --count 500 --seed 1

In virtual time. The model's words are of uneven length and its transcript comes in pieces, early and late.
What was heard is what the client's loudspeaker had played; which words those are, the model's ledger knows.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from bench import virtual
from protocol import media
from protocol.audio import downlink_ms
from simulator.ledger import Line
from simulator.scenario import Behaviour
from simulator.speech.samples import SHIPPED
from vivavoce import Conversation
from vivavoce.microphone import Microphone
from vivavoce.playback import VirtualSpeaker
from vivavoce.wavefile import read_wav

MOST_WORDS = 2.0  #: p95 of the difference
EACH = 25  #: barge-ins in one conversation
VOCABULARY = (  # short ones and long ones: text spread evenly over time is wrong about both
    "a I we to of and then when over under again between morning evening remember understanding cat dog it is"
    " no yes conversation extraordinary perhaps certainly never always Tuesday, seventeen, thousand. quickly"
)
INTERRUPTION = read_wav(SHIPPED / "interruption.wav")


@dataclass(frozen=True, slots=True)
class Cut:
    """One barge-in, in words from the beginning of the answer."""

    heard: int  #: by the loudspeaker and the model's ledger
    stored: int  #: in the record
    of: int
    by_voice: bool

    @property
    def off(self) -> int:
        return abs(self.stored - self.heard)


@dataclass
class Figures:
    cuts: list[Cut] = field(default_factory=list)

    @property
    def p95(self) -> float:
        return quantiles([cut.off for cut in self.cuts], n=100, method="inclusive")[94]

    @property
    def failures(self) -> list[str]:
        return [f"p95 is {self.p95:g} words"] if self.p95 > MOST_WORDS else []

    def table(self) -> str:
        off = [cut.off for cut in self.cuts]
        exact, one = (sum(n <= most for n in off) for most in (0, 1))
        voice = sum(cut.by_voice for cut in self.cuts)
        bias = sum(cut.stored - cut.heard for cut in self.cuts) / len(off)
        rows = [
            ("barge-ins", f"{len(off)}, {voice} by voice and {len(off) - voice} by a button"),
            ("words of an answer", f"{min(c.of for c in self.cuts)} to {max(c.of for c in self.cuts)}"),
            ("stored heard is off by, p50 / p95", f"{_at(off, 50):g} / {self.p95:g} words (2 allowed)"),
            ("  most", f"{max(off)} words"),
            ("  exact / within one word", f"{exact / len(off):.0%} / {one / len(off):.0%}"),
            ("  on average", f"{bias:+.2f} words"),
        ]
        return "\n".join(f"{name:<38}{value}" for name, value in rows)


def _at(values: Sequence[int], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


async def measure(count: int, seed: int) -> Figures:
    chance = random.Random(seed)
    figures = Figures()
    async with virtual.house(Behaviour(voice="synthetic", seed=seed)) as house:
        while len(figures.cuts) < count:
            visitor = Interrupter(house, len(figures.cuts), chance)
            figures.cuts += await visitor.talk(min(EACH, count - len(figures.cuts)))
    return figures


class Interrupter:
    """Asks, listens for a while, and speaks over the answer or presses a button."""

    def __init__(self, house: virtual.House, number: int, chance: random.Random) -> None:
        self._house = house
        self._chance = chance
        self._tap: dict[int, int] = defaultdict(int)  #: bytes played, by turn
        self._speaker = VirtualSpeaker(self._play)
        self._call: Conversation = house.conversation(number, self._speaker)
        self._ended: set[int] = set()
        self._started: set[int] = set()
        self._news = asyncio.Event()

    async def talk(self, count: int) -> list[Cut]:
        cuts: list[Cut] = []
        async with asyncio.TaskGroup() as tasks, self._call as call:
            microphone = Microphone(call.send_audio)
            beside = [tasks.create_task(self._listen()), tasks.create_task(microphone.run())]
            while len(cuts) < count:
                cuts.append(await self._barge_in(call, microphone))
            for task in beside:
                task.cancel()
        return cuts

    async def _barge_in(self, call: Conversation, microphone: Microphone) -> Cut:
        told = len(self._house.model.ledger.where("answer.begun"))
        turn = max(self._started, default=0) + 1
        await call.send_text(
            " ".join(self._chance.choices(VOCABULARY.split(), k=self._chance.randint(12, 30)))
        )
        await self._until(self._started, turn)
        answer = self._house.model.ledger.where("answer.begun")[told]
        await asyncio.sleep(self._chance.uniform(0.3, answer["duration_s"] - 1.0))
        by_voice = self._chance.random() < 0.5
        if by_voice:
            await microphone.say(INTERRUPTION)
        else:
            await call.interrupt()
        await self._until(self._ended, turn)
        if by_voice:  # is answered, too
            await self._until(self._ended, turn + 1)
        await asyncio.sleep(3.0)
        return self._compare(turn, answer, by_voice)

    def _compare(self, turn: int, answer: Line, by_voice: bool) -> Cut:
        stored = [kept for id, kept in self._house.book.turns if id == self._call.session]
        (kept,) = [one for one in stored if one.number == turn]
        played_s = downlink_ms(self._tap[turn]) / 1000
        heard = sum((start + end) / 2 <= played_s for _, start, end in answer["words"])
        return Cut(heard, len(kept.heard_text().split()), len(answer["words"]), by_voice)

    def _play(self, pcm: bytes) -> None:
        self._tap[self._speaker.turn] += len(pcm)

    async def _listen(self) -> None:
        async for event in self._call.events():
            match event:
                case media.TurnStarted(role="agent"):
                    self._started.add(event.turn)
                case media.TurnEnded(role="agent"):
                    self._ended.add(event.turn)
            self._news.set()

    async def _until(self, turns: set[int], turn: int) -> None:
        async with asyncio.timeout(120):
            while turn not in turns:
                self._news.clear()
                await self._news.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    figures = virtual.run(measure(given.count, given.seed))
    print(figures.table())
    for failure in figures.failures:
        print(failure, file=sys.stderr)
    return 1 if figures.failures else 0


if __name__ == "__main__":
    sys.exit(main())
