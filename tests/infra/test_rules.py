"""Rules that wait for an event: whose functions are called, and with what."""

import pytest

from infra.local.rules import Rule, check, publish, task_stopped

TASK = {
    "taskArn": "arn:task/1",
    "clusterArn": "arn:cluster/c",
    "lastStatus": "STOPPED",
    "startedBy": "relay-r1",
}
PATTERN = {
    "source": ["aws.ecs"],
    "detail": {"clusterArn": ["arn:cluster/c"], "lastStatus": ["STOPPED", "GONE"]},
}


def called(rule: Rule) -> list[str]:
    calls: list[str] = []
    event = task_stopped(TASK, account="0", region="r")
    publish([rule], event, lambda function, told: calls.append(f"{function} {told['detail']['startedBy']}"))
    return calls


@pytest.mark.parametrize(
    ("changes", "is_called"),
    [
        ({}, True),
        ({"detail-type": ["ECS Task State Change"]}, True),
        ({"source": ["aws.ec2"]}, False),
        ({"detail": {"clusterArn": ["arn:cluster/other"]}}, False),
        ({"detail": {"lastStatus": ["RUNNING"]}}, False),
        ({"detail": {"unknown": ["x"]}}, False),
        ({"unknown": {"deep": ["x"]}}, False),
    ],
)
def test_an_event_with_all_that_the_pattern_has_calls_the_function(
    changes: dict[str, object], is_called: bool
) -> None:
    assert called(Rule("sweep", PATTERN | changes)) == (["sweep relay-r1"] if is_called else [])


@pytest.mark.parametrize("wanted", ["aws.ecs", [{"prefix": "aws."}], {"deep": [{"exists": False}]}])
def test_a_pattern_that_is_not_emulated_is_refused_rather_than_never_matched(wanted: object) -> None:
    with pytest.raises(ValueError, match="not supported"):
        check({"source": wanted})
