"""The end of a stack: its relay tasks are stopped and waited for, or the cluster could not be deleted."""

from types import SimpleNamespace

import pytest

from functions import sweep as sweep_function
from functions.core.fleet import teardown

FLEET = {"Cluster": "arn:cluster", "Bundle": "arn:layer:viva-relay:1"}


def answered(cloudformation, kind, left_ms=200_000):
    context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: left_ms)
    given = {"LogicalResourceId": "Fleet", "ResourceProperties": FLEET}
    sweep_function.handler(cloudformation.event(kind, **given), context)
    return cloudformation.answers[-1]["Status"]


@pytest.fixture(autouse=True)
def bundles(monkeypatch):
    """None: see test_bundles."""
    for work in ("prune", "remove_all"):
        monkeypatch.setattr(sweep_function.bundles, work, lambda *_: None)


def have_tasks(edges, *names):
    for name in names:
        edges.run_task({"clientToken": name, "startedBy": f"relay-{name}"})
    edges.run_task({"clientToken": "theirs", "startedBy": "ecs-svc/7"})


class Pauses(list):
    """Keeps the pauses, and does something in the first."""

    def __init__(self, do=lambda: None):
        self.do = do

    def __call__(self, seconds):
        self.append(seconds)
        if len(self) == 1:
            self.do()


def alive(edges):
    return [task["startedBy"] for task in edges.tasks.values() if task["lastStatus"] != "STOPPED"]


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_deployment_stops_nothing(kind, edges, table, cloudformation):
    have_tasks(edges, "a")
    assert (answered(cloudformation, kind), edges.stopped) == ("SUCCESS", [])


def test_the_deletion_of_a_stack_stops_its_tasks_and_no_others(edges, table, cloudformation):
    have_tasks(edges, "a", "b", "c")
    assert answered(cloudformation, "Delete") == "SUCCESS"
    assert (sorted(edges.stopped), alive(edges)) == (["relay-a", "relay-b", "relay-c"], ["ecs-svc/7"])


def test_a_home_that_a_deployment_gives_up_is_ended_by_what_it_was(edges, table, homes, cloudformation):
    """The sweep's own settings do not name its cluster any more."""
    have_tasks(edges, "a")
    homes("microvm")
    assert (answered(cloudformation, "Delete"), edges.stopped) == ("SUCCESS", ["relay-a"])


def test_the_end_of_microvms_ends_them_and_no_task(edges, table, homes, cloudformation, monkeypatch, clock):
    have_tasks(edges, "a")
    fake = homes("microvm")
    fake.run_microvm(clientToken="a")
    homes("fargate")
    client = sweep_function.aws.client
    monkeypatch.setattr(
        sweep_function.aws,
        "client",
        lambda service: fake if service == "lambda-microvms" else client(service),
    )
    context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 200_000)
    given = {"LogicalResourceId": "Machines", "ResourceProperties": {"Image": "arn:image"}}
    for kind, state in (("Create", "RUNNING"), ("Update", "RUNNING"), ("Delete", "TERMINATED")):
        sweep_function.handler(cloudformation.event(kind, **given), context)
        assert cloudformation.answers[-1]["Status"] == "SUCCESS" and fake.states() == [state]
    assert edges.stopped == []


def test_tasks_are_waited_for_until_they_are_gone(edges, table):
    edges.drain_looks = 3  # calls are handed on, an interface is given back
    have_tasks(edges, "a", "b")
    pauses = Pauses()
    teardown.stop_all(sweep_function.ports().tasks, None, lambda: True, pauses)
    assert (len(pauses), alive(edges), len(edges.stopped)) == (3, ["ecs-svc/7"], 2)


def test_a_task_that_was_asked_for_meanwhile_is_stopped_too(edges, table):
    edges.drain_looks = 1
    have_tasks(edges, "a")
    pauses = Pauses(lambda: have_tasks(edges, "late"))
    teardown.stop_all(sweep_function.ports().tasks, None, lambda: True, pauses)
    assert edges.stopped == ["relay-a", "relay-late"]


@pytest.mark.parametrize("trouble", ["ECS does not say", "no time is left"])
def test_a_deletion_that_leaves_tasks_behind_says_so(trouble, edges, table, cloudformation):
    have_tasks(edges, "a")
    edges.drain_looks = 99
    edges.lists_fail = trouble == "ECS does not say"
    assert answered(cloudformation, "Delete", left_ms=1_000) == "FAILED"
