"""Silence of a relay, told apart from the table's own."""

import pytest
from dynamo import NOW

from records import lost_relays, relays
from records.relays import LOST_S, START_S, Pool

DUE, HEARD = relays.FRESH_S, lost_relays.HEARD_S


@pytest.fixture
def relay(table):
    relays.register(table, "r1", slot="0", revision="7", capacity=2, now=NOW)
    relays.ready(table, "r1", "r1.example:8080", NOW)
    return relays.load(table, "r1")


def is_lost(relay, after_s, *swept_after_s):
    pool = Pool(1, {"0": "r1"}, tuple(NOW + each for each in swept_after_s))
    return lost_relays.is_lost(relay, pool, NOW + after_s)


def test_a_relay_that_is_silent_while_the_table_is_there_is_lost(relay):
    assert not is_lost(relay, LOST_S - 1, 60)
    assert is_lost(relay, LOST_S, 60)


def test_no_relay_is_lost_by_an_outage_of_the_table_however_long(relay):
    assert not is_lost(relay, 600)
    assert not is_lost(relay, 600, DUE - 1)  # the table went away soon after that sweep
    assert not is_lost(relay, 600, 600)  # and has just come back
    assert not is_lost(relay, 600 + HEARD - 1, 600)
    assert is_lost(relay, 600 + HEARD, 600)


def test_a_relay_that_never_came_is_lost_whoever_swept(table):
    relays.register(table, "r1", slot="0", revision="7", capacity=2, now=NOW)
    coming = relays.load(table, "r1")
    assert (is_lost(coming, START_S - 1), is_lost(coming, START_S)) == (False, True)


def test_the_two_latest_sweeps_are_known_where_a_relay_has_a_slot(table):
    relays.note_sweep(table, relays.pool(table), NOW)
    assert relays.pool(table) == Pool(0, {})
    relays.register(table, "r1", slot="0", revision="7", capacity=2, now=NOW)
    for at in (NOW, NOW + 60, NOW + 120):
        relays.note_sweep(table, relays.pool(table), at)
    assert relays.pool(table) == Pool(1, {"0": "r1"}, (NOW + 120, NOW + 60))
    relays.leave(table, "r1")
    relays.note_sweep(table, relays.pool(table), NOW + 180)
    assert relays.pool(table).swept_at == (NOW + 120, NOW + 60)
