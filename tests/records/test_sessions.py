"""Sessions: opened once per request, limited per user, fenced by their epoch."""

import msgspec
import pytest
from dynamo import NOW

from protocol.control import ClientTool, Config
from records import open_sessions, relays, resumption, session_status, sessions, tickets, turns
from records.table import ConditionFailed, Fenced


@pytest.fixture
def owned(table, open_session):
    relays.register(table, "r1", slot="0", revision="7", capacity=4, now=NOW)
    relays.ready(table, "r1", "r1.example:8080", NOW)
    sessions.place(table, open_session(), "r1", state="READY", until=NOW + 60, now=NOW)
    return sessions.load(table, "s1")


def test_what_the_client_sent_comes_back_whatever_it_nests(table):
    deep = {"type": "object", "properties": {"": {"maximum": 1e300, "x": [None, {"y": 10**40}]}}}
    draft = sessions.Draft(
        id="s1",
        user="ada|lovelace",
        request="q",
        agent="assistant",
        config=Config(voice="Kore", turns="manual"),
        tools=[ClientTool("look_up", "Finds things.", msgspec.json.decode(msgspec.json.encode(deep)))],
        metadata={"plan": "free"},
        connection="c1",
        origin="",
        ends_at=NOW + 60,
        key_hash=sessions.hash_key("k"),
    )
    sessions.create(table, draft, limit=1, now=NOW)
    found = sessions.load(table, "s1")
    assert (found.config, found.tools, found.metadata) == (draft.config, draft.tools, draft.metadata)
    assert (found.user, found.state, found.epoch, found.relay, found.next_turn) == (
        "ada|lovelace",
        "OPEN",
        0,
        "",
        1,
    )


def test_an_unknown_session_is_none(table):
    assert sessions.load(table, "nobody") is None


def test_sixteen_starts_with_one_request_open_one_session(table, open_session, race):
    results = race(lambda place: open_session(f"s{place}", request="the-same", limit=99))
    opened = [result for result in results if isinstance(result, sessions.Session)]
    assert len(opened) == 1
    assert sessions.find_by_request(table, "ada", "the-same", NOW) == opened[0].id
    assert all(isinstance(result, ConditionFailed) for result in results if result is not opened[0])


def test_sixteen_starts_of_one_user_open_as_many_sessions_as_are_allowed(open_session, race):
    results = race(lambda place: open_session(f"s{place}", limit=3))
    assert len([result for result in results if isinstance(result, sessions.Session)]) == 3
    assert len([result for result in results if isinstance(result, open_sessions.Full)]) == 13


def test_a_finished_session_makes_room_for_the_next(table, open_session):
    open_session("s1", limit=1)
    with pytest.raises(open_sessions.Full):
        open_session("s2", limit=1)
    sessions.finish(table, "s1", 0, "user", NOW)
    assert open_session("s2", limit=1).state == "OPEN"


def test_a_session_that_no_client_ever_reached_makes_room_in_time(table, open_session):
    open_session("s1", limit=1)
    draft_time = NOW + relays.START_S + open_sessions.ABANDONED_S
    assert not session_status.make_room(table, "ada", now=draft_time - 1)
    assert session_status.make_room(table, "ada", now=draft_time)
    assert open_session("s2", limit=1)


def test_a_session_that_made_room_has_ended_and_cannot_be_resumed(table, open_session):
    session = open_session("s1", limit=1, reserved_s=600)
    session_status.make_room(table, "ada", now=NOW + relays.START_S + open_sessions.ABANDONED_S)
    ended = sessions.load(table, "s1")
    assert (ended.state, ended.reason) == ("ENDED", "abandoned")
    with pytest.raises(ConditionFailed):
        sessions.add_request(table, session, "c1", NOW + 900)


def test_a_session_that_is_asked_for_again_makes_no_room(table, open_session):
    session, late = open_session("s1"), NOW + relays.START_S + open_sessions.ABANDONED_S
    sessions.add_request(table, session, "c2", late + 30)
    assert not session_status.make_room(table, "ada", now=late)
    assert sessions.load(table, "s1").state == "OPEN"


def test_a_session_past_its_end_makes_room_without_being_ended(table, open_session):
    open_session("s1", limit=1, ends_at=NOW + 10)
    assert not session_status.make_room(table, "ada", now=NOW)
    assert session_status.make_room(table, "ada", now=NOW + 10)
    assert open_session("s2", limit=1)


def test_a_fenced_relay_writes_nothing(table, owned):
    resumption.save_handle(table, "s1", 1, "handle-1", NOW)
    for write in (
        lambda: resumption.save_handle(table, "s1", 0, "stale", NOW),
        lambda: resumption.save_question(table, "s1", 0, 1, "stale"),
        lambda: sessions.finish(table, "s1", 2, "stale", NOW),
        lambda: sessions.finish(table, "nobody", 1, "stale", NOW),
    ):
        with pytest.raises(Fenced):
            write()
    found = sessions.load(table, "s1")
    assert (found.handle, found.state, found.unanswered) == ("handle-1", "OPEN", "")


def test_a_question_is_unanswered_until_its_turn_is_in_the_table(table, owned):
    resumption.save_question(table, "s1", 1, 1, "when?", (70, 210))
    found = sessions.load(table, "s1")
    assert (found.unanswered, found.question_seq, found.uplink_seq) == ("when?", (70, 210), -1)
    told = turns.Turn(1, user_text="when?", agent_text="at nine", ended_at=1, uplink_seq=300)
    turns.put(table, "s1", 1, told)
    found = sessions.load(table, "s1")
    assert (found.unanswered, found.uplink_seq) == ("", 300)
    resumption.save_question(table, "s1", 1, 2, "and " * resumption.QUESTION_CHARS)
    assert len(sessions.load(table, "s1").unanswered) == resumption.QUESTION_CHARS


def test_finish_releases_the_lease_and_may_be_repeated(table, owned, client):
    sessions.finish(table, "s1", 1, "user", NOW)
    sessions.finish(table, "s1", 1, "again", NOW + 5)
    assert relays.load(table, "r1").leases == {}
    kept = table.get(sessions.key("s1"))
    assert (kept["state"], kept["reason"], kept["ended_at"]) == ("ENDED", "user", NOW)


def key_of(word):
    return sessions.hash_key(word)


def issue(table, asked, word, final=True):
    return sessions.issue_key(table, asked, key_of(word), until=NOW + 60, final=final)


def valid(table, *words):
    found = sessions.load(table, "s1")
    return [word for word in words if found.knows_key(key_of(word))]


def test_a_used_key_voids_those_before_it_and_none_that_was_issued_since(table, owned):
    words = ("first-key", "second", "third", "fourth")
    one = sessions.add_request(table, owned, "c2", NOW + 60, key_of("first-key"))
    assert issue(table, one, "second") == 1
    two = sessions.add_request(table, one, "c3", NOW + 60, key_of("first-key"))
    assert issue(table, two, "third") == 2
    assert valid(table, *words) == ["first-key", "second", "third"]
    three = sessions.add_request(table, sessions.load(table, "s1"), "c4", NOW + 60, key_of("second"))
    assert valid(table, *words) == ["second", "third"]
    issue(table, three, "fourth")
    sessions.add_request(table, sessions.load(table, "s1"), "c4", NOW + 60, key_of("fourth"))
    assert valid(table, *words) == ["fourth"]
    assert sessions.load(table, "s1").connection == "c4"


def test_a_request_is_answered_by_ready_once_and_by_nothing_after_that(table, owned, race):
    asked = sessions.add_request(table, owned, "c2", NOW + 60)
    assert issue(table, asked, "wait", final=False) == 1
    said = race(lambda number: issue(table, asked, f"go-{number}"))
    (i,) = [each for each in said if not isinstance(each, ConditionFailed)]
    with pytest.raises(ConditionFailed):
        issue(table, asked, "wait again", final=False)
    found = sessions.load(table, "s1")
    assert (i, found.is_answered, len(found.keys)) == (2, True, 3)
    assert not sessions.add_request(table, found, "c3", NOW + 60).is_answered
    sessions.finish(table, "s1", 1, "user", NOW)
    with pytest.raises(ConditionFailed):
        issue(table, found, "late")


def test_a_slow_answer_voids_no_key_of_a_newer_one(table, owned):
    slow, newer = (sessions.add_request(table, owned, name, NOW + 60) for name in ("c2", "c3"))
    issue(table, newer, "newer")
    with pytest.raises(ConditionFailed):
        issue(table, slow, "x")
    assert valid(table, "first-key", "newer", "x") == ["first-key", "newer"]


def test_a_cancelled_session_says_who_had_it(table, owned, open_session):
    assert sessions.cancel(table, "s1", "client", NOW) == "r1"
    open_session("s2")
    assert sessions.cancel(table, "s2", "client", NOW) == ""
    with pytest.raises(Fenced):
        sessions.cancel(table, "nobody", "client", NOW)


def test_replies_are_counted_without_a_gap(table, owned, race):
    counts = race(lambda _: sessions.next_reply_seq(table, "s1"))
    assert sorted(counts) == list(range(1, 17))
    assert sessions.next_reply_seq(table, "nobody") == 0


def test_a_join_holds_for_its_epoch_only(table, owned):
    tickets.put(table, "t", tickets.Ticket("s1", 1, "r1", ""), NOW)
    tickets.burn(table, "t", relay="r1", now=NOW)
    joined = sessions.load(table, "s1")
    assert joined.is_joined
    sessions.place(table, joined, "r1", state="READY", until=NOW + 60, now=NOW)
    assert not sessions.load(table, "s1").is_joined


def test_a_request_can_be_forgotten(table, open_session):
    sessions.forget_request(table, open_session(request="q"))
    assert sessions.find_by_request(table, "ada", "q", NOW) is None


def test_a_users_sessions_are_listed_newest_first(table, open_session):
    open_session("s1")
    open_session("s2")
    open_session("s3", user="grace")
    assert sessions.of_user(table, "ada", 10) == ["s2", "s1"]


def test_a_session_does_not_show_its_keys(owned):
    assert key_of("first-key") in owned.keys and key_of("first-key") not in repr(owned)
