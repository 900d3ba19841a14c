"""`doctor --stack` on a stack that failed: what failed of itself, and what to do, by AWS's own words."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from moto import mock_aws

from cli.doctor import failed_stack
from cli.doctor.failed_start import last_failure
from cli.doctor.steps import Checkup, Stopped, Trouble
from cli.main import main
from cli.stack.deployed import Deployment, aws_client
from records import start_failures
from records.start_failures import Cause
from records.start_times import Home
from records.table import Table
from tests.cli.accounts import REGION, EmulatedAccount
from tests.records import dynamo

ARN = "arn:aws:cloudformation:eu-west-1:111122223333:stack/viva/1"

#: reasons as CloudFormation and others gave them in public reports, to what they come to here
REASONS = {
    "Resource handler returned message: \"Access denied for operation 'AWS::CloudFront::Distribution: Your "
    "account must be verified before you can add new CloudFront resources. To verify your account, please "
    "contact AWS Support'.\"": "cloudfront_unverified",
    'Resource handler returned message: "Invalid request provided: Unable to assume the service linked role. '
    'Please verify that the ECS service linked role exists."': "no_role",
    'Resource handler returned message: "The maximum number of VPCs has been reached. (Service: Ec2, Status '
    'Code: 400)"': "vpcs",
    "The maximum number of internet gateways has been reached.": "vpcs",
    "The maximum number of rules per security group has been reached.": "rules",
    "Resource of type 'AWS::Logs::LogGroup' with identifier '{\"/properties/LogGroupName\":\"/aws/lambda/"
    "viva-keys\"}' already exists.": "log_groups",
    "Resource handler returned message: \"Error occurred during operation 'DeleteClusters SDK Error: The "
    "Cluster cannot be deleted while Tasks are active. (ClusterContainsTasksException)'.\"": "tasks_left",
    "The subnet 'subnet-1' has dependencies and cannot be deleted. (Service: Ec2, Status Code: 400)": (
        "tasks_left"
    ),
    "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection "
    "first.": "table_protected",
    'Resource handler returned message: "The memory quota of MicroVMs is exceeded (Service: LambdaMicrovms, '
    "Status Code: 402)": "microvms",
    "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
    "minimum value": "concurrency",
    "Code storage limit exceeded. (Service: Lambda, Status Code: 400)": "code_storage",
    "The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or doesn't include "
    "a valid certificate chain. (InvalidViewerCertificate)": "certificate",
    "One or more of the CNAMEs you provided are already associated with a different resource.": (
        "domain_taken"
    ),
    "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: iam:CreateRole on resource: "
    "arn:aws:iam::111122223333:role/x with an explicit deny in a service control policy": "forbidden",
    "Received response status [FAILED] from custom resource. Message returned: ClientError; see the "
    "function's log (RequestId: 1)": "own_resource",
    "CloudFormation did not receive a response from your Custom Resource. Custom resource did not respond": (
        "own_resource_silent"
    ),
    "viva-eu-west-1 already exists in stack arn:aws:cloudformation:eu-west-1:1:stack/other/1": "name_taken",
    "Rate exceeded (Service: AWSLogs; Status Code: 400; Error Code: ThrottlingException)": "throttled",
    "Internal Failure": "aws_failed",
    "Something that nobody has seen before": "",
}


def event(
    status: str, name: str, reason: str = "", kind: str = "AWS::X::Y", arn: str = "physical"
) -> dict[str, Any]:
    told = {"StackId": ARN, "StackName": "viva", "EventId": "1", "Timestamp": "2026-01-01T00:00:00Z"}
    told |= {"LogicalResourceId": name, "ResourceType": kind, "ResourceStatus": status}
    return {**told, "PhysicalResourceId": arn, **({"ResourceStatusReason": reason} if reason else {})}


def of_stack(status: str, reason: str = "") -> dict[str, Any]:
    return event(status, "viva", reason, "AWS::CloudFormation::Stack", ARN)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> EmulatedAccount:
    made = EmulatedAccount()
    monkeypatch.setattr("cli.stack.deployed.aws_client", made.client)
    return made


def fails(
    account: EmulatedAccount, status: str, *oldest_first: dict[str, Any], outputs: bool = False
) -> None:
    stack: dict[str, Any] = {
        "StackName": "viva",
        "CreationTime": "2026-01-01T00:00:00Z",
        "StackStatus": status,
    }
    if outputs:
        stack["Outputs"] = [{"OutputKey": "ControlUrl", "OutputValue": "wss://127.0.0.1:1/v1"}]
        stack["Parameters"] = [{"ParameterKey": "OidcIssuer", "ParameterValue": "https://issuer.example"}]
    account.answers["cloudformation", "DescribeStacks"] = {"Stacks": [stack]}
    account.answers["cloudformation", "DescribeStackEvents"] = {"StackEvents": list(oldest_first[::-1])}


def first_deployment(reason: str) -> tuple[dict[str, Any], ...]:
    return (
        of_stack("CREATE_IN_PROGRESS"),
        event("CREATE_IN_PROGRESS", "Cluster"),
        event("CREATE_FAILED", "Cluster", reason, "AWS::ECS::Cluster"),
        event("CREATE_FAILED", "Vpc", "Resource creation cancelled"),
        of_stack("ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Cluster, Vpc]."),
        event("DELETE_COMPLETE", "Cluster"),
        of_stack("ROLLBACK_COMPLETE"),
    )


@pytest.mark.parametrize(("reason", "code"), REASONS.items())
def test_a_reason_leads_to_what_to_do_and_nothing_else_is_said(
    account: EmulatedAccount, capsys: pytest.CaptureFixture[str], reason: str, code: str
) -> None:
    fails(account, "ROLLBACK_COMPLETE", *first_deployment(reason))
    assert main(["doctor", "--stack", "viva", "--region", REGION, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["ok"]) == ("ROLLBACK_COMPLETE", False)
    assert [(c["resource"], c["reason"], c["code"]) for c in told["causes"]] == [("Cluster", reason, code)]
    assert told["causes"][0]["advice"] and "STACK" not in told["causes"][0]["advice"]


def test_every_advice_is_reached_by_a_reason() -> None:
    assert {code for _, code, _ in failed_stack.advice_table()} == set(REASONS.values()) - {""}


def test_for_people_it_is_said_in_lines_that_fit(
    account: EmulatedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = next(iter(REASONS))
    fails(account, "ROLLBACK_COMPLETE", *first_deployment(reason))
    assert main(["doctor", "--stack", "viva", "--region", REGION]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "viva is ROLLBACK_COMPLETE" and lines[2] == "Cluster (AWS::ECS::Cluster)"
    assert any(line.startswith("  -> AWS has to verify the account") for line in lines)
    assert max(map(len, lines)) <= 80


def test_only_the_last_operation_counts(account: EmulatedAccount) -> None:
    earlier = (of_stack("CREATE_IN_PROGRESS"), event("CREATE_FAILED", "Old", "Rate exceeded"), of_stack("X"))
    now = (of_stack("DELETE_IN_PROGRESS"), event("DELETE_FAILED", "Cluster", "ClusterContainsTasks"))
    fails(account, "DELETE_FAILED", *earlier, *now)
    assert [(c.resource, c.code) for c in failed_stack.causes("viva", REGION)] == [("Cluster", "tasks_left")]


def test_a_stack_that_went_back_is_explained_and_then_checked(
    account: EmulatedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """It works as before the update: the check goes on, here to a server that is not there."""
    update = (of_stack("UPDATE_IN_PROGRESS"), event("UPDATE_FAILED", "RelayTask", "Internal Failure"))
    fails(account, "UPDATE_ROLLBACK_COMPLETE", *update, outputs=True)
    assert main(["doctor", "--stack", "viva", "--region", REGION, "--token", "x"]) == 1
    said = capsys.readouterr().out
    assert "RelayTask" in said and "checking" in said.partition("RelayTask")[2]


def test_a_stack_that_is_well_is_not_explained(account: EmulatedAccount) -> None:
    assert [failed_stack.is_failed(status) for status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")] == [
        False
    ] * 2


def test_a_failure_without_a_reason_is_said_to_have_none(
    account: EmulatedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(account, "DELETE_FAILED", of_stack("DELETE_IN_PROGRESS"), of_stack("DELETE_COMPLETE"))
    assert main(["doctor", "--stack", "viva", "--region", REGION]) == 1
    assert "None of its events says why" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("home", "kind", "said"),
    [
        ("fargate", "tasks", "CannotPullContainerError: 429 Too Many Requests"),
        ("microvm", "MicroVMs", "ServiceQuotaExceededException: memory of MicroVMs"),
    ],
)
def test_a_cold_start_that_fails_is_told_with_what_aws_said_of_it(
    monkeypatch: pytest.MonkeyPatch, home: Home, kind: str, said: str
) -> None:
    """The caller's error has a few words of ours; the operator needs AWS's own, of whichever home."""
    deployment = Deployment("viva", "", "", "table", "", "", "")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        dynamo.make_table(aws_client("dynamodb", None), "table")
        table = Table(aws_client("dynamodb", None), "table")
        assert last_failure(deployment) == ""
        now = int(time.time())
        other: Home = "microvm" if home == "fargate" else "fargate"
        start_failures.note(table, other, Cause("it was long ago", "long ago"), now - 60)
        start_failures.note(table, home, Cause("its image cannot be pulled", said), now)
        checkup = Checkup(why_no_relay=lambda: last_failure(deployment))
        with pytest.raises(Stopped), checkup.step("cold start"):
            raise Trouble("capacity", "No relay could be had")
    (failed,) = [result for result in checkup.results if result.state == "failed"]
    assert failed.detail.startswith(f"No relay could be had (1 {kind} failed in a row, the last ")
    assert failed.detail.endswith(f"s ago: {said})")
