"""The records' protocols, each with those who may meet in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from records import relays, sessions, tickets
from tests.races import invariants as must
from tests.races import parties
from tests.races.door import Door, Settings
from tests.races.explorer import Protocol, Run
from tests.races.parties import NOW, empty, made
from tests.races.rest import comes_to_rest, is_told_by_sweeps
from tests.races.world import World

STANDING = (
    must.one_relay_owns_a_session,
    must.slots_are_consistent,
    must.every_told_key_works,
    must.one_ready_for_each_request,
    must.no_internal_error,
)
SESSION = "s1"
KEY = parties.FIRST_KEY


def protocol(
    name: str, world: World, settings: Settings, actors: dict[str, Run], *crashing: str, **more: Any
) -> Protocol:
    """A protocol with the invariants that hold for all of them."""
    more["always"] = (*STANDING, *more.get("always", ()))
    rest = lambda world: comes_to_rest(world, settings)  # noqa: E731
    return Protocol(name, actors, world, settings, crashing=frozenset(crashing), at_rest=rest, **more)


# ---- what was before


def ready(relay: str, slot: str = "0", beat: int = NOW, capacity: int = 2) -> Callable[[Door], None]:
    """A relay that is READY, with its task."""

    def work(door: Door) -> None:
        relays.register(door.table, relay, slot=slot, revision="relay:1", capacity=capacity, now=beat)
        door.ask("launch", {"relay": relay, "home": "fargate", "vm": ""})
        door.ask("until_task", {})
        relays.ready(door.table, relay, f"{relay}.example:1", beat)

    return work


def session_on(relay: str, *, session: str = SESSION, joined: bool = True) -> Callable[[Door], None]:
    """A session there, and its client on it."""

    def work(door: Door) -> None:
        drafted = parties.draft(session)
        opened = sessions.create(door.table, drafted, limit=9, now=NOW, also=[parties.reservation(drafted)])
        epoch = sessions.place(door.table, opened, relay, state="READY", until=NOW + 75, now=NOW)
        if joined:
            tickets.put(door.table, f"t-{session}", tickets.Ticket(session, epoch, relay, ""), NOW)
            tickets.burn(door.table, f"t-{session}", relay=relay, now=NOW)

    return work


def started(door: Door) -> None:
    """A first start by c1, whose relay has not come up yet."""
    parties.start("c1")(door)


def world_of(settings: Settings, *work: Callable[[Door], Any], base: World | None = None) -> World:
    world = empty("c1", "c2", "c3") if base is None else base
    for place, each in enumerate(work):
        world = made(world, each, settings, name=f"before{place}-")
    return world


def later(world: World, seconds: int) -> World:
    return world.with_({("clock",): world.now + seconds})


# ---- start


def start_and_its_relay() -> Protocol:
    """The first start, and the relay that it started, which tells who waits for it."""
    settings = Settings()
    actors = {"start": parties.start("c1"), "relay": parties.relay_task}
    told = (must.is_told("c1"),)
    return protocol("start and its relay", empty("c1"), settings, actors, "start", "relay", finally_=told)


def start_and_sweep() -> Protocol:
    """The first start, and sweeps that find it half done."""
    settings = Settings()
    actors = {"start": parties.start("c1"), "sweep": parties.sweep_once, "sweep 2": parties.sweep_once}
    return protocol("start and two sweeps", empty("c1"), settings, actors, "start", "sweep")


def one_start_twice() -> Protocol:
    """One start in two copies, at the limit on sessions."""
    settings = Settings(sessions=1, day_minutes=30)
    actors = {"start": parties.start("c1"), "again": parties.start("c2")}
    world = world_of(settings, ready("a"))
    told = (must.newest_is_told("c1", "c2"), must.not_told("c1", "quota_sessions", "quota_minutes"))
    told += (must.not_told("c2", "quota_sessions", "quota_minutes"), must.at_least(1))
    return protocol(
        "one start twice at the limit",
        world,
        settings,
        actors,
        "start",
        always=(must.at_most(1),),
        finally_=told,
    )


def one_start_twice_with_room() -> Protocol:
    """One start in two copies, where a second session would have room."""
    settings = Settings()
    actors = {"start": parties.start("c1"), "again": parties.start("c2")}
    told = (must.newest_is_told("c1", "c2"), must.at_least(1))
    world = world_of(settings, ready("a"))
    return protocol(
        "one start twice", world, settings, actors, "start", always=(must.at_most(1),), finally_=told
    )


def starts_at_the_limit(count: int = 2) -> Protocol:
    """One start more than there may be sessions."""
    settings = Settings(sessions=count - 1)
    actors = {f"start {n}": parties.start(f"c{n}", f"r{n}") for n in range(1, count + 1)}
    return protocol(
        f"{count} starts where {count - 1} may be",
        world_of(settings, ready("a", capacity=count)),
        settings,
        actors,
        "start 1",
        always=(must.at_most(count - 1),),
        finally_=tuple(must.is_told(f"c{n}") for n in range(1, count + 1)),
    )


def minutes_that_are_left() -> Protocol:
    """Ten minutes are left of a day, and two sessions begin."""
    settings = Settings(day_minutes=10)
    actors = {"start": parties.start("c1", "r1"), "other": parties.start("c2", "r2")}
    always = (must.minutes_within(600),)
    world = world_of(settings, ready("a"))
    return protocol("two starts in the last minutes", world, settings, actors, always=always)


def launch_that_fails() -> Protocol:
    """The launch of its relay hangs; the client comes back on another connection; then it fails."""
    settings = Settings()
    actors = {"start": parties.start("c1"), "again": parties.start("c2")}
    told = (must.newest_is_told("c1", "c2"),)
    world = empty("c1", "c2", refusals=1)
    return protocol("a launch that fails", world, settings, actors, finally_=told)


# ---- giving up


def giving_up() -> Protocol:
    """A relay that did not come up in time becomes ready as the sweep gives it up."""
    settings = Settings()
    world = later(world_of(settings, started), relays.START_S)
    actors = {"sweep": parties.sweep_once, "relay": parties.relay_task, "client": parties.client("c1")}
    always = (must.no_live_call_is_ended("capacity", "relay_failed", "abandoned"),)
    told = (must.is_told("c1"),)
    return protocol("giving up and ready", world, settings, actors, "sweep", always=always, finally_=told)


def giving_up_after_a_crash() -> Protocol:
    """A sweep that gives a relay up crashes at any step; the next sweeps tell who waits."""
    settings = Settings()
    world = later(world_of(settings, started), relays.START_S)
    return Protocol(
        "giving up and a crash",
        {"sweep": parties.sweep_once},
        world,
        settings,
        always=STANDING,
        crashing=frozenset({"sweep"}),
        at_rest=lambda world: is_told_by_sweeps(world, settings, must.is_told_or_over("c1")),
    )


def giving_up_what_moved() -> Protocol:
    """Its client asks again meanwhile, and is led to another relay."""
    settings = Settings()
    world = later(world_of(settings, started), relays.START_S)
    world = world_of(settings, ready("b", "1", world.now), base=world)
    actors = {
        "sweep": parties.sweep_once,
        "again": parties.start("c2"),
        "client": parties.client("c2"),
    }
    always = (must.no_live_call_is_ended("capacity", "relay_failed", "abandoned"),)
    told = (must.newest_is_told("c1", "c2"),)
    return protocol("giving up and a move", world, settings, actors, "sweep", always=always, finally_=told)


def task_that_stops() -> Protocol:
    """A task stops before it was a relay: ECS tells of it, the client asks again, the sweep comes by."""
    settings = Settings()
    world = later(world_of(settings, started), 40)
    actors = {"event": parties.task_fails, "again": parties.start("c2"), "sweep": parties.sweep_once}
    told = (must.newest_is_told("c1", "c2"),)
    return protocol("a task that stops", world, settings, actors, "event", finally_=told)


# ---- resume


def one_resume_twice() -> Protocol:
    """Two copies of a resume, and one with the key of whichever answer came."""
    settings = Settings()
    world = world_of(settings, ready("a"), session_on("a"))
    actors = {
        "resume": parties.resume("c1", SESSION, KEY),
        "again": parties.resume("c2", SESSION, KEY),
        "next": parties.resume_with_told("c1", "c3"),
    }
    told = (must.not_told("c3", "resume_refused"), must.newest_is_told("c1", "c2", "c3"))
    return protocol("one resume twice", world, settings, actors, "resume", finally_=told)


def resume_elsewhere() -> Protocol:
    """A client that cannot reach its relay, another copy of it that can, and a ticket that is used."""
    settings = Settings()
    world = world_of(settings, ready("a"), ready("b", "1"), session_on("a"))
    actors = {
        "moved": parties.resume("c1", SESSION, KEY, media_failed=True),
        "kept": parties.resume("c2", SESSION, KEY),
        "client": parties.client("c1"),
    }
    told = (must.newest_is_told("c1", "c2"),)
    return protocol("resume elsewhere", world, settings, actors, "moved", finally_=told)


def end_and_resume() -> Protocol:
    """One device ends the session while another resumes it."""
    settings = Settings()
    world = world_of(settings, ready("a"), ready("b", "1"), session_on("a"))
    actors = {
        "end": parties.end("c1", SESSION),
        "moved": parties.resume("c2", SESSION, KEY, media_failed=True),
    }
    told = (must.is_told("c1"), must.newest_is_told("c2"))
    return protocol("end and resume", world, settings, actors, "end", "moved", finally_=told)


def writes_of_the_former_relay() -> Protocol:
    """What a relay writes of a call that moves: turns, minutes, its end."""
    settings = Settings()
    world = world_of(settings, ready("a"), ready("b", "1"), session_on("a"))
    actors = {
        "moved": parties.resume("c1", SESSION, KEY, media_failed=True),
        "former": parties.writes("a", SESSION, 1),
        "client": parties.client("c1"),
    }
    always = (must.ended_by_its_owner("limit", 1), must.minutes_are_counted_once)
    return protocol("writes of the former relay", world, settings, actors, "former", always=always)


def orphan_at_the_limit() -> Protocol:
    """A start at the limit makes room by a session that nobody joined, whose client resumes it after all."""
    settings = Settings(sessions=1)
    world = later(world_of(settings, ready("a"), session_on("a", joined=False)), 400)
    world = world_of(settings, parties.beats("a"), base=world)
    actors = {"start": parties.start("c1", "r9"), "resume": parties.resume("c2", SESSION, KEY)}
    always = (must.at_most(1),)
    told = (must.is_told("c1"), must.is_told("c2"))
    return protocol("an orphan at the limit", world, settings, actors, "start", always=always, finally_=told)


# ---- relays that go


def idle_exit() -> Protocol:
    """A relay that has been idle ends as a call begins."""
    settings = Settings()
    world = world_of(settings, ready("a"))
    actors = {
        "exit": parties.idle_exit("a"),
        "start": parties.start("c1"),
        "relay": parties.relay_task,
    }
    told = (must.is_told("c1"), must.led_to_a_task)
    return protocol("idle exit and start", world, settings, actors, "exit", finally_=told)


def leaving() -> Protocol:
    """A relay with a call drains as another call begins."""
    settings = Settings(capacity=1)
    world = world_of(settings, ready("a", capacity=2), session_on("a"))
    actors = {"drain": parties.drain("a", 1), "start": parties.start("c1")}
    return protocol("drain and start", world, settings, actors, "drain", "start")


def outage() -> Protocol:
    """The table was away for two minutes. A call begins before the relays' next heartbeats."""
    settings = Settings()
    world = world_of(settings, ready("a", beat=NOW - 125), ready("b", "1", beat=NOW - 125))
    actors = {"start": parties.start("c1"), "a": parties.beats("a"), "b": parties.beats("b")}
    always = (must.are_kept("a", "b"),)
    return protocol("an outage of the table", world, settings, actors, always=always)


def outage_and_sweep() -> Protocol:
    """The same, and the first sweep after it."""
    settings = Settings()
    world = world_of(settings, parties.sweep_at(NOW - 180), ready("a", beat=NOW - 125))
    actors = {"sweep": parties.sweep_once, "a": parties.beats("a")}
    always = (must.are_kept("a"),)
    return protocol("an outage and the sweep", world, settings, actors, always=always)


# ---- relays that sleep


def falling_asleep() -> Protocol:
    """The sweep puts an idle MicroVM to sleep as a call begins; then it is woken."""
    settings = Settings(homes=("microvm",), sleeping=1)
    world = world_of(settings, parties.ready_vm("a"))
    actors = {
        "sweep": parties.sweep_once,
        "start": parties.start("c1"),
        "relay": parties.woken_vm("a"),
    }
    return protocol("falling asleep and start", world, settings, actors, "sweep", "start")


def waking_twice() -> Protocol:
    """Two calls wake the one that sleeps, and a sweep looks after it."""
    settings = Settings(homes=("microvm",), sleeping=1)
    world = world_of(settings, parties.ready_vm("a"), parties.sweep_once)
    actors = {
        "start": parties.start("c1", "r1"),
        "other": parties.start("c2", "r2"),
        "relay": parties.woken_vm("a"),
    }
    return protocol("waking twice", world, settings, actors, "start")


#: what is explored at each run of the tests, each in a second or two
SMALL: tuple[Callable[[], Protocol], ...] = (
    start_and_its_relay,
    one_start_twice_with_room,
    starts_at_the_limit,
    minutes_that_are_left,
    giving_up,
    giving_up_after_a_crash,
    giving_up_what_moved,
    one_resume_twice,
    resume_elsewhere,
    end_and_resume,
    writes_of_the_former_relay,
    idle_exit,
    leaving,
    outage,
    orphan_at_the_limit,
    falling_asleep,
)
ALL: tuple[Callable[[], Protocol], ...] = (
    *SMALL,
    one_start_twice,
    start_and_sweep,
    launch_that_fails,
    task_that_stops,
    waking_twice,
    outage_and_sweep,
)
