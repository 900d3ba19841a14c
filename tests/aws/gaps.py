"""Where MiniStack is not AWS, as far as a deployment meets it; what is done instead; and a look at each.

A gap that has closed fails a test: the emulator has learned something, so take the entry out, and with it
whatever the tests do in place of the real thing.
"""

from __future__ import annotations

import json
import socket
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.embed import TEMPLATE
from infra.local.template import decide, transform
from tests.aws.deployed import Deployed
from tests.aws.emulator import REGION, STACK

Look = Callable[[Deployed], bool]

#: resources that MiniStack's CloudFormation refuses, to why; left out of the template that is deployed
REFUSED = {
    "ErrorsAlarm": "an alarm on metric math",
    "BudgetAlarm": "an alarm on metric math",
}

#: resources of types that it does not know, to the attributes of theirs that others use, as made up here
UNKNOWN = {
    "BalancerOrigin": {"Id": "vo_made_up"},
    "RelaySnapshot": {
        "ImageArn": f"arn:aws:lambda:{REGION}:000000000000:microvm-image:{STACK}-relay",
        "LatestActiveImageVersion": "1",
    },
}


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing and what a test does instead. `closed` tells whether it is missing no more."""

    what: str
    instead: str
    closed: Look


def accepts(deployed: Deployed, name: str) -> bool:
    """Whether the emulator makes that resource of ours, alone in a stack."""
    made = decide(transform(TEMPLATE, region=REGION), {})["Resources"][name]
    made = {"Type": made["Type"], "Properties": _plain(made["Properties"])}
    cloudformation = deployed.client("cloudformation")
    stack = f"gap-{name.lower()}"
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": {name: made}}))
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status = str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        if not status.endswith("IN_PROGRESS"):
            return status == "CREATE_COMPLETE"
        time.sleep(0.05)
    raise TimeoutError(name)


def _plain(value: Any) -> Any:
    """Without what refers to the rest of the template."""
    if isinstance(value, dict):
        if value.keys() & {"Ref", "Fn::Sub", "Fn::GetAtt", "Fn::If"}:
            return "1"
        return {key: _plain(each) for key, each in value.items() if key != "AlarmActions"}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _expires(deployed: Deployed) -> bool:
    told = deployed.client("dynamodb").describe_time_to_live(TableName=deployed.outputs["TableName"])
    return bool(told["TimeToLiveDescription"]["TimeToLiveStatus"] != "DISABLED")


def _recovers(deployed: Deployed) -> bool:
    told = deployed.client("dynamodb").describe_continuous_backups(TableName=deployed.outputs["TableName"])
    state = told["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    return bool(state["PointInTimeRecoveryStatus"] != "DISABLED")


def _knows_its_processor(deployed: Deployed) -> bool:
    told = deployed.client("ecs").describe_task_definition(taskDefinition=deployed.resources["RelayTask"])
    return "runtimePlatform" in told["taskDefinition"]


def _keeps_volumes(deployed: Deployed) -> bool:
    told = deployed.client("ecs").describe_task_definition(taskDefinition=deployed.resources["RelayTask"])
    return bool(told["taskDefinition"]["volumes"] != [{}])


def _run(deployed: Deployed, token: str) -> dict[str, Any]:
    network = {"subnets": [deployed.resources["SubnetA"]], "assignPublicIp": "ENABLED"}
    ran = deployed.client("ecs").run_task(
        cluster=deployed.resources["Cluster"], taskDefinition=deployed.resources["RelayTask"],
        launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": network}, clientToken=token,
    )  # fmt: skip
    (task,) = ran["tasks"]
    deployed.client("ecs").stop_task(cluster=deployed.resources["Cluster"], task=task["taskArn"])
    return dict(task)


def _attaches(deployed: Deployed) -> bool:
    return bool(_run(deployed, "attached")["attachments"])


def _starts_once(deployed: Deployed) -> bool:
    return bool(_run(deployed, "once")["taskArn"] == _run(deployed, "once")["taskArn"])


def _names_interfaces(deployed: Deployed) -> bool:
    ec2 = deployed.client("ec2")
    made = ec2.create_network_interface(SubnetId=deployed.resources["SubnetA"])["NetworkInterface"]
    at = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=at, NetworkInterfaceId=made["NetworkInterfaceId"])
    filters = [{"Name": "mac-address", "Values": [made["MacAddress"]]}]
    (found,) = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    return bool(found.get("Association", {}).get("PublicDnsName"))


def _upgrades(deployed: Deployed) -> bool:
    at = urllib.parse.urlsplit(deployed.url)
    lines = [
        "GET /r/0/a.b HTTP/1.1", f"Host: {deployed.outputs['DistributionDomain']}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]  # fmt: skip
    with socket.create_connection((at.hostname or "", at.port or 0), timeout=5) as asked:
        asked.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = asked.recv(4096)
    return answer.startswith(b"HTTP/1.1 403") and b"x-amz-cf-id" in answer.lower()


def _logs_tasks(deployed: Deployed) -> bool:
    streams = deployed.client("logs").describe_log_streams(logGroupName=deployed.resources["RelayLogs"])
    return bool(streams["logStreams"])


def _knows_the_region(deployed: Deployed) -> bool:
    """In conditions, as in everything else."""
    here = {"Fn::Equals": [{"Ref": "AWS::Region"}, REGION]}
    topic = {"Type": "AWS::SNS::Topic", "Condition": "IsHere"}
    template = {
        "Conditions": {"IsHere": here},
        "Resources": {"Topic": topic, "Other": {"Type": "AWS::SNS::Topic"}},
    }
    cloudformation = deployed.client("cloudformation")
    cloudformation.create_stack(StackName="gap-region", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="gap-region")
    told = cloudformation.describe_stack_resources(StackName="gap-region")["StackResources"]
    return "Topic" in {each["LogicalResourceId"] for each in told}


def _looks_at_roles(deployed: Deployed) -> bool:
    """As AWS does, which asks for iam:PassRole too."""
    try:
        deployed.client("ecs").register_task_definition(
            family="gap", taskRoleArn="arn:aws:iam::000000000000:role/no-such-role",
            containerDefinitions=[{"name": "x", "image": "x", "memory": 16}],
        )  # fmt: skip
    except ClientError:
        return True
    return False


GAPS = {
    "expiry": Gap("TimeToLiveSpecification is ignored", "tests/infra asserts it on the template", _expires),
    "recovery": Gap("point in time recovery is ignored", "Checkov asserts it", _recovers),
    "processor": Gap(
        "a task definition forgets runtimePlatform", "tests/infra asserts it", _knows_its_processor
    ),
    "volumes": Gap(
        "a task definition forgets its volumes' names", "BUNDLE_DIRECTORY is a folder", _keeps_volumes
    ),
    "attachments": Gap(
        "RunTask says RUNNING, but nothing runs without Docker and there is no network interface",
        "the test is Fargate: it starts the process, with an address and a port of this machine",
        _attaches,
    ),
    "client token": Gap(
        "RunTask starts another task for the same clientToken", "tests/infra/test_ecs.py", _starts_once
    ),
    "public names": Gap(
        "a network interface has no public DNS name, so a relay could not find its own",
        "no metadata address is given; the relay says the address that it listens at",
        _names_interfaces,
    ),
    "media road": Gap(
        "the distribution does not take a WebSocket upgrade",
        "infra/local/edge.py stands there, with the keys that lie in the edge's store",
        _upgrades,
    ),
    "task logs": Gap("the awslogs driver is not there", "the test reads the process's output", _logs_tasks),
    "region": Gap(
        "a condition does not know AWS::Region", "test_redeploy.py writes its name in", _knows_the_region
    ),
    "roles": Gap(
        "a role that is handed over is not looked at", "tests/infra asserts PassRole", _looks_at_roles
    ),
}  # fmt: skip

#: settings that lead to AWS itself, to what becomes of them; Google and the media road are parameters
NAMES = {
    "CONNECTIONS_URL": "session is pointed at the emulator once it is deployed",
    "CONTROL_URL": "page only tells it to browsers",
    "PAGE_ORIGINS": "only compared with",
}
