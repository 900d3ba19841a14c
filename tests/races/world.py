"""All that actors share: the table, ECS, MicroVMs, the inboxes of clients, the clock. An immutable value.

An operation is a function of a world: it gives each outcome that the real thing might have, or none while it
has to wait.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from tests.races import memory_table

Part = tuple[str, ...]  #: ("item", PK, SK), ("inbox", connection), ("task", relay), ("vm", id), ("clock",)
READS = ("get_item", "batch_get_item", "query")


class Kept:
    """A value that is kept once: two that are equal are the same object, and quick to compare."""

    __slots__ = ("text", "value")
    known: ClassVar[dict[str, Kept]] = {}

    def __init__(self, value: Any, text: str) -> None:
        self.value, self.text = value, text

    @classmethod
    def of(cls, value: Any) -> Kept:
        text = json.dumps(value, sort_keys=True)
        found = cls.known.get(text)
        if found is None:
            found = cls.known[text] = cls(value, text)
        return found


class World:
    """Parts by name. Equal worlds are the same object."""

    __slots__ = ("parts",)
    known: ClassVar[dict[frozenset[tuple[Part, Kept]], World]] = {}

    def __init__(self, parts: Mapping[Part, Kept]) -> None:
        self.parts = parts

    @classmethod
    def of(cls, parts: Mapping[Part, Kept]) -> World:
        identity = frozenset(parts.items())
        found = cls.known.get(identity)
        if found is None:
            found = cls.known[identity] = cls(parts)
        return found

    def get(self, *part: str, default: Any = None) -> Any:
        kept = self.parts.get(part)
        return default if kept is None else kept.value

    def with_(self, changes: Mapping[Part, Any]) -> World:
        """This world with other values; None removes a part."""
        parts = dict(self.parts)
        for part, value in changes.items():
            if value is None:
                parts.pop(part, None)
            else:
                parts[part] = Kept.of(value)
        return World.of(parts)

    def named(self, kind: str) -> dict[Part, Any]:
        """All parts of a kind."""
        return {part: kept.value for part, kept in self.parts.items() if part[0] == kind}

    @property
    def items(self) -> dict[tuple[str, str], Any]:
        return {(pk, sk): value for (_, pk, sk), value in self.named("item").items()}

    @property
    def now(self) -> int:
        return int(self.get("clock", default=0))


EMPTY = World.of({})

Outcome = tuple[Any, World]  #: the answer, and the world after it
Operation = Callable[[World, Mapping[str, Any]], Iterator[Outcome]]


def outcomes(world: World, kind: str, payload: Mapping[str, Any]) -> list[Outcome]:
    """Each answer that an operation may get now; none while it has to wait."""
    return list(_OPERATIONS[kind](world, payload))


def _table(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    """A request. While `faults` are left a response may be lost, before a write was applied or after it."""
    operation = payload["operation"]
    told, changes = memory_table.answer(world.items, operation, payload["request"])
    after = world.with_({("item", *key): item for key, item in changes.items()})
    yield told, after
    faults = world.get("faults", default=0)
    if faults and operation not in READS and "error" not in told:
        yield {"error": "lost"}, world.with_({("faults",): faults - 1})
        yield {"error": "lost"}, after.with_({("faults",): faults - 1})


def _begin(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    yield None, world


def _clock(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    yield world.now, world


def _pass_time(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    yield None, world.with_({("clock",): world.now + payload["seconds"]})


def _send(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    """A post to a connection. What order a client reads in decides `i`, so an inbox has none of its own."""
    inbox = world.get("inbox", payload["connection"], default=[])
    if payload["message"] in inbox:
        yield True, world
        return
    held = sorted([*inbox, payload["message"]])
    yield True, world.with_({("inbox", payload["connection"]): held})


def _wait_for(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    """Any message of these types to a connection, when there is one; the newest by `i`."""
    inbox = [json.loads(message) for message in world.get("inbox", payload["connection"], default=[])]
    wanted = [message for message in inbox if message["type"] in payload["types"]]
    if wanted:
        yield max(wanted, key=lambda message: message.get("i", 0)), world


def _launch(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    """RunTask by client token, or RunMicrovm, or ResumeMicrovm; refused as often as `refusals` says."""
    relay, vm = payload["relay"], payload["vm"]
    refusals = world.get("refusals", default=0)
    if refusals:
        yield "refused", world.with_({("refusals",): refusals - 1})
        if world.get("always_refused"):
            return
    if payload["home"] == "fargate":
        yield "task", world if world.get("task", relay) else world.with_({("task", relay): "RUNNING"})
    elif vm:
        yield from _resume(world, vm)
    else:
        id = f"vm-{relay}"
        born = world if world.get("vm", id) else world.with_({("vm", id): ["RUNNING", world.now]})
        yield id, born


def _resume(world: World, vm: str) -> Iterator[Outcome]:
    state, started_at = world.get("vm", vm, default=["TERMINATED", 0])
    if state in ("SUSPENDED", "RUNNING"):
        yield "woken", world.with_({("vm", vm): ["RUNNING", started_at]})
    else:
        yield "refused", world


def _tasks(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    yield sorted(relay for _, relay in world.named("task")), world


def _stop_task(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    yield None, world.with_({("task", payload["relay"]): None})


def _until_task(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    """The relay of a task that has begun, once: each task is one process."""
    for part, state in world.named("task").items():
        if state == "RUNNING":
            yield part[1], world.with_({part: "UP"})


def _until_resumed(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    """The moment when a MicroVM that slept is resumed."""
    item = world.items.get((f"RELAY#{payload['relay']}", "META"), {})
    vm = item.get("vm", {}).get("S", "")
    state, _ = world.get("vm", vm, default=["TERMINATED", 0])
    if item.get("state", {}).get("S") == "STARTING" and state == "RUNNING":
        yield True, world


def _vms(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    alive = sorted((part[1], *held) for part, held in world.named("vm").items() if held[0] != "TERMINATED")
    yield [list(each) for each in alive], world


def _set_vm(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    """Suspend or terminate one; answers True when it is in that state."""
    state, started_at = world.get("vm", payload["vm"], default=["TERMINATED", 0])
    if state == "TERMINATED":
        yield payload["state"] == "TERMINATED", world
    else:
        yield True, world.with_({("vm", payload["vm"]): [payload["state"], started_at]})


def _note(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    """Leave a remark in the world, for the invariants."""
    yield None, world.with_({("note", payload["name"]): payload["value"]})


def _until(world: World, payload: Mapping[str, Any]) -> Iterator[Outcome]:
    """Wait for a remark of another actor."""
    if world.get("note", payload["name"]) is not None:
        yield world.get("note", payload["name"]), world


_OPERATIONS: Mapping[str, Operation] = {
    "begin": _begin,
    "table": _table,
    "now": _clock,
    "pass_time": _pass_time,
    "send": _send,
    "wait_for": _wait_for,
    "launch": _launch,
    "tasks": _tasks,
    "stop_task": _stop_task,
    "until_task": _until_task,
    "until_resumed": _until_resumed,
    "vms": _vms,
    "set_vm": _set_vm,
    "note": _note,
    "until": _until,
}
