"""Scenarios of single sessions: many at a time on one simulator, each chosen by a session's token.

A token whose locked setup has the voice `case:NAME` gets the scenario of that name, at minting, at every
handshake and in its conversation; all others get the simulator's own. Voices are free text, so that any
client can choose a case without being changed.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from simulator.conversation.replies import Replies
from simulator.conversation.world import World
from simulator.faults import RefuseHandshake, RefuseToken
from simulator.scenario import Scenario

PREFIX = "case:"  #: of a voice's name

_Http = TypeVar("_Http", RefuseHandshake, RefuseToken)


class Case:
    """One scenario, with a count of its tokens and connections."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name  #: empty: the simulator's own
        self.world = world
        self._counts: Counter[str] = Counter()

    def count(self, what: str) -> int:
        """The number of the next `what`, from 1."""
        self._counts[what] += 1
        return self._counts[what]

    def refusal(self, kind: type[_Http], number: int) -> _Http | None:
        """The scenario's answer over HTTP to try `number`, if it has one."""
        faults = (fault for fault in self.world.scenario.faults if isinstance(fault, kind))
        return next((fault for fault in faults if fault.at.connection in (None, number)), None)


class Cases:
    """The simulator's own scenario, and those that a token may ask for."""

    def __init__(self, world: World, scenarios: Mapping[str, Scenario]) -> None:
        self.own = Case("", world)
        self._cases = {
            name: Case(name, replace(world, scenario=scenario, replies=Replies(scenario)))
            for name, scenario in scenarios.items()
        }

    def play(self, scenario: Scenario) -> None:
        """Have the simulator's own scenario be another one, from the next token and connection on."""
        self.own = Case("", replace(self.own.world, scenario=scenario, replies=Replies(scenario)))

    def of_setup(self, setup: Mapping[str, Any] | None) -> Case:
        """The case of a token's setup (camelCase); the simulator's own without one."""
        name = _voice(setup or {})
        return self._cases.get(name.removeprefix(PREFIX), self.own) if name.startswith(PREFIX) else self.own

    def of_token(self, name: str) -> Case:
        return self.of_setup(self.own.world.tokens.setup_of(name))


def _voice(setup: Any) -> str:
    for name in ("generationConfig", "speechConfig", "voiceConfig", "prebuiltVoiceConfig"):
        setup = setup.get(name) if isinstance(setup, Mapping) else None
    return str(setup.get("voiceName", "")) if isinstance(setup, Mapping) else ""
