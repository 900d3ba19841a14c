"""Whether a world comes to rest when everybody in it has crashed and only time and the sweep go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from functions.core.fleet import sweep
from tests.races.door import Door, Settings
from tests.races.world import Kept, World, outcomes

ROUNDS = 45  #: sweeps, one a minute: the longest session and its grace
PATIENCE = 1  #: sweeps until who waits is told
Left = Literal["gone", "hung"]  #: what is left of tasks and MicroVMs: nothing, or processes that do nothing


def comes_to_rest(world: World, settings: Settings) -> str:
    """Why it does not, or "". No relays are to be kept, warm or asleep: then none may be left."""
    settings = settings.without_relays()
    for left in ("gone", "hung"):
        wrong = _swept(_abandoned(world, left), settings)
        if wrong:
            return f"stranded, with all processes {left}: {wrong}"
    return ""


def _abandoned(world: World, left: Left) -> World:
    changes: dict[tuple[str, ...], Any] = {("faults",): None, ("refusals",): None, ("always_refused",): None}
    if left == "gone":
        changes |= dict.fromkeys([*world.named("task"), *world.named("vm")])
    return world.with_(changes)


def is_told_by_sweeps(world: World, settings: Settings, told: Callable[[World], str]) -> str:
    """Why somebody waits still after the sweeps that are due while a client may, or ""."""
    wrong = told(world)
    for _ in range(PATIENCE):
        if wrong:
            world = _sweep(world, settings)
            wrong = told(world)
    return wrong


def _swept(world: World, settings: Settings) -> str:
    for _ in range(ROUNDS):
        world = _sweep(world, settings)
        wrong = next(_unrest(world), "")
        if not wrong:
            return ""
    return wrong


def _sweep(world: World, settings: Settings) -> World:
    """A minute later, after a sweep."""
    held = [world.with_({("clock",): world.now + 60})]

    def ask(kind: str, payload: dict[str, Any]) -> Any:
        told, held[0] = outcomes(held[0], kind, payload)[0]
        return Kept.of(told).value

    sweep.sweep(Door(ask, settings).sweep_ports)
    return held[0]


def _unrest(world: World) -> Iterator[str]:
    """What keeps a world from being at rest."""
    for (pk, sk), item in world.items.items():
        if pk.startswith("SES#") and sk == "META":
            if item["state"]["S"] != "ENDED":
                yield "an open session"
            if "reserved_s" in item:
                yield "reserved minutes"
        if sk == "OPEN" and (item["sessions"]["M"] or "GSI1PK" in item):
            yield "a counted session"
        if pk == "POOL" and item["slots"]["M"]:
            yield "a taken slot"
    if world.named("task"):
        yield "a task"
    if any(state != "TERMINATED" for state, _ in world.named("vm").values()):
        yield "a MicroVM"
