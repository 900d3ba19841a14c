"""A relay that does not come up: who waits is told why, and at the second time not to try again."""

import pytest
from deployment import CONTEXT

from functions import sweep as sweep_function
from functions.core.fleet import give_up_relay, start_causes
from records import relays, sessions, start_failures, tickets

#: what ECS says (its guide, "Stopped tasks error codes"), and what a caller is told of it
STOPS = {
    "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref "
    "public.ecr.aws/docker/library/python:3.13-slim: 429 Too Many Requests": "its image cannot be pulled",
    "CannotPullImageManifestError: no such digest": "its image cannot be pulled",
    "ResourceInitializationError: failed to validate logger args": "Fargate cannot prepare it",
    "Timeout waiting for network interface provisioning to complete.": "its network does not come up",
    "Capacity is unavailable at this time. Please try again later.": "Fargate has no capacity now",
}
REFUSALS = {
    ("ClientException", "You've reached the limit on the number of vCPUs you can run concurrently"): (
        "the account's quota of Fargate vCPUs is used up"
    ),
    ("InvalidParameterException", "Unable to assume the service linked role."): (
        "the account has no role for ECS yet"
    ),
    ("AccessDeniedException", "User: arn:… is not authorized to perform: ecs:RunTask"): (
        "its start is not permitted"
    ),
    ("RESOURCE:ENI",): "Fargate has no capacity now",
    ("ThrottlingException", "Rate exceeded."): "ECS is asked too often",
    ("ClusterNotFoundException", "Cluster not found."): "ECS refuses to start it",
}


def pooled(table):
    return set(relays.pool(table).slots.values())


def stopped(relay, **more):
    """The event of a task that has stopped, as ECS sends it."""
    detail = {"startedBy": f"relay-{relay}", "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart"}
    event = {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail | more}
    return sweep_function.handler(event, CONTEXT)


@pytest.mark.parametrize(("said", "words"), STOPS.items())
def test_what_ecs_says_of_a_stop_is_told_in_words_without_names(said, words):
    cause = start_causes.of_stop({"stoppedReason": said, "containers": [{"name": "relay"}]})
    assert (cause.words, cause.said) == (words, said)


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ([{"exitCode": 1}], "it ended with exit status 1"),
        ([{"exitCode": 137, "reason": "OutOfMemoryError: container killed"}], "its memory does not suffice"),
        ([{"exitCode": 0}], "it ended as it started"),
        ([], "it ended as it started"),
    ],
)
def test_a_container_that_ended_is_told_by_its_exit(containers, words):
    task = {"stoppedReason": "Essential container in task exited", "containers": containers}
    assert start_causes.of_stop(task).words == words


@pytest.mark.parametrize(("said", "words"), REFUSALS.items())
def test_what_ecs_says_when_it_starts_nothing(said, words):
    assert start_causes.of_refusal(said).words == words


def test_who_waits_is_told_why_and_at_the_second_time_not_to_try_again(connected, table):
    client, told = connected("ada"), []
    for said in STOPS:
        assert client.start()[-1]["stage"] == "relay"
        (coming,) = pooled(table)
        stopped(coming, stoppedReason=said)
        told += client.replies()
    assert [(each["code"], each.get("retryable", False)) for each in told] == [
        ("capacity", True),
        *[("relay_failed", False)] * (len(STOPS) - 2),
        ("capacity", True),  # by waiting, Fargate may have capacity again
    ]
    assert [each["message"].rpartition(": ")[2] for each in told] == [f"{words}." for words in STOPS.values()]
    assert start_failures.last(table, "fargate").cause.said == list(STOPS)[-1]
    assert give_up_relay.LASTING == 2


def test_a_call_that_goes_on_elsewhere_is_never_told_to_give_up(connected, relay, table, clock, edges):
    """Its relay died, and what is started for it does, too: it asks again while its session stands."""
    relay("r1")
    client = connected("ada")
    ready = client.start()[-1]
    tickets.burn(table, ready["media"]["ticket"], relay="r1", now=int(clock()))
    relays.leave(table, "r1")
    for _ in range(3):
        client.resume(ready, media_failed=True)
        (coming,) = pooled(table)
        stopped(coming, containers=[{"exitCode": 1}])
        (error,) = [each for each in client.replies() if each["type"] == "error"]
        assert (error["code"], error.get("fatal", False), error["retryable"]) == ("capacity", False, True)


def test_the_sweep_finds_why_a_relay_never_came_where_no_event_told_it(connected, table, edges, clock):
    client = connected("ada")
    client.start()
    (task,) = edges.tasks.values()
    task |= {"desiredStatus": "STOPPED", "lastStatus": "STOPPED", "stoppedReason": next(iter(STOPS))}
    clock.now += 31
    assert sweep_function.handler({}, CONTEXT)["relays_lost"] == 1
    (error,) = client.replies()
    assert error["message"].endswith("its image cannot be pulled.")


@pytest.mark.parametrize(
    ("failure", "words"), [("error", "ECS refuses to start it"), ("no tasks", "Fargate has no capacity now")]
)
def test_the_first_caller_is_told_why_nothing_was_started(connected, edges, failure, words):
    edges.run_task_failure = failure
    error = connected("ada").start()[-1]
    assert (error["code"], error["retryable"]) == ("capacity", True)
    assert error["message"].endswith(f": {words}.")


def test_when_a_launch_fails_whoever_asked_last_is_told(connected, table, edges, monkeypatch):
    """The launch hangs; the client comes back on another connection; then it fails."""
    first, again, run_task = connected("ada"), connected("ada"), edges.run_task

    def hangs(request):
        monkeypatch.setattr(edges, "run_task", run_task)
        edges.lock.release()  # the request of the other connection goes by
        try:
            assert again.start()[-1]["stage"] == "relay"
        finally:
            edges.lock.acquire()
        return 200, {"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}, None

    monkeypatch.setattr(edges, "run_task", hangs)
    first.start()
    assert [reply["code"] for reply in again.replies()] == ["capacity"]
    assert again.start()[-1]["stage"] == "relay"


def test_giving_up_a_relay_ends_no_session_that_has_moved(connected, relay, table, clock, monkeypatch):
    client = connected("ada")
    client.start()
    (coming,) = pooled(table)
    relay("r2", "1")
    load, came = sessions.load, []

    def load_and_move(table, session):
        found = load(table, session)
        if not came:
            monkeypatch.setattr(sessions, "load", load)
            came.append(client.start()[-1])  # sees that its relay is gone
            ticket = came[0]["media"]["ticket"]
            assert tickets.burn(table, ticket, relay="r2", now=int(clock())).status == "ok"
        return found

    monkeypatch.setattr(sessions, "load", load_and_move)
    stopped(coming)
    assert sessions.load(table, came[0]["session"]).state == "OPEN"
    assert client.replies() == []


def test_a_relay_that_comes_up_as_it_is_given_up_stays(connected, table, clock, monkeypatch):
    connected("ada").start()
    (coming,) = pooled(table)
    pool = relays.pool

    def pool_and_ready(table):
        monkeypatch.setattr(relays, "pool", pool)
        relays.ready(table, coming, "r.example:8080", int(clock()))
        return pool(table)

    monkeypatch.setattr(relays, "pool", pool_and_ready)
    stopped(coming)
    assert (relays.load(table, coming).state, pooled(table)) == ("READY", {coming})
