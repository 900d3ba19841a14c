"""Those who meet at the table, each as a function that runs the real code: clients, functions, relays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from functions.core.fleet import replace_leaving, sweep, task_stopped
from functions.core.sessions import dispatch, notify_waiting
from protocol.control import Config
from records import minutes, relays, sessions, tickets, turns
from records.table import ConditionFailed, Fenced, Step
from tests.races.door import NAMES, Door, Settings, deterministic, message_event
from tests.races.explorer import Run
from tests.races.world import EMPTY, Kept, World, outcomes

NOW = 1_800_000_000  #: any moment, epoch s
USER = "ada"
FIRST_KEY = "the-first-key-of-a-session"
RESERVED_S = 1800


# ---- worlds to begin with


def made(world: World, work: Callable[[Door], Any], settings: Settings, name: str = "before") -> World:
    """The world after some real code has run in it, alone."""
    held = [world]

    def ask(kind: str, payload: dict[str, Any]) -> Any:
        told, held[0] = outcomes(held[0], kind, payload)[-1]
        return Kept.of(told).value

    with deterministic():
        NAMES.begin(name)
        work(Door(ask, settings))
    return held[0]


def empty(*connections: str, user: str = USER, **parts: Any) -> World:
    """A deployment that nobody has used, with open control connections."""
    held = {"user": {"S": user}, "expires_at": {"N": str(NOW + 3600)}, "origin": {"S": ""}}
    held |= {"connected_at": {"N": str(NOW)}, "ttl": {"N": str(NOW + 9000)}}
    changes: dict[tuple[str, ...], Any] = {("clock",): NOW}
    changes |= {(name,): value for name, value in parts.items()}
    for connection in connections:
        key = {"PK": {"S": f"CONN#{connection}"}, "SK": {"S": "META"}}
        changes["item", f"CONN#{connection}", "META"] = key | held
    return EMPTY.with_(changes)


def draft(session: str) -> sessions.Draft:
    """A session to open, by c1, with FIRST_KEY."""
    return sessions.Draft(
        id=session,
        user=USER,
        request=f"request-{session}",
        agent="assistant",
        config=Config(),
        tools=[],
        metadata={},
        connection="c1",
        origin="",
        ends_at=NOW + RESERVED_S,
        key_hash=sessions.hash_key(FIRST_KEY),
        reserved_s=RESERVED_S,
    )


def reservation(draft: sessions.Draft) -> Step:
    return minutes.reserve_step(draft.user, draft.reserved_s, limit_s=86_400, now=NOW)


# ---- the control road


def request(connection: str, **message: Any) -> Run:
    """One invocation of `session`, by a client's message."""

    def run(door: Door) -> None:
        dispatch.handle(door.ports, message_event(connection, **message))

    return run


def start(connection: str, request_id: str = "r1") -> Run:
    return request(connection, type="start", request=request_id, versions=[1], agent="assistant")


def resume(connection: str, session: str, key: str, *, media_failed: bool = False) -> Run:
    return request(connection, type="resume", session=session, resume_key=key, media_failed=media_failed)


def end(connection: str, session: str) -> Run:
    return request(connection, type="end", session=session)


def resume_with_told(connection: str, by: str) -> Run:
    """A resume with the key of a `ready` that came to a connection."""

    def run(door: Door) -> None:
        told = door.wait_for(connection, "ready", "error")
        if told["type"] == "ready":
            resume(by, told["session"], told["resume_key"])(door)

    return run


# ---- relays


def relay_task(door: Door) -> str:
    """A task from its first moment until its waiting clients are told."""
    relay = str(door.ask("until_task", {}))
    try:
        relays.ready(door.table, relay, f"{relay}.example:1", door.now())
    except ConditionFailed:
        door.ask("stop_task", {"relay": relay})
        return "given up"
    notify_waiting.relay_ready(door.ports, relay, lambda: True)
    return "ready"


def woken_vm(relay: str) -> Run:
    """A relay that is resumed in its MicroVM: it says that it is ready, and tells who waits."""

    def run(door: Door) -> str:
        door.ask("until_resumed", {"relay": relay})
        try:
            relays.ready(door.table, relay, "", door.now())
        except ConditionFailed:
            return "given up"
        notify_waiting.relay_ready(door.ports, relay, lambda: True)
        return "ready"

    return run


def ready_vm(relay: str, slot: str = "0") -> Callable[[Door], None]:
    """A relay that is ready in a MicroVM."""

    def work(door: Door) -> None:
        fresh = relays.Relay(relay, slot, "image:1", 2, "STARTING", NOW - 100, home="microvm", launched=True)
        door.table.transact(*relays.start_steps(fresh, relays.pool(door.table)))
        vm = door.ask("launch", {"relay": relay, "home": "microvm", "vm": ""})
        relays.mark_vm(door.table, relay, vm, f"{vm}.example")
        relays.ready(door.table, relay, "", NOW)

    return work


def writes(relay: str, session: str, epoch: int) -> Run:
    """What a relay writes of its call: a turn, connected minutes, the end at its time limit."""

    def run(door: Door) -> str:
        minutes.note_connected(door.table, session, epoch, 60.0, door.now())
        try:
            turns.put(door.table, session, epoch, turns.Turn(1, "a question", "an answer"))
            sessions.finish(door.table, session, epoch, "limit", door.now())
        except Fenced:
            return "fenced"
        return "ended"

    return run


def beats(relay: str, *, held: tuple[str, ...] = (), times: int = 1) -> Run:
    """Heartbeats of a relay that holds these sessions."""

    def run(door: Door) -> list[str]:
        orders: set[str] = set()
        for _ in range(times):
            orders |= relays.heartbeat(door.table, relay, len(held), door.now(), held)
        return sorted(orders)

    return run


def idle_exit(relay: str) -> Run:
    """A relay that has had no call for its idle time."""

    def run(door: Door) -> str:
        if not relays.retire_if_idle(door.table, relay, door.now()):
            return "stays"
        relays.leave(door.table, relay)
        door.ask("stop_task", {"relay": relay})
        return "gone"

    return run


def drain(relay: str, calls: int) -> Run:
    """A relay that was told to go, and asks for room for its calls."""

    def run(door: Door) -> int:
        relays.stopping(door.table, relay)
        return replace_leaving.relay_leaving(door.ports, relay, calls).room

    return run


# ---- clients


def client(connection: str, name: str = "") -> Run:
    """Waits for the end of its request, and reaches the relay that it was sent to."""

    def run(door: Door) -> str:
        told = door.wait_for(connection, "ready", "error")
        if told["type"] == "error":
            return str(told["code"])
        session = sessions.load(door.table, told["session"])
        owner = session.relay if session else ""
        return tickets.burn(door.table, told["media"]["ticket"], relay=owner, now=door.now()).status

    return run


# ---- the sweep


def sweep_once(door: Door) -> dict[str, int]:
    return sweep.sweep(door.sweep_ports)


def sweep_after(seconds: int) -> Run:
    """Time that passes at any moment, and a sweep."""

    def run(door: Door) -> dict[str, int]:
        door.pass_time(seconds)
        return sweep.sweep(door.sweep_ports)

    return run


def sweep_at(now: int) -> Run:
    """A sweep in former times."""

    def run(door: Door) -> dict[str, int]:
        before = door.now()
        door.pass_time(now - before)
        done = sweep.sweep(door.sweep_ports)
        door.pass_time(before - now)
        return done

    return run


def task_fails(door: Door) -> dict[str, int]:
    """A task that stops before it was a relay, and the event that tells of it."""
    relay = str(door.ask("until_task", {}))
    door.ask("stop_task", {"relay": relay})
    return task_stopped.handle(door.sweep_ports, {"startedBy": f"relay-{relay}", "stoppedReason": "no"})
