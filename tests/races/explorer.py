"""All interleavings of some actors, with a crash possible between any two of their steps.

A state is the world and, of each actor, the answers that it got. Interleavings that lead to the same state
are followed once from there; how many there are is counted all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.races import door, footprint
from tests.races.door import NAMES, Change, Door, Pause, Script, Settings
from tests.races.footprint import CLOCK, READS, Touch
from tests.races.world import Kept, Part, World, outcomes

Run = Callable[[Door], Any]
Invariant = Callable[[World], str]  #: why a world must not be, or ""


@dataclass(frozen=True)
class Protocol:
    """Actors that meet at a world, and what must hold of it."""

    name: str
    actors: Mapping[str, Run]
    world: World
    settings: Settings
    always: Sequence[Invariant] = ()  #: in every state
    finally_: Sequence[Invariant] = ()  #: where nobody can go on, and nobody has crashed
    crashing: frozenset[str] = frozenset()  #: actors that may crash between two steps
    crashes: int = 1  #: of one interleaving
    at_rest: Callable[[World], str] = lambda world: ""  #: why a world, left alone, does not come to rest


@dataclass
class Report:
    """What an exploration saw."""

    protocol: str
    states: int = 0
    worlds: int = 0
    ends: int = 0  #: states where nobody can go on
    interleavings: int = 0
    is_whole: bool = True  #: all were explored; False: its time was up
    violations: dict[str, list[str]] = field(default_factory=dict)  #: the first way to each, step by step


class Node:
    """An actor after some answers: its next request, or what it gave back."""

    __slots__ = (
        "answers",
        "children",
        "is_failure",
        "kind",
        "noted",
        "payload",
        "request",
        "result",
        "touches",
    )

    def __init__(self, answers: tuple[Any, ...]) -> None:
        self.answers = answers
        self.children: dict[Kept, Node] = {}
        self.kind, self.payload, self.request = "", {}, None
        self.result: Any = None
        self.is_failure = False  #: an error that it does not know
        self.touches: frozenset[Touch] = frozenset()
        self.noted: frozenset[Touch] = frozenset()


CRASHED = Node(())
CRASHED.result = "crashed"


class Actor:
    """Runs the code of one actor up to a node."""

    def __init__(self, name: str, run: Run, settings: Settings, plant: Change | None) -> None:
        self.name, self._run, self._settings, self._plant = name, run, settings, plant
        self._ended: dict[str, Node] = {}
        self.root = self._at(())

    def after(self, node: Node, told: Kept) -> Node:
        child = node.children.get(told)
        if child is None:
            child = node.children[told] = self._at((*node.answers, told.value))
        return child

    def _at(self, answers: tuple[Any, ...]) -> Node:
        node, script = Node(answers), Script(answers)
        NAMES.begin(self.name)
        try:
            script("begin", {})
            node.result = self._run(Door(script, self._settings, self._plant))
        except Pause as pause:
            node.kind, node.payload = pause.kind, pause.payload
            node.request = Kept.of([pause.kind, pause.payload])
            node.touches = footprint.of(pause.kind, pause.payload)
            return node
        except Exception as error:
            node.result, node.is_failure = f"{type(error).__name__}: {error}", True
        return self._ended.setdefault(repr(node.result), node)


class State(NamedTuple):
    world: World
    nodes: tuple[Node, ...]
    crashes: int


class Step(NamedTuple):
    """A step of an actor, as a way is told."""

    actor: str
    node: Node
    told: Kept | None  #: None: it crashes instead


class Shared(Exception):
    """A part that was taken for one actor's own, and is not."""


class Explorer:
    """One exploration, depth first.

    A request that touches only what no other actor touches needs no other order than at once. Which parts
    those are is assumed, and checked at every step: `explore` begins anew without one that was wrong.
    """

    def __init__(self, protocol: Protocol, plant: Change | None, shared: set[Part], stop_at: int) -> None:
        self.protocol, self._stop_at, self._shared = protocol, stop_at, shared
        self._actors = [Actor(name, run, protocol.settings, plant) for name, run in protocol.actors.items()]
        self._outcomes: dict[tuple[World, Kept], list[tuple[Kept, World]]] = {}
        self._came_from: dict[State, tuple[State, Step] | None] = {}
        self._judged: dict[World, list[str]] = {}
        self._rests: dict[World, str] = {}
        self._touched: dict[Part, list[set[str]]] = {}
        self.report = Report(protocol.name)

    def run(self, *, rest_everywhere: bool = False, limit_s: float = 0.0) -> Report:
        """Explore all, or what `limit_s` of CPU time allows.

        `rest_everywhere`: try from every world whether it comes to rest, not from ends only.
        """
        until = time.process_time() + limit_s if limit_s else float("inf")
        self._rest_everywhere = rest_everywhere
        start = State(self.protocol.world, tuple(actor.root for actor in self._actors), self.protocol.crashes)
        ways: dict[State, int] = {}  #: interleavings from a state to an end
        self._came_from[start] = None
        stack = [(start, iter(self._visit(start)), [0])]
        while stack and len(self.report.violations) < self._stop_at:
            if time.process_time() > until:
                self.report.is_whole = False
                break
            state, following, count = stack[-1]
            for step, reached in following:
                if reached in ways:
                    count[0] += ways[reached]
                    continue
                self._came_from[reached] = (state, step)
                stack.append((reached, iter(self._visit(reached)), [0]))
                break
            else:
                stack.pop()
                ways[state] = count[0] or 1
                if stack:
                    stack[-1][2][0] += ways[state]
        report = self.report
        report.states, report.interleavings = len(self._came_from), ways.get(start, 0)
        report.worlds = len(self._judged)
        return report

    def _visit(self, state: State) -> list[tuple[Step, State]]:
        following = []
        is_end = True
        for place, (actor, node) in enumerate(zip(self._actors, state.nodes, strict=True)):
            if node.request is None:
                if node.is_failure:
                    self._judge(state, f"{actor.name} failed: {node.result}")
                continue
            steps = self._steps(state, place, actor, node)
            can_go_on = bool(steps)
            is_end = is_end and not can_go_on
            if state.crashes and actor.name in self.protocol.crashing and node is not actor.root:
                crashed = (*state.nodes[:place], CRASHED, *state.nodes[place + 1 :])
                steps.append((Step(actor.name, node, None), State(state.world, crashed, state.crashes - 1)))
            if can_go_on and self._is_private(node):
                following = steps
                break
            following += steps
        self._check(state, is_end)
        return following

    def _steps(self, state: State, place: int, actor: Actor, node: Node) -> list[tuple[Step, State]]:
        steps = []
        for told, world in self._answers(state.world, node):
            after = actor.after(node, told)
            while after.kind == "now":  # the time of the step before it
                node.touches |= {(CLOCK, READS)}
                after = actor.after(after, world.parts[CLOCK])
            nodes = (*state.nodes[:place], after, *state.nodes[place + 1 :])
            steps.append((Step(actor.name, node, told), State(world, nodes, state.crashes)))
        if steps:
            self._touch(actor, node)
        return steps

    def _touch(self, actor: Actor, node: Node) -> None:
        """Raises Shared at the first sign that a part is not one actor's own."""
        if node.touches == node.noted:
            return
        node.noted = node.touches
        for part, writes in node.touches:
            if part in self._shared:
                continue
            by = self._touched.setdefault(part, [set(), set()])  # readers, writers
            by[writes].add(actor.name)
            readers, writers = by
            if writers and len(readers | writers) > 1:
                self._shared.add(part)
                raise Shared(part)

    def _is_private(self, node: Node) -> bool:
        """True when no other actor minds when this is done. What is told to clients is looked at always."""
        if self.protocol.world.get("faults"):
            return False  # whose response is lost, all others mind
        return not any(part in self._shared or part[0] == "inbox" for part, _ in node.touches)

    def _answers(self, world: World, node: Node) -> list[tuple[Kept, World]]:
        assert node.request is not None
        known = self._outcomes.get((world, node.request))
        if known is None:
            known = [(Kept.of(told), after) for told, after in outcomes(world, node.kind, node.payload)]
            self._outcomes[world, node.request] = known
        return known

    def _check(self, state: State, is_end: bool) -> None:
        world = state.world
        wrongs = self._judged.get(world)
        if wrongs is None:
            found = (invariant(world) for invariant in self.protocol.always)
            wrongs = self._judged[world] = [wrong for wrong in found if wrong]
        if is_end:
            self.report.ends += 1
            if CRASHED not in state.nodes:
                wrongs = [*wrongs, *(invariant(world) for invariant in self.protocol.finally_)]
        for wrong in wrongs:
            self._judge(state, wrong)
        if is_end or self._rest_everywhere:
            if world not in self._rests:
                self._rests[world] = self.protocol.at_rest(world)
            self._judge(state, self._rests[world])

    def _judge(self, state: State, wrong: str) -> None:
        if wrong and wrong not in self.report.violations:
            self.report.violations[wrong] = self._way_to(state)

    def _way_to(self, state: State) -> list[str]:
        """The steps by which a state was first reached."""
        steps: list[str] = []
        came = self._came_from[state]
        while came is not None:
            before, step = came
            told = "crashes" if step.told is None else _brief(step.node, step.told.value)
            steps.append(f"{step.actor}: {told}")
            came = self._came_from[before]
        return steps[::-1]


def explore(protocol: Protocol, plant: Change | None = None, **options: Any) -> Report:
    """Explore a protocol, perhaps with a fault planted in the requests to the table."""
    stop_at, shared = options.pop("stop_at", 1), set()
    with door.deterministic():
        while True:
            try:
                return Explorer(protocol, plant, shared, stop_at).run(**options)
            except Shared:
                continue


def _brief(node: Node, told: Any) -> str:
    """A step in some words."""
    if node.kind != "table":
        return f"{node.kind} {node.payload or ''} -> {told}"[:160]
    request = node.payload["request"]
    keys = [next(iter(step.values())) for step in request.get("TransactItems", [])] or [request]
    named = [each.get("Key") or each.get("Item") for each in keys]
    what = [key["PK"]["S"] + "/" + key["SK"]["S"] for key in named if key]
    error = f" -> {told['error']}" if "error" in told else ""
    change = request.get("UpdateExpression", "")[:60]
    return f"{node.payload['operation']} {' '.join(what)} {change}{error}"
