"""What one user may ask of the control road, and that it costs nobody else anything."""

import pytest

from functions.core.sessions.floods import REPEATS, WINDOW_S
from protocol.limits import BACKOFF_BASE_S, BACKOFF_MAX_S, CONTROL_MESSAGES
from records import relays, sessions


@pytest.fixture
def few(limits):
    """Two starts a minute, and so twelve requests for sessions that are open."""
    limits(starts=2)
    return 2 * REPEATS


def only(replies):
    (reply,) = replies
    return reply


def written(table, monkeypatch):
    """Names of the writes from now on."""
    seen, request = [], table.request

    def note(operation, **asked):
        seen.append(operation)
        return request(operation, **asked)

    monkeypatch.setattr(table, "request", note)
    return seen


def test_a_storm_of_resumes_is_refused_with_when_to_come_back_and_goes_on_then(
    connected, relay, table, clock, few, monkeypatch
):
    relay("r1")
    clock.now -= clock.now % WINDOW_S
    offer = connected().start()[-1]
    for _ in range(few):
        offer = connected().resume(offer)[-1]
        assert offer["type"] == "ready"
    epoch, writes = sessions.load(table, offer["session"]).epoch, written(table, monkeypatch)
    clock.now += 20
    refused = only(connected().resume(offer))
    assert (refused["code"], refused["retryable"], "fatal" in refused) == ("rate_limited", True, False)
    assert refused["retry_after_ms"] == (WINDOW_S - 20) * 1000
    assert writes.count("transact_write_items") == 0  # no lease, no move
    clock.now += WINDOW_S - 20
    relays.heartbeat(table, "r1", 0, int(clock()))
    assert connected().resume(offer)[-1]["type"] == "ready"
    assert sessions.load(table, offer["session"]).epoch == epoch


def test_a_start_repeated_without_end_counts_with_the_resumes(connected, relay, few):
    relay("r1")
    assert connected().start()[-1]["type"] == "ready"
    for _ in range(few):
        assert connected().start()[-1]["type"] == "ready"
    assert only(connected().start())["code"] == "rate_limited"


def test_the_storm_of_one_user_refuses_nobody_else(connected, relay, few):
    relay("r1")
    offer = connected().start()[-1]
    for _ in range(3 * few):
        answer = connected().resume(offer)[-1]
        offer = answer if answer["type"] == "ready" else offer
    assert connected("grace").start()[-1]["type"] == "ready"


@pytest.mark.parametrize(
    "message",
    ["no JSON", {"type": "of tomorrow"}, {"type": "start"}, {"type": "end", "session": "none"}],
    ids=["no JSON", "unknown type", "unreadable", "nobody's session"],
)
def test_a_connection_that_floods_is_told_once_and_closed(connected, edges, message):
    client = connected()
    for _ in range(CONTROL_MESSAGES):
        assert only(client.send_text(message))["code"] != "rate_limited"
    assert edges.closed == []
    refused = only(client.send_text(message))
    assert (refused["code"], refused["fatal"]) == ("rate_limited", True)
    assert edges.closed == [client.connection]
    assert client.send_text(message) == []  # it was under way as the connection was closed
    assert only(connected().send_text(message))["code"] != "rate_limited"


def test_a_connection_that_cannot_be_closed_is_answered_nothing_all_the_same(connected, edges, monkeypatch):
    client = connected()
    for _ in range(CONTROL_MESSAGES + 1):
        client.send_text("no JSON")
    edges.gone.add(client.connection)
    assert client.send_text("no JSON") == []


def test_an_honest_client_in_the_worst_minute_is_far_from_the_limit():
    """Attempts of one session without end, each with the shortest wait, by three sessions at once."""
    waits = [min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2**n) / 2 for n in range(60)]  # random, half of it as a mean
    tried = next(n for n in range(60) if sum(waits[:n]) >= WINDOW_S)
    assert 3 * tried <= 10 * REPEATS
