"""Plans of runs, drawn at random before each begins: the same seed gives the same plans."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from infra.faults.faulted_stack import LINKS
from infra.faults.link import Way
from infra.faults.toxics import (
    TOXICS,
    Bandwidth,
    Blackhole,
    Fault,
    Latency,
    Reset,
    Slicer,
    SlowClose,
    Timeout,
)
from simulator import faults as model

FAULTS_PER_RUN = 3  #: on links
AT_THE_START = ("client-gateway", "function-google", "function-dynamodb")  #: little passes there later
PAIRS = tuple((kind.kind, link) for kind, link in product(TOXICS, LINKS))


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing the user says."""

    text: str  #: with its marker; empty: by voice
    cut_after_s: float | None = None  #: the user interrupts the answer this long after it begins


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault to inject into a link."""

    link: str
    fault: Fault
    at_s: float  #: after the beginning of the run
    lasts_s: float  #: after it has first acted
    ways: tuple[Way, ...]
    most: int  #: connections


@dataclass(frozen=True, slots=True)
class Incident:
    """A fault that is not of a link: a killed process, a clock jump, a fault of the model."""

    kind: str
    at_s: float
    number: int = 0  #: which relay
    seconds: float = 0.0  #: of a clock
    fault: model.Fault | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    number: int
    prompts: tuple[Prompt, ...]
    faults: tuple[PlannedFault, ...]
    incidents: tuple[Incident, ...]
    has_speaker: bool


def plans(seed: int, *, has_vms: bool = False) -> Iterator[Plan]:
    """Endless plans. Each round uses every (fault, link) pair once, in random order.

    `has_vms`: relays live in MicroVMs, too, and something happens to those; all else is as without.
    """
    chance, fate = random.Random(seed), random.Random(f"{seed} of MicroVMs")
    deck: list[tuple[str, str]] = []
    number = 0
    while True:
        number += 1
        while len(deck) < FAULTS_PER_RUN:
            deck += chance.sample(PAIRS, len(PAIRS))
        pairs, deck = deck[:FAULTS_PER_RUN], deck[FAULTS_PER_RUN:]
        yield Plan(
            number,
            _prompts(number, chance),
            tuple(_fault(kind, link, chance) for kind, link in pairs),
            (*_incidents(chance), *(_vm_incidents(fate) if has_vms else ())),
            has_speaker=chance.random() < 0.3,
        )


def _prompts(number: int, chance: random.Random) -> tuple[Prompt, ...]:
    prompts = []
    for index in range(chance.randint(2, 4)):
        cut = chance.uniform(0.02, 0.4) if chance.random() < 0.15 else None
        is_spoken = index == 1 and chance.random() < 0.12
        prompts.append(Prompt("" if is_spoken else f"ask{number}x{index + 1}", cut))
    return tuple(prompts)


def _fault(kind: str, link: str, chance: random.Random) -> PlannedFault:
    at_s = 0.0 if link in AT_THE_START else chance.uniform(0.0, 2.5)
    ways: tuple[tuple[Way, ...], ...] = (("up", "down"), ("up",), ("down",))
    is_store = link.endswith("dynamodb")
    return PlannedFault(
        link,
        _DRAW[kind](chance, link),
        at_s,
        chance.uniform(0.3, 2.5),
        chance.choice(ways),
        chance.randint(1, 8) if is_store else chance.randint(1, 3),
    )


def _cut_at(chance: random.Random, link: str) -> int:
    """Byte of a cut: calls over HTTP are a few hundred bytes, conversations many more."""
    is_call = link.endswith(("dynamodb", "google"))
    return chance.choice((0, chance.randint(1, 200), chance.randint(1, 150 if is_call else 30_000)))


_DRAW: dict[str, Callable[[random.Random, str], Fault]] = {
    "latency": lambda chance, link: Latency(chance.uniform(0.02, 0.6), chance.uniform(0, 0.3)),
    "bandwidth": lambda chance, link: Bandwidth(chance.uniform(2_000, 60_000)),
    "reset": lambda chance, link: Reset(_cut_at(chance, link)),
    "slow_close": lambda chance, link: SlowClose(chance.uniform(0.1, 2.0), max(1, _cut_at(chance, link))),
    "timeout": lambda chance, link: Timeout(chance.uniform(0.1, 3.0)),
    "slicer": lambda chance, link: Slicer(chance.randint(1, 256), chance.uniform(0, 0.003)),
    "blackhole": lambda chance, link: Blackhole(),
}

_MODEL_FAULTS: tuple[model.Fault, ...] = (
    model.GoAway(time_left_s=20.0),
    model.GoAway(time_left_s=None),
    model.CloseNow(),
    model.Abort(),
    model.SpuriousInterrupted(),
    model.UnknownMessage(),
    model.EmptyContent(),
    model.Burst(),
    model.LostTranscriptionHead(),
    model.RefuseHandle(),
    model.Freeze(),
    model.TurnNeverEnds(),
)


def _incidents(chance: random.Random) -> Iterator[Incident]:
    at_s = chance.uniform(0.0, 4.0)
    if chance.random() < 0.3:
        yield Incident("model", at_s, fault=chance.choice(_MODEL_FAULTS))
    if chance.random() < 0.03:
        yield Incident("relay killed", at_s, number=chance.randrange(8))
    if chance.random() < 0.01:
        yield Incident("model restarted", at_s)
    if chance.random() < 0.03:
        kind = chance.choice(("relay clock", "function clock"))
        yield Incident(kind, at_s, seconds=chance.choice((-20.0, -5.0, 5.0, 20.0, 45.0)))


def _vm_incidents(chance: random.Random) -> Iterator[Incident]:
    for kind, share in (("vm suspended", 0.06), ("vm lost", 0.03), ("vm grown old", 0.02)):
        if chance.random() < share:
            at_s, number, seconds = chance.uniform(0.0, 4.0), chance.randrange(8), chance.uniform(0.2, 15.0)
            yield Incident(kind, at_s, number, seconds)
