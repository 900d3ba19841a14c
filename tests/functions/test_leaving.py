"""A relay leaves: room for its calls is counted, and made once however many ask."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from deployment import CONTEXT
from vms import become_ready, sweep, the_relays

from functions import session as session_function
from records import relays


def leaving(relay="r1", calls=3):
    return session_function.handler({"relay_leaving": relay, "calls": calls}, CONTEXT)


def started(table):
    return sorted(set(relays.pool(table).slots.values()) - {"r1", "r2", "r3"})


def hold(table, relay, calls):
    """So many calls have their lease there."""
    leases = {f"s{number}": 0 for number in range(calls)}
    table.update(relays.key(relay), "SET #leases = :leases", "attribute_exists(#leases)", leases=leases)


@pytest.fixture
def going(table, relay):
    """A relay that has stopped taking calls."""
    relay("r1")
    hold(table, "r1", 12)
    relays.stopping(table, "r1")


def test_room_on_ready_relays_is_enough_and_nothing_is_started(going, table, relay, edges):
    relay("r2", slot="1")
    assert leaving(calls=5) == {"room": 5, "coming": 0}
    assert edges.run_task_requests == []


def test_too_little_room_starts_one_relay_and_asking_again_starts_no_other(going, table, edges):
    assert leaving(calls=4) == {"room": 0, "coming": 5}
    assert leaving(calls=4) == {"room": 0, "coming": 5}
    (request,) = edges.run_task_requests
    assert request["clientToken"] == started(table)[0]


def test_a_call_that_has_its_place_elsewhere_needs_none_though_its_client_has_not_gone_yet(
    going, table, relay, edges
):
    """Fifty calls that moved at once were counted twice, and a second replacement was started."""
    relay("r2", slot="1")
    hold(table, "r2", 3)
    hold(table, "r1", 2)
    assert leaving(calls=5) == {"room": 2, "coming": 0}
    assert edges.run_task_requests == []


def test_more_calls_than_one_relay_holds_start_another_with_every_look(going, table, edges):
    assert [leaving(calls=12)["coming"] for _ in range(4)] == [5, 10, 15, 15]
    assert len(edges.run_task_requests) == len(started(table)) == 3


def test_a_stampede_of_leaving_relays_starts_no_more_than_are_needed(table, relay, edges):
    for number, name in enumerate(("r1", "r2", "r3")):
        relay(name, slot=str(number))
        hold(table, name, 5)
        relays.stopping(table, name)
    with ThreadPoolExecutor(12) as relays_leaving:
        list(relays_leaving.map(lambda n: leaving(f"r{n % 3 + 1}", calls=5), range(12)))
    assert len(started(table)) == len({r["clientToken"] for r in edges.run_task_requests}) == 1


def test_room_of_an_old_revision_of_a_silent_relay_and_its_own_is_no_room(table, relay, clock):
    relay("r1")
    hold(table, "r1", 1)
    relay("r2", slot="1", revision="relay:6")
    relay("r3", slot="2")
    clock.now += relays.FRESH_S
    assert leaving(calls=1)["room"] == 0


def test_a_fleet_without_a_slot_says_so_and_the_relay_asks_again(going, table, edges, monkeypatch):
    monkeypatch.setattr("functions.core.fleet.start_relay.Pool.free_slot", lambda pool, slots: None)
    assert leaving(calls=1) == {"room": 0, "coming": 0}
    assert edges.run_task_requests == []


@pytest.fixture
def asleep(going, table, clock, homes):
    """A MicroVM that sleeps, beside the relay that leaves."""
    fake = homes("microvm", "fargate", sleeping=1)
    sweep()
    (sleeper,) = (relay for relay in the_relays(table) if relay.vm)
    become_ready(table, clock, sleeper.id)
    assert sweep() == {"vms_suspended": 1}
    hold(table, "r1", 12)  # the sweep has seen that these sessions are none
    return fake, sleeper


def test_a_relay_that_sleeps_is_woken_and_none_is_started(asleep, table, edges):
    """A launch takes four times as long, and the sleeper slept on beside it."""
    fake, sleeper = asleep
    assert leaving(calls=2) == {"room": 0, "coming": 2}
    assert relays.load(table, sleeper.id).state == "STARTING" and fake.states() == ["RUNNING"]
    assert leaving(calls=2) == {"room": 0, "coming": 2}
    assert len(fake.requests) == 1 and edges.run_task_requests == []


def test_beside_the_woken_one_as_many_are_started_as_are_still_missing(asleep, table):
    fake, _ = asleep
    assert [leaving(calls=4)["coming"] for _ in range(3)] == [2, 4, 4]
    assert len(fake.requests) == 2


def test_one_that_cannot_be_woken_makes_room_for_one_that_is_started(asleep, table):
    fake, sleeper = asleep
    fake.machines["microvm-0"]["state"] = "TERMINATED"
    assert leaving(calls=2)["coming"] == 2
    assert len(fake.requests) == 2 and relays.load(table, sleeper.id).state == "STOPPING"
