"""The model's connection is changed under continuous speech: was a frame lost, and how long was the gap?

    python -m bench.rotations --rotations 200

The real local stack, in real time, with a model that keeps a connection for seconds and not for ten minutes.
Every 20 ms of the microphone carries a number that nobody hears; the model's ledger says which it consumed.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import itertools
import sys
from collections import Counter
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from infra.faults.faulted_stack import FaultedStack, FaultedStackOptions
from protocol import media
from protocol.control import Starting
from protocol.limits import FRAME_MS, UPLINK_FRAME_BYTES
from simulator.audio.watermark import embed
from simulator.ledger import Line
from simulator.scenario import Behaviour
from simulator.speech.samples import SHIPPED
from vivavoce import Conversation
from vivavoce.wavefile import read_wav

SPOKEN_S = 52.0  #: of one conversation: the stand-in cuts an utterance after 60 s
LIVES_S = 5.0  #: of a model connection…
WARNS_S = 3.5  #: …and how long before its end it says so
AT_A_TIME = 6
EXPECTED = ("Live", "Metrics", "TurnStarted")
APART = 1_000_000  #: between the numbers of two conversations
MOST_TWICE = 10  #: frames a rotation
VOICED = slice(8_000, 40_000)  #: bytes of the sample in which somebody speaks without a long pause


@dataclass
class Spoken:
    """One conversation."""

    first: int  #: number of the first frame: others count elsewhere
    sent: int = 0  #: frames
    told: Counter[str] = field(default_factory=Counter)  #: events at the client, by type
    gaps_ms: list[int] = field(default_factory=list)
    missing: list[tuple[int, int]] = field(default_factory=list)  #: in the final lineage
    consumed: int = 0
    twice: list[int] = field(default_factory=list)  #: frames, by rotation
    dial_ms: list[float] = field(default_factory=list)  #: old connection gone to the new one accepted
    setup_ms: list[float] = field(default_factory=list)  #: accepted to set up


@dataclass
class Figures:
    """All of them."""

    spoken: list[Spoken]

    def all(self, name: str) -> list[Any]:
        return [value for one in self.spoken for value in getattr(one, name)]

    @property
    def rotations(self) -> int:
        return len(self.all("gaps_ms"))

    @property
    def unexpected(self) -> Counter[str]:
        """Events that a client should not have seen: all but its own turn's beginning and the metric."""
        told: Counter[str] = sum((one.told for one in self.spoken), Counter())
        return Counter(
            {kind: n for kind, n in told.items() if kind not in ("Live", "Metrics", "TurnStarted")}
        )

    @property
    def failures(self) -> list[str]:
        lost = [gap for one in self.spoken for gap in one.missing]
        short = [one for one in self.spoken if one.consumed != one.sent]
        failures = [f"frames {first} to {last} are missing" for first, last in lost]
        failures += [f"{one.consumed} of {one.sent} frames in the final context" for one in short]
        failures += [f"{n} frames twice in one rotation" for n in self.all("twice") if n > MOST_TWICE]
        failures += [f"the client saw {n} {kind}" for kind, n in self.unexpected.items()]
        failures += [
            f"{kind} {one.told[kind]} times"
            for one in self.spoken
            for kind in ("Live", "TurnStarted")
            if one.told[kind] != 1
        ]
        return failures

    def table(self) -> str:
        twice = self.all("twice")
        rest = [
            gap - dial - setup
            for gap, dial, setup in zip(
                self.all("gaps_ms"), self.all("dial_ms"), self.all("setup_ms"), strict=False
            )
        ]
        rows = [
            ("rotations under continuous speech", f"{self.rotations} in {len(self.spoken)} conversations"),
            ("planted frames sent", f"{sum(one.sent for one in self.spoken)} of {FRAME_MS} ms"),
            ("missing in the final context", str(sum(one.sent - one.consumed for one in self.spoken))),
            (
                "heard twice, a rotation",
                f"median {median(twice):g}, most {max(twice)} (allowed {MOST_TWICE})",
            ),
            ("events at the client but the metric", str(sum(self.unexpected.values()))),
            ("gap, p50 / p99", _spread(self.all("gaps_ms"))),
            ("  old closed to new accepted", _spread(self.all("dial_ms"))),
            ("  accepted to set up", _spread(self.all("setup_ms"))),
            ("  the rest: closing, saying again", _spread(rest)),
        ]
        return "\n".join(f"{name:<38}{value}" for name, value in rows)


def _spread(values: list[float]) -> str:
    cuts = quantiles(values, n=100, method="inclusive")
    return f"{cuts[49]:.0f} / {cuts[98]:.0f} ms"


async def measure(rotations: int, at_a_time: int = AT_A_TIME, spoken_s: float = SPOKEN_S) -> Figures:
    """Conversations until there were so many rotations."""
    behaviour = Behaviour(connection_limit_s=LIVES_S, go_away_left_s=WARNS_S, voice="synthetic")
    figures = Figures([])
    async with FaultedStack(FaultedStackOptions(time_scale=1.0, behaviour=behaviour)) as faulted:
        while figures.rotations < rotations:
            async with asyncio.TaskGroup() as tasks:
                numbers = range(len(figures.spoken), len(figures.spoken) + at_a_time)
                talks = [tasks.create_task(_talk(faulted, number, spoken_s)) for number in numbers]
            figures.spoken += [talk.result() for talk in talks]
            print(f"  {figures.rotations} rotations", file=sys.stderr, flush=True)
    return figures


async def _talk(faulted: FaultedStack, number: int, spoken_s: float) -> Spoken:
    spoken = Spoken(first=number * APART)
    call = faulted.conversation()
    async with asyncio.TaskGroup() as tasks, call:
        listening = tasks.create_task(_listen(call, spoken))
        await _speak(call, spoken, spoken_s)
        await asyncio.sleep(1.0)  # the last frames are on their way
        listening.cancel()
    closed = functools.partial(_closed, faulted, spoken)
    async with asyncio.timeout(10):
        while len(closed()) <= len(spoken.gaps_ms):  # noqa: ASYNC110 (the ledger has no event for many lines)
            await asyncio.sleep(0.1)
    _read_ledger(faulted, closed(), spoken)
    return spoken


async def _listen(call: Conversation, spoken: Spoken) -> None:
    async for event in call.events():
        if isinstance(event, media.Metrics) and event.leg_gap_ms is not None:
            spoken.gaps_ms.append(event.leg_gap_ms)
        if not isinstance(event, Starting):
            spoken.told[type(event).__name__] += 1


async def _speak(call: Conversation, spoken: Spoken, seconds: float) -> None:
    """Loud frames at real time, each with its number."""
    voice = read_wav(SHIPPED / "question.wav")[VOICED]
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    while loop.time() - began_at < seconds:
        at = spoken.sent * UPLINK_FRAME_BYTES % (len(voice) - UPLINK_FRAME_BYTES)
        await call.send_audio(embed(voice[at : at + UPLINK_FRAME_BYTES], spoken.first + spoken.sent))
        spoken.sent += 1
        await asyncio.sleep(began_at + spoken.sent * FRAME_MS / 1000 - loop.time())


# ---- what the model's ledger says


def _closed(faulted: FaultedStack, spoken: Spoken) -> list[Line]:
    """The model connections of this conversation that are over, oldest first."""
    return [
        line
        for line in faulted.model.ledger.where("connection.closed")
        if any(spoken.first <= first < spoken.first + APART for first, _ in line.get("planted", ()))
    ]


def _read_ledger(faulted: FaultedStack, closed: list[Line], spoken: Spoken) -> None:
    """The last connection knows the whole lineage: the handle's snapshot, and what followed."""
    spoken.missing = list(closed[-1]["missing"])
    spoken.consumed = _count(closed[-1]["planted"])
    for old, new in itertools.pairwise(closed):
        (accepted,) = faulted.model.ledger.where("connection.opened", connection=new["connection"])
        (set_up,) = faulted.model.ledger.where("session.opened", connection=new["connection"])
        spoken.dial_ms.append((accepted["epoch_s"] - old["epoch_s"]) * 1000)
        spoken.setup_ms.append((set_up["epoch_s"] - accepted["epoch_s"]) * 1000)
        spoken.twice.append(_count(new["repeated"]) - _count(set_up["repeated"]))


def _count(ranges: list[tuple[int, int]]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rotations", type=int, default=200)
    figures = asyncio.run(measure(parser.parse_args().rotations))
    print(figures.table())
    for failure in figures.failures:
        print(failure, file=sys.stderr)
    return 1 if figures.failures else 0


if __name__ == "__main__":
    sys.exit(main())
