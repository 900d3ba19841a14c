"""Relays that sleep: nobody is led to one that falls asleep, and one that sleeps is woken once."""

import pytest
from dynamo import NOW

from records import lost_relays, relays, sessions, suspension
from records.table import ConditionFailed


def asleep(table, relay="r1"):
    found = relays.Relay(relay, "0", "7", 2, "STARTING", NOW, home="microvm")
    table.transact(*relays.start_steps(found, relays.pool(table)))
    relays.mark_launched(table, relay)
    relays.mark_vm(table, relay, "microvm-1", "https://vm.example")
    relays.ready(table, relay, "", NOW)
    assert suspension.tire(table, relay) and suspension.sleep(table, relay)


def test_a_relay_in_a_microvm_is_ready_where_its_launch_says_and_not_before(table):
    found = relays.Relay("r1", "0", "7", 2, "STARTING", NOW, home="microvm")
    table.transact(*relays.start_steps(found, relays.pool(table)))
    with pytest.raises(ConditionFailed):
        relays.ready(table, "r1", "", NOW)
    relays.mark_vm(table, "r1", "microvm-1", "https://vm.example")
    relays.ready(table, "r1", "", NOW)
    ready = relays.load(table, "r1")
    assert (ready.state, ready.home, ready.vm, ready.address) == (
        "READY",
        "microvm",
        "microvm-1",
        "https://vm.example",
    )


def test_a_relay_with_a_lease_does_not_fall_asleep(table, open_session):
    session = open_session()
    relays.register(table, "r1", slot="0", revision="7", capacity=2, now=NOW)
    relays.ready(table, "r1", "r1:1", NOW)
    sessions.place(table, session, "r1", state="READY", until=NOW + 60, now=NOW)
    assert not suspension.tire(table, "r1")


def test_nobody_is_led_to_a_relay_that_falls_asleep(table, open_session):
    session = open_session()
    relays.register(table, "r1", slot="0", revision="7", capacity=2, now=NOW)
    relays.ready(table, "r1", "r1:1", NOW)
    assert suspension.tire(table, "r1")
    for state in ("READY", "SUSPENDED"):
        with pytest.raises(ConditionFailed):
            sessions.place(table, session, "r1", state=state, until=NOW + 60, now=NOW)
    assert suspension.rouse(table, "r1") and relays.load(table, "r1").state == "READY"


def test_a_sleeping_relay_is_woken_by_its_first_lease_and_by_no_other(table, open_session):
    asleep(table)
    first = open_session()
    assert not lost_relays.is_lost(relays.load(table, "r1"), relays.Pool(1, {}, (NOW + 60,)), NOW + 40_000)
    assert sessions.place(table, first, "r1", state="SUSPENDED", until=NOW + 60, now=NOW + 30) == 1
    woken = relays.load(table, "r1")
    assert (woken.state, woken.started_at, woken.launched, woken.vm) == (
        "STARTING",
        NOW + 30,
        False,
        "microvm-1",
    )
    assert first.id in woken.leases
    with pytest.raises(ConditionFailed):
        sessions.place(table, first, "r1", state="SUSPENDED", until=NOW + 60, now=NOW)
    relays.ready(table, "r1", "", NOW + 31)
    assert relays.load(table, "r1").is_fresh(NOW + 31)
