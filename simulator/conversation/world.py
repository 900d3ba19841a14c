"""State shared by all connections of one simulator, and its options."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simulator.clock import Clock
from simulator.conversation.replies import Replies
from simulator.ledger import Ledger
from simulator.scenario import Behaviour, Scenario
from simulator.session.context import HandleBook
from simulator.session.models import Model, table
from simulator.session.tokens import TokenBook
from simulator.speech import samples
from simulator.speech.samples import Sample
from simulator.speech.speaker import Speaker


@dataclass(frozen=True, slots=True)
class Config:
    """Options of one simulator."""

    host: str = "127.0.0.1"  #: loopback unless asked otherwise: there is no real protection here
    port: int = 0  #: 0: any free one
    tls: bool = False  #: with a certificate made for this run; `Running.certificate` has it
    time_scale: float | None = None  #: virtual seconds in a real one; None: the scenario's, else 1
    api_key: str | None = None  #: the only key admitted; None: any that is not empty
    scenario: Scenario = field(default_factory=Scenario)
    cases: Mapping[str, Scenario] = field(default_factory=dict)  #: for tokens that ask for one by its name
    log: Path | None = None  #: the ledger as a JSONL file
    replay: Path | None = None  #: a trace that is played back in place of the simulated model
    samples: Path = samples.SHIPPED
    models: tuple[Model, ...] = ()  #: in addition to the table


@dataclass(frozen=True, slots=True)
class World:
    """Shared state. Made once for each simulator, inside its event loop."""

    clock: Clock
    ledger: Ledger
    tokens: TokenBook
    handles: HandleBook
    replies: Replies
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
    """Build the shared state of `config`. Raises ValueError or OSError when something it names is missing."""
    scenario = config.scenario
    clock = Clock(config.time_scale or scenario.time_scale or 1.0)
    chance = random.Random(scenario.settings.seed)
    return World(
        clock=clock,
        ledger=Ledger(clock, config.log),
        tokens=TokenBook(clock, scenario.settings.locked_handle),
        handles=HandleBook(clock),
        replies=Replies(scenario),
        speaker=Speaker(scenario.settings.voice, chance),
        chance=chance,
        scenario=scenario,
        api_key=config.api_key,
        models={**table(scenario.settings.dialect), **{model.name: model for model in config.models}},
        known=samples.load_all(config.samples),
    )
