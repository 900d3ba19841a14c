"""What every connection of one simulator shares, and the options that shape it."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from simulator import samples
from simulator.brain import Brain
from simulator.clock import Clock
from simulator.context import HandleBook
from simulator.ledger import Ledger
from simulator.models import MODELS, Model
from simulator.samples import Sample
from simulator.scenario import Behaviour, Scenario
from simulator.speech import Speaker
from simulator.tokens import TokenBook


@dataclass(frozen=True, slots=True)
class Config:
    """One simulator, as started."""

    host: str = "127.0.0.1"  #: loopback unless asked otherwise: there is no real protection here
    port: int = 0  #: 0: any free one
    tls: bool = False  #: with a certificate made for this run; `Running.certificate` has it
    time_scale: float | None = None  #: virtual seconds in a real one; None: the scenario's, else 1
    api_key: str | None = None  #: the only key admitted; None: any that is not empty
    scenario: Scenario = field(default_factory=Scenario)
    log: Path | None = None  #: the ledger as a JSONL file
    samples: Path = samples.SHIPPED
    models: tuple[Model, ...] = ()  #: in addition to the table


@dataclass(frozen=True, slots=True)
class World:
    """Made once for each simulator, inside its event loop."""

    clock: Clock
    ledger: Ledger
    tokens: TokenBook
    handles: HandleBook
    brain: Brain
    speaker: Speaker
    chance: random.Random
    scenario: Scenario
    api_key: str | None
    models: dict[str, Model]
    known: tuple[Sample, ...] = field(default=(), repr=False)

    @property
    def behaviour(self) -> Behaviour:
        return self.scenario.settings


def make(config: Config) -> World:
    """The world of `config`. Raises ValueError or OSError when something it names is missing."""
    scenario = config.scenario
    clock = Clock(config.time_scale or scenario.time_scale or 1.0)
    chance = random.Random(scenario.settings.seed)
    return World(
        clock=clock,
        ledger=Ledger(clock, config.log),
        tokens=TokenBook(clock, scenario.settings.locked_handle),
        handles=HandleBook(clock),
        brain=Brain(scenario),
        speaker=Speaker(scenario.settings.voice, chance),
        chance=chance,
        scenario=scenario,
        api_key=config.api_key,
        models={**MODELS, **{model.name: model for model in config.models}},
        known=samples.load_all(config.samples),
    )
