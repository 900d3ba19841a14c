"""`resume`: leads to the same relay while it lives, and else to another at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.core.sessions import resume as resume_module
from records import relays, sessions, tickets


def only(replies):
    (reply,) = replies
    return reply


@pytest.fixture
def talking(connected, relay, table, clock):
    """A client whose call is on relay r1."""
    relay("r1", "0")
    client = connected()
    ready = client.start()[-1]
    burn(table, clock, ready, "r1")
    return client, ready


def burn(table, clock, ready, relay):
    return tickets.burn(table, ready["media"]["ticket"], relay=relay, now=int(clock()))


def owner(table, ready):
    found = sessions.load(table, ready["session"])
    return found.relay, found.epoch


def test_the_same_relay_goes_on_in_the_same_epoch(talking, relay, table, clock, connected):
    _, ready = talking
    relay("r2", "1")
    again = only(connected().resume(ready))
    assert owner(table, ready) == ("r1", 1)
    assert burn(table, clock, again, "r1").epoch == 1


def test_a_key_stays_valid_until_the_one_after_it_is_used(talking):
    client, first = talking
    second = only(client.resume(first))
    third = only(client.resume(first))  # the second never arrived
    fourth = only(client.resume(third))
    assert only(client.resume(first))["code"] == "resume_refused"
    assert only(client.resume(second))["code"] == "resume_refused"
    assert only(client.resume(third))["type"] == "ready"
    assert fourth["type"] == "ready"


def test_every_key_issued_since_the_last_used_one_stays_valid(talking, table, clock):
    """The client asked again, for the first answer was late; then it kept that one, and lost the second."""
    client, first = talking
    late = only(client.resume(first))
    only(client.resume(first))
    assert burn(table, clock, late, "r1").status == "ok"  # its ticket makes the client live meanwhile
    again = only(client.resume(late))
    assert again["type"] == "ready"
    assert only(client.resume(first))["code"] == "resume_refused"


def test_a_client_that_asks_for_ever_leaves_a_bounded_record(talking, table):
    client, first = talking
    for _ in range(3 * sessions.KEYS_KEPT):
        newest = only(client.resume(first))
    found = sessions.load(table, first["session"])
    assert len(found.keys) == sessions.KEYS_KEPT
    assert [found.knows_key(sessions.hash_key(each["resume_key"])) for each in (first, newest)] == [True] * 2


def test_a_client_that_cannot_reach_the_relay_gets_another_at_once(talking, relay, table, clock):
    client, ready = talking
    relay("r2", "1")
    again = only(client.resume(ready, media_failed=True))
    assert owner(table, ready) == ("r2", 2)
    assert burn(table, clock, again, "r2") == tickets.Burn("ok", ready["session"], 2, "https://app.example")
    assert ready["session"] not in relays.load(table, "r1").leases


def test_a_client_is_not_led_back_and_forth_between_relays_that_died_together(talking, relay, table, edges):
    """Their hearts stopped a moment ago, as when a zone is lost: only callers know."""
    client, ready = talking
    relay("r2", "1")
    other = only(client.resume(ready, media_failed=True))
    again = only(client.resume(other, media_failed=True))
    assert (again["type"], len(edges.tasks)) == ("starting", 1)
    assert owner(table, ready)[0] not in ("r1", "r2")


def test_a_way_back_that_is_asked_for_again_blames_no_relay_that_was_not_tried(talking, relay, table):
    client, ready = talking
    relay("r2", "1")
    client.resume(ready, media_failed=True)  # its answer is lost
    assert only(client.resume(ready, media_failed=True))["type"] == "ready"
    assert owner(table, ready) == ("r2", 2)
    assert [relays.load(table, each).reported_at > 0 for each in ("r1", "r2")] == [True, False]


def test_a_reported_relay_is_offered_to_nobody(talking, relay, table, connected, edges):
    """Neither to a caller who is new, nor to one whose own connection there broke at the same time."""
    client, ready = talking
    bob = connected("bob")
    broken = bob.start()[-1]
    assert owner(table, broken)[0] == "r1"
    assert only(client.resume(ready, media_failed=True))["type"] == "starting"
    assert connected("eve").start()[-1]["stage"] == "relay"
    assert only(bob.resume(broken))["stage"] == "relay"
    assert set(relays.load(table, "r1").leases) == set()
    assert len(edges.tasks) == 1


def test_a_reported_relay_that_is_heard_of_since_is_as_good_as_any(talking, relay, table, clock):
    client, ready = talking
    relay("r2", "1")
    other = only(client.resume(ready, media_failed=True))
    clock.now += 5
    relays.heartbeat(table, "r1", 0, int(clock()))
    assert only(client.resume(other, media_failed=True))["type"] == "ready"
    assert owner(table, ready)[0] == "r1"


def test_a_relay_whose_clock_is_ahead_is_reported_like_any_other(talking, relay, table, clock):
    """Its last heartbeat bears a later time than the report that came after it."""
    client, ready = talking
    relay("r2", "1")
    relays.heartbeat(table, "r1", 1, int(clock()) + 4)
    other = only(client.resume(ready, media_failed=True))
    assert only(client.resume(other, media_failed=True))["type"] == "starting"
    assert owner(table, ready)[0] not in ("r1", "r2")


def test_one_user_cannot_report_a_fleet_away(talking, relay, table, edges):
    """Each report is believed; more of them in a minute than relays break are not."""
    client, offer = talking
    names = ["r1", *(relay(f"r{number}", str(number)) for number in range(2, 9))]
    for _ in range(20):
        offer = only(client.resume(offer, media_failed=True))
        assert offer["type"] == "ready"
    reported = [each.id for each in relays.load_all(table, names) if each.reported_at]
    assert (len(reported), edges.tasks) == (resume_module.REPORTS, {})


@pytest.mark.parametrize("end", ["silent", "stopping", "gone"])
def test_a_relay_that_will_not_answer_is_left(talking, relay, table, clock, end):
    client, ready = talking
    relay("r2", "1")
    match end:
        case "silent":
            clock.now += relays.FRESH_S
            relays.heartbeat(table, "r2", 0, int(clock()))
        case "stopping":
            relays.stopping(table, "r1")
        case "gone":
            relays.leave(table, "r1")
    assert only(client.resume(ready))["type"] == "ready"
    assert owner(table, ready) == ("r2", 2)


def test_with_no_other_relay_one_is_started(talking, edges, table, clock):
    client, ready = talking
    waiting = only(client.resume(ready, media_failed=True))
    assert (waiting["type"], waiting["stage"]) == ("starting", "relay")
    assert waiting["resume_key"] == ready["resume_key"]
    assert len(edges.tasks) == 1
    relay, epoch = owner(table, ready)
    assert (relay != "r1", epoch) == (True, 2)


def test_a_resume_while_the_relay_is_coming_waits_on(connected, relay, table, edges, clock):
    relay("r1", ready=False)
    client = connected()
    starting = client.start()[-1]
    clock.now += 10
    again = only(client.resume(starting))
    assert (again["stage"], again["eta_ms"]) == ("relay", 20_000)
    assert edges.tasks == {}
    assert owner(table, starting) == ("r1", 1)


def test_what_does_not_fit_is_refused(talking, connected):
    client, ready = talking
    wrong = ready | {"resume_key": "x" * 43}
    assert only(client.resume(wrong))["code"] == "resume_refused"
    assert only(connected("grace").resume(ready))["code"] == "session_unknown"
    assert only(client.resume(ready | {"session": "nothing"}))["code"] == "session_unknown"
    assert only(connected(expires_in=-120).resume(ready))["code"] == "auth_expired"


def test_what_is_over_stays_over(talking, table, clock):
    client, ready = talking
    clock.now += 1800
    session = sessions.load(table, ready["session"])
    assert session.ends_at <= clock()
    clock.now -= 1300
    sessions.finish(table, session.id, 1, "abandoned", int(clock()))
    error = only(client.resume(ready))
    assert (error["code"], error["ref"], error["i"] > 0) == ("session_ended", session.id, True)


def test_a_session_past_its_longest_duration_is_over(connected, relay, table, clock):
    relay()
    client = connected(expires_in=7200)
    ready = client.start()[-1]
    clock.now += 1800
    relays.heartbeat(table, "r1", 0, int(clock()))
    assert only(client.resume(ready))["code"] == "session_ended"
    assert only(client.start())["code"] == "session_ended"


def test_of_eight_resumes_at_once_the_newest_can_go_on(talking, relay, table, clock, connected):
    _, ready = talking
    relay("r2", "1")
    clients = [connected() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda client: client.resume(ready, media_failed=True), clients))
    said = [reply for each in replies for reply in each]
    assert {reply["type"] for reply in said} == {"ready"}
    newest = max(said, key=lambda reply: reply["i"])
    relay_id, epoch = owner(table, ready)
    assert burn(table, clock, newest, relay_id) == tickets.Burn(
        "ok", ready["session"], epoch, "https://app.example"
    )
    assert sessions.load(table, ready["session"]).knows_key(sessions.hash_key(newest["resume_key"]))
    places = [list(relays.load(table, each).leases) for each in ("r1", "r2")]
    assert sorted(places) == [[], [ready["session"]]]
