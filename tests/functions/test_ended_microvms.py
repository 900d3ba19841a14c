"""A MicroVM ends while its relay's record still says ready: its callers are led elsewhere at once."""

import pytest
from vms import become_ready, the_relays

from functions.core.sessions.ready_reply import TRIES
from records import relays, sessions


@pytest.fixture
def lost(connected, table, clock, homes):
    """A call in a MicroVM that has ended, as nobody has noticed so far; its client's last `ready`."""
    fake = homes("microvm")
    client = connected()
    client.start()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    (offer,) = client.replies()
    fake.machines[relay.vm]["state"] = "TERMINATED"
    return fake, relay.id, offer


def test_a_caller_whose_microvm_has_ended_is_placed_anew_by_the_same_request(lost, connected, table, clock):
    """It was told `capacity`, and again every five seconds until the dead one's heartbeat was stale."""
    fake, gone, offer = lost
    client = connected()
    (waiting,) = client.resume(offer)
    assert (waiting["type"], waiting["stage"]) == ("starting", "relay") and len(fake.requests) == 2
    session = sessions.load(table, offer["session"])
    assert session.relay != gone and session.epoch == 2
    assert relays.load(table, gone).leases == {}
    become_ready(table, clock, session.relay)
    (ready,) = client.replies()
    assert ready["media"]["url"].startswith("wss://microvm-1.")


def test_nobody_else_is_led_to_it_either_until_it_is_heard_of(lost, connected, table, clock):
    _, gone, offer = lost
    connected().resume(offer)
    connected("ben").start()
    assert not relays.load(table, gone).is_fresh(int(clock()))
    assert relays.load(table, gone).leases == {}


def test_a_first_call_that_is_offered_a_microvm_that_has_ended_gets_another(lost, connected, table):
    fake, _, _ = lost
    _, waiting = connected("ben").start()
    assert (waiting["type"], waiting["stage"]) == ("starting", "relay") and len(fake.requests) == 2


def test_one_that_ends_as_it_becomes_ready_leaves_its_caller_to_the_next(connected, table, clock, homes):
    fake = homes("microvm")
    client = connected()
    client.start()
    (relay,) = the_relays(table)
    fake.machines[relay.vm]["state"] = "TERMINATED"
    become_ready(table, clock, relay.id)
    (waiting,) = client.replies()
    assert waiting["stage"] == "relay" and len(fake.requests) == 2


def test_a_throttled_token_says_nothing_about_the_microvm_and_is_asked_for_later(lost, connected, table):
    fake, relay, offer = lost
    fake.machines[relays.load(table, relay).vm]["state"] = "RUNNING"
    fake.token_refusal = "ThrottlingException"
    (refused,) = connected().resume(offer)
    assert refused["code"] == "capacity" and not refused.get("fatal")
    assert sessions.load(table, offer["session"]).relay == relay and len(fake.requests) == 1
    fake.token_refusal = None
    (ready,) = connected().resume(offer)
    assert ready["type"] == "ready"


def test_a_home_whose_microvms_have_all_ended_is_given_up_after_some(lost, connected, table, clock):
    fake, _, offer = lost
    fake.token_refusal = "ResourceNotFoundException"
    for number in range(TRIES + 1):
        other = f"spare{number}"
        relays.register(table, other, slot=f"{number + 3}", revision="relay:7", capacity=5, now=int(clock()))
        table.update(
            relays.key(other),
            "SET #vm = :vm, #address = :at, #home = :home, #revision = :revision",
            vm=fake.run_microvm()["microvmId"],
            at="x",
            home="microvm",
            revision="arn:image:3",
        )
        relays.ready(table, other, "", int(clock()))
    before = len(fake.requests)
    (refused,) = connected().resume(offer)
    assert refused["code"] == "capacity" and not refused.get("fatal")
    assert len(fake.requests) == before
