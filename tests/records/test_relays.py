"""Relays: leases never exceed the capacity, and no session waits for a lost relay."""

import pytest
from dynamo import NOW

from records import relays, sessions, start_times
from records.table import ConditionFailed, Table, Unavailable


def start(table, relay="r1", slot="0", capacity=2, now=NOW):
    assert relays.register(table, relay, slot=slot, revision="7", capacity=capacity, now=now)


def start_ready(table, relay="r1", slot="0", capacity=2):
    start(table, relay, slot, capacity)
    relays.ready(table, relay, f"{relay}.example:8080", NOW)


def hold(table, session, relay="r1", until=NOW + 60, now=NOW):
    try:
        table.transact(relays.lease_step(relay, session, state="READY", until=until, now=now))
    except ConditionFailed:
        return False
    return True


def leases(table, relay="r1"):
    return set(relays.load(table, relay).leases)


def test_a_registered_relay_is_in_the_pool(table):
    start(table)
    assert relays.pool(table) == relays.Pool(1, {"0": "r1"})
    assert relays.load(table, "r1").is_coming(NOW)
    assert not relays.register(table, "r1", slot="0", revision="7", capacity=2, now=NOW)


def test_two_relays_cannot_have_one_slot(table):
    start(table)
    with pytest.raises(ConditionFailed):
        relays.register(table, "r2", slot="0", revision="7", capacity=2, now=NOW)


def test_of_sixteen_openers_with_one_view_of_the_pool_one_starts_a_relay(table, race):
    start(table, "r0", "5")
    seen = relays.pool(table)

    def try_start(place):
        relay = relays.Relay(f"r{place + 1}", str(place + 10), "7", 2, "STARTING", NOW)
        table.transact(*relays.start_steps(relay, seen))
        return "started"

    assert race(try_start).count("started") == 1
    assert len(relays.pool(table).slots) == 2


def test_sixteen_sessions_get_no_more_leases_than_the_capacity(table, race):
    start_ready(table, capacity=5)
    assert race(lambda place: hold(table, f"s{place}")).count(True) == 5
    assert len(leases(table)) == 5


def test_a_lease_acquired_twice_is_one_lease(table):
    start_ready(table, capacity=1)
    assert hold(table, "s1") and hold(table, "s1") and not hold(table, "s2")
    relays.release(table, "r1", "s1")
    relays.release(table, "r1", "s1")
    assert hold(table, "s2")


def test_a_relay_gives_no_lease_before_it_is_ready_or_without_heartbeats(table):
    start(table)
    assert not hold(table, "s1")
    relays.ready(table, "r1", "r1.example:8080", NOW)
    assert not hold(table, "s1", now=NOW + relays.FRESH_S)
    relays.heartbeat(table, "r1", 0, NOW + 10)
    assert hold(table, "s1", now=NOW + relays.FRESH_S)


def test_a_relay_that_a_client_could_not_reach_gives_no_lease_until_its_next_heartbeat(table):
    """The report may come between the read that chose this relay and the write of the lease."""
    start_ready(table)
    relays.report_unreachable(table, "r1", NOW)
    assert not hold(table, "s1") and not relays.load(table, "r1").is_fresh(NOW)
    relays.heartbeat(table, "r1", 0, NOW)
    assert hold(table, "s1") and relays.load(table, "r1").is_fresh(NOW)


def test_an_order_is_read_once(table):
    start_ready(table)
    relays.order(table, "r1", "end:s1")
    relays.order(table, "r1", "end:s2")
    assert relays.heartbeat(table, "r1", 2, NOW + 5) == {"end:s1", "end:s2"}
    assert relays.heartbeat(table, "r1", 2, NOW + 10) == set()


def test_an_order_whose_removal_was_not_confirmed_is_not_lost(table, monkeypatch):
    start_ready(table)
    relays.order(table, "r1", "drain")
    honest = Table.update

    def unsure(self, key, expression, *rest, **values):
        item = honest(self, key, expression, *rest, **values)
        if expression.startswith("DELETE"):
            raise Unavailable("update_item")  # done, and the answer was lost
        return item

    monkeypatch.setattr(Table, "update", unsure)
    assert relays.heartbeat(table, "r1", 0, NOW + 1) == {"drain"}


def test_a_relay_that_was_given_up_and_comes_back_is_ordered_to_leave(table):
    start_ready(table)
    relays.leave(table, "r1")
    assert relays.heartbeat(table, "r1", 2, NOW + 300) == {"drain"}


def test_an_order_to_a_relay_that_is_gone_makes_no_record(table):
    relays.order(table, "r9", "end:s1")
    assert relays.load(table, "r9") is None


def test_a_heartbeat_drops_leases_whose_client_never_joined(table):
    start_ready(table, capacity=3)
    for session in ("here", "late", "coming"):
        assert hold(table, session, until=NOW + (90 if session == "coming" else 60))
    relays.heartbeat(table, "r1", 1, NOW + 60)
    assert leases(table) == {"here", "late", "coming"}  # with a call it must say which
    relays.heartbeat(table, "r1", 1, NOW + 60, held=["here"])
    assert leases(table) == {"here", "coming"}
    relays.heartbeat(table, "r1", 0, NOW + 90)
    assert leases(table) == set()


def test_a_relay_with_a_lease_does_not_retire(table):
    start_ready(table)
    assert hold(table, "s1")
    assert not relays.retire_if_idle(table, "r1", NOW)
    relays.release(table, "r1", "s1")
    assert relays.retire_if_idle(table, "r1", NOW)
    assert not hold(table, "s2")
    assert relays.pool(table).slots == {}


def test_a_warm_relay_does_not_retire_before_its_lease_is_over(table):
    start_ready(table)
    relays.keep_warm(table, "r1", NOW + 180)
    relays.keep_warm(table, "nobody", NOW + 180)
    assert not relays.retire_if_idle(table, "r1", NOW + 179)
    assert relays.retire_if_idle(table, "r1", NOW + 180)
    assert relays.load(table, "nobody") is None


def test_a_renewed_lease_is_not_dropped(table):
    start_ready(table)
    assert hold(table, "s1", until=NOW + 60) and hold(table, "s1", until=NOW + 61)
    assert not relays.drop_lease(table, "r1", "s1", NOW + 60)
    assert relays.drop_lease(table, "r1", "s1", NOW + 61)
    assert leases(table) == set()


def test_either_the_relay_retires_or_the_session_gets_a_lease(table, race):
    for round_ in range(4):
        relay = f"r{round_}"
        start_ready(table, relay, str(round_))
        actions = [lambda: relays.retire_if_idle(table, relay, NOW), lambda: hold(table, "s1", relay)]  # noqa: B023
        assert sorted(race(lambda place: actions[place](), 2)) == [False, True]  # noqa: B023


def test_a_stopping_relay_keeps_its_slot_until_it_leaves(table):
    start_ready(table)
    assert hold(table, "s1")
    relays.stopping(table, "r1")
    assert not hold(table, "s2")
    assert not relays.load(table, "r1").is_fresh(NOW)
    assert relays.pool(table).slots == {"0": "r1"}
    relays.leave(table, "r1")
    assert relays.pool(table).slots == {}


def test_a_relay_that_was_given_up_learns_it_when_it_becomes_ready(table):
    start(table)
    relays.leave(table, "r1")
    with pytest.raises(ConditionFailed):
        relays.ready(table, "r1", "r1.example:8080", NOW)


def test_the_expected_start_is_learned_from_past_ones(table):
    start(table)
    relay = relays.load(table, "r1")
    assert start_times.eta_ms(table, "fargate", relay.started_at, NOW) == 30_000
    relays.ready(table, "r1", "r1.example:8080", NOW + 40)
    assert start_times.eta_ms(table, "fargate", relay.started_at, NOW + 10) == 30_000
    assert start_times.eta_ms(table, "fargate", relay.started_at, NOW + 60) == 1_000
    start(table, "r2", "1")
    relays.ready(table, "r2", "r2.example:8080", NOW + 24)
    assert start_times.eta_ms(table, "fargate", relay.started_at, NOW) == 38_000


def test_a_duration_that_was_expected_counts_like_one_that_was_measured(table):
    start_times.expect(table, "fargate", 2_000)
    start(table)
    relays.ready(table, "r1", "r1.example:8080", NOW + 10)
    assert start_times.eta_ms(table, "fargate", relays.load(table, "r1").started_at, NOW) == 3_000


def test_a_relay_is_ready_though_its_start_duration_cannot_be_stored(table, monkeypatch):
    def down(self, *arguments):
        raise Unavailable("put_item")

    start(table)
    monkeypatch.setattr(Table, "put", down)
    relays.ready(table, "r1", "r1.example:8080", NOW + 20)
    assert relays.load(table, "r1").state == "READY"


def test_a_session_moves_at_once_and_leaves_its_old_relay(table, open_session):
    start_ready(table, "r1", "0")
    start_ready(table, "r2", "1")
    session = open_session()
    place = {"state": "READY", "until": NOW + 60, "now": NOW}
    assert sessions.place(table, session, "r1", **place) == 1
    moved = sessions.load(table, "s1")
    assert sessions.place(table, moved, "r2", **place) == 2
    assert (leases(table, "r1"), leases(table, "r2")) == (set(), {"s1"})
    with pytest.raises(ConditionFailed) as late:
        sessions.place(table, moved, "r1", **place)
    assert late.value.step == 1
    assert leases(table, "r1") == set()


def test_a_session_stays_only_where_it_still_is(table, open_session):
    start_ready(table, "r1", "0")
    start_ready(table, "r2", "1")
    place = {"state": "READY", "until": NOW + 60, "now": NOW}
    sessions.place(table, open_session(), "r1", **place)
    here = sessions.load(table, "s1")
    assert sessions.renew_lease(table, here, until=NOW + 90, now=NOW)
    assert relays.load(table, "r1").leases == {"s1": NOW + 90}
    sessions.place(table, here, "r2", **place)
    assert not sessions.renew_lease(table, here, until=NOW + 120, now=NOW)
    assert leases(table, "r1") == set()


def test_a_relay_without_a_record_can_be_left(table, open_session):
    start_ready(table, "r1", "0")
    start_ready(table, "r2", "1")
    place = {"state": "READY", "until": NOW + 60, "now": NOW}
    sessions.place(table, open_session(), "r1", **place)
    session = sessions.load(table, "s1")
    table.delete(relays.key("r1"))
    with pytest.raises(ConditionFailed):
        sessions.place(table, session, "r2", **place)
    assert sessions.place(table, session, "r2", leave=False, **place) == 2


def test_sixteen_takeovers_of_one_epoch_make_one_owner(table, open_session, race):
    for place in range(4):
        start_ready(table, f"r{place}", str(place), capacity=16)
    session = open_session()

    def take(place):
        return sessions.place(table, session, f"r{place % 4}", state="READY", until=NOW + 60, now=NOW)

    assert race(take).count(1) == 1
    now = sessions.load(table, "s1")
    assert now.epoch == 1
    assert [relay for relay in ("r0", "r1", "r2", "r3") if leases(table, relay)] == [now.relay]
