"""Session status: open sessions of users, and an end that loses against a newer request or a join."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from dynamo import NOW

from records import open_sessions, relays, session_status, sessions, tickets


@pytest.fixture
def seen(table, open_session):
    """A session on relay r1, as it stands."""
    relays.register(table, "r1", slot="0", revision="7", capacity=4, now=NOW)
    relays.ready(table, "r1", "r1.example:8080", NOW)
    sessions.place(table, open_session(), "r1", state="READY", until=NOW + 60, now=NOW)
    return session_status.load_all(table, ["s1", "unknown"])["s1"]


def test_users_are_listed_while_they_have_a_session_open(table, open_session):
    assert open_sessions.listed(table) == {}
    for session, user in (("s1", "ada"), ("s2", "ada"), ("s3", "grace")):
        open_session(session, user=user)
    assert open_sessions.listed(table) == {"ada": {"s1", "s2"}, "grace": {"s3"}}
    for session in ("s1", "s3", "s3"):
        sessions.cancel(table, session, "client", NOW)
    assert open_sessions.listed(table) == {"ada": {"s2"}}
    open_session("s4", user="grace")
    assert open_sessions.listed(table)["grace"] == {"s4"}


def test_one_who_leaves_and_one_who_comes_at_once_leave_the_user_listed(table, open_session):
    open_session("s0")
    for number in range(1, 9):
        with ThreadPoolExecutor(2) as both:
            both.submit(sessions.cancel, table, f"s{number - 1}", "client", NOW)
            both.submit(open_session, f"s{number}")
        assert open_sessions.listed(table) == {"ada": {f"s{number}"}}


def test_the_end_of_an_unchanged_session_releases_its_lease_and_its_slot(table, seen):
    assert session_status.end(table, seen, "abandoned", NOW + 300)
    assert not session_status.end(table, seen, "abandoned", NOW + 300)
    assert sessions.load(table, "s1").state == "ENDED"
    assert (relays.load(table, "r1").leases, open_sessions.listed(table)) == ({}, {})


CHANGES = {
    "asked for": lambda table, found: sessions.add_request(table, found, "c2", NOW + 180),
    "ticket used": lambda table, found: tickets.burn(table, "t", relay="r1", now=NOW),
    "another relay": lambda table, found: sessions.place(
        table, found, "r2", state="READY", until=NOW + 60, now=NOW
    ),
    "new key": lambda table, found: sessions.issue_key(table, found, "b", until=NOW + 60, final=True),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_newer_request_or_a_join_wins_over_the_end(table, seen, change):
    relays.register(table, "r2", slot="1", revision="7", capacity=4, now=NOW)
    relays.ready(table, "r2", "r2.example:8080", NOW)
    tickets.put(table, "t", tickets.Ticket("s1", 1, "r1", ""), NOW)
    change(table, sessions.load(table, "s1"))
    assert not session_status.end(table, seen, "abandoned", NOW + 300)
    assert sessions.load(table, "s1").state == "OPEN"


def test_a_relay_learns_which_of_the_sessions_it_holds_are_not_its_own(table, open_session):
    for number in range(1, 6):
        open_session(f"s{number}", limit=9)
    table.update(sessions.key("s2"), "SET #epoch = :two", two=2)
    sessions.cancel(table, "s3", "client", NOW)
    table.update(sessions.key("s4"), "SET #epoch = :two", two=2)
    sessions.cancel(table, "s4", "client", NOW)
    held = dict.fromkeys(["s1", "s2", "s3", "s4", "unknown"], 0)
    assert session_status.disowned(table, held) == {
        "s2": "superseded",
        "s3": "client",
        "s4": "superseded",
        "unknown": "superseded",
    }
    assert session_status.disowned(table, {}) == {}


def listed(table, now):
    (found,) = session_status.list_open(table, "ada", resume_s=90, now=now)
    return found.is_connected, found.ends_by - NOW


def join(table):
    tickets.put(table, "t", tickets.Ticket("s1", 1, "r1", ""), NOW)
    assert tickets.burn(table, "t", relay="r1", now=NOW).status == "ok"


def test_a_session_with_a_client_is_open_up_to_its_time_limit(table, seen):
    join(table)
    assert listed(table, NOW) == (True, seen.ends_at - NOW)


def test_a_session_whose_client_is_gone_ends_when_its_relay_gives_it_up(table, seen):
    join(table)
    relays.heartbeat(table, "r1", 1, NOW + 10, {"s1"}, {"s1": NOW + 7})
    assert listed(table, NOW + 12) == (False, 7 + 90)
    relays.heartbeat(table, "r1", 1, NOW + 15, {"s1"}, {})  # it came back
    assert listed(table, NOW + 16) == (True, seen.ends_at - NOW)


def test_a_session_that_nobody_has_joined_ends_after_its_deadline(table, seen):
    assert listed(table, NOW + 1) == (False, seen.join_deadline - NOW + 90)


def test_a_session_of_a_silent_relay_ends_with_it(table, seen):
    join(table)
    assert listed(table, NOW + relays.FRESH_S) == (False, relays.LOST_S)


def test_open_sessions_are_listed_with_agent_and_age_the_oldest_first(table, open_session):
    open_session("s2", user="ada")
    open_session("s1", user="ada", ends_at=NOW + 5)
    open_session("s3", user="grace")
    found = session_status.list_open(table, "ada", resume_s=90, now=NOW)
    assert [(each.id, each.agent, each.since) for each in found] == [
        ("s1", "assistant", NOW),
        ("s2", "assistant", NOW),
    ]
    assert [each.id for each in session_status.list_open(table, "ada", resume_s=90, now=NOW + 5)] == ["s2"]
    assert session_status.list_open(table, "nobody", resume_s=90, now=NOW) == []
