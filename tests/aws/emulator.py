"""MiniStack with AUTH=true: AWS APIs that evaluate IAM policies, on loopback, in a process of its own.

What it does not evaluate as AWS does, so that a green test here says nothing about it:

    iam:PassRole              RunTask does not ask for it
    kms:Decrypt, kms:Encrypt  a SecureString is read without them
    ECS's resources           it looks at the cluster, AWS at task or definition, and the condition's cluster
    GetLayerVersion           it asks for lambda:ListLayers instead, on everything; for ListLayerVersions too
    DeleteLayerVersion        it asks for nothing
    ecs:TagResource           nor for this, when a task takes on its definition's tags
    lambda:*Microvm*          the walks have none
    logs:*                    the log driver of ECS is not there, nor does a function's run make a group
    KeyValueStore             its endpoint is a name with the account's number in front, and wants SigV4A
    MediaIngress alb          only the form with edge is walked

`TRANSLATED` makes its questions of our statements; the rest is held by tests/infra/test_deployment.py.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from infra.deploy.embed import TEMPLATE
from infra.local.intrinsics import ACCOUNT, Scope
from infra.local.template import decide, read_template, transform

ROOT = Path(__file__).resolve().parents[2]
MINISTACK = ROOT / ".local/ministack-py313/bin/ministack"
REGION, STACK = "us-east-1", "viva"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{STACK}-Cluster"

#: Sid to what MiniStack asks for in its place
TRANSLATED: dict[str, dict[str, Any]] = {
    "StartRelay": {"Action": "ecs:RunTask", "Resource": CLUSTER, "Condition": {}},
    "ListTasks": {"Resource": CLUSTER, "Condition": {}},
    "SeeAndStopTasks": {"Resource": CLUSTER, "Condition": {}},
    "FetchBundle": {"Action": "lambda:ListLayers", "Resource": "*"},
    "ListBundles": {"Action": "lambda:ListLayers"},
}
#: statements whose removal it cannot notice
UNNOTICED = {
    "HandRolesToRelay",
    "SecretsPlain",
    "GeminiKeyPlain",
    "OwnKeysPlain",
    "OriginSecretPlain",
    "TellEdge",
    "TagRelay",
    "DeleteBundles",
    "EndMicrovms",
    "ListMicrovms",
    "Logs",
    "NoLogGroups",
}

Statement = dict[str, Any]


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(port: int = 0, **more: str) -> Iterator[str]:
    """The emulator's URL. `more` is set in its environment, and so in that of the functions that it runs."""
    port = port or free_port()
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AUTH": "true"}
    environment |= {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), **more}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([MINISTACK], env=environment, stdout=quiet, stderr=quiet)
    url = f"http://127.0.0.1:{port}"
    try:
        _await(lambda: urllib.request.urlopen(f"{url}/_ministack/health", timeout=1).close())
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _await(works: Callable[[], None]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            return works()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@dataclass
class Emulator:
    """The stack's things in the emulator, made as root, and one identity for each of its roles."""

    url: str
    policies: dict[str, list[Statement]] = field(init=False)  #: role to its statements
    api: str = field(init=False)  #: id of the WebSocket API

    def __post_init__(self) -> None:
        self.stack = read_template(TEMPLATE, {}, stack=STACK, region=REGION)
        self.api = self.client("apigatewayv2").create_api(
            Name="gateway", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.type"
        )["ApiId"]
        self.policies = _policies(self.api)
        self.credentials = {role: self._make_role(role) for role in self.policies}

    def client(self, service: str, role: str = "", url: str = "") -> Any:
        """A boto3 client as root, or as a role."""
        key, secret, token = self.credentials[role] if role else ("test", "test", None)
        once = Config(retries={"total_max_attempts": 1})
        return boto3.client(
            service,
            endpoint_url=url or self.url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=once,
        )

    def environment(self, role: str) -> dict[str, str]:
        """What makes boto3 the role, at the emulator."""
        key, secret, token = self.credentials[role]
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": str(token),
        }

    def allow(self, role: str, statements: list[Statement]) -> None:
        """The role may do this, and nothing else."""
        document = {"Version": "2012-10-17", "Statement": statements or [_NOTHING]}
        self.client("iam").put_role_policy(
            RoleName=role, PolicyName="all", PolicyDocument=json.dumps(document)
        )

    def _make_role(self, role: str) -> tuple[str, str, str | None]:
        root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        trust = [{"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}]
        document = json.dumps({"Version": "2012-10-17", "Statement": trust})
        made = self.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=document)
        assumed = self.client("sts").assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="walk")
        found = assumed["Credentials"]
        return found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]


_NOTHING: Statement = {"Effect": "Deny", "Action": "*", "Resource": "*"}


def _policies(api: str) -> dict[str, list[Statement]]:
    made = decide(transform(TEMPLATE, region=REGION), {})
    parameters = {name: str(each["Default"]) for name, each in made["Parameters"].items()}
    scope = Scope(stack=STACK, region=REGION, parameters=parameters, resources=made["Resources"])
    found = {}
    for name, role in made["Resources"].items():
        if role["Type"] == "AWS::IAM::Role":
            held = [
                s for p in role["Properties"].get("Policies", []) for s in p["PolicyDocument"]["Statement"]
            ]
            text = json.dumps(scope.resolve(held)).replace(":gateway/v1/", f":{api}/v1/")
            found[name] = [each | TRANSLATED.get(each["Sid"], {}) for each in json.loads(text)]
    return found
