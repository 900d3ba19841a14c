"""`sam deploy` of the stack into MiniStack, and what a test does in the place of Fargate and CloudFront."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
import boto3
import jwt
import yaml

from infra.deploy.bundle import PYTHON, find_python
from records import keyring, turns
from records.routes import read_route_of_any
from records.table import Table
from tests.aws.conftest import ROOT, Run
from tests.aws.emulator import REGION, STACK, free_port
from tests.witness import WITNESS
from vivavoce import Conversation

GEMINI_KEY = "planted-canary-gemini-key"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass
class Deployed:
    """The stack as it lies in the emulator at `url`, seen as root."""

    url: str
    log: list[str] = field(default_factory=list)  #: what `sam deploy` said

    def client(self, service: str) -> Any:
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION,
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def deploy(self, sam: Run, template: Path, **parameters: str) -> None:
        """What a user types: the key first, then `sam deploy`. Raises AssertionError with what SAM said.

        `parameters` lie in a file, as in deployment.yaml: SAM takes no empty value on its command line.
        """
        self.client("ssm").put_parameter(
            Name="/vivavoce/gemini-api-key", Value=GEMINI_KEY, Type="SecureString", Overwrite=True
        )
        given = template.with_name("parameters.yaml")
        given.write_text(yaml.safe_dump(parameters))
        ran = sam(
            "deploy", "--template-file", template, "--config-file", ROOT / "samconfig.toml",
            "--stack-name", STACK, "--region", REGION, "--no-confirm-changeset", "--no-progressbar",
            "--no-fail-on-empty-changeset", "--parameter-overrides", f"file://{given}",
            AWS_ENDPOINT_URL=self.url, **CREDENTIALS,
        )  # fmt: skip
        self.log = ran.stdout.splitlines()
        assert ran.returncode == 0, _what_failed(self.log) + ran.stdout[-2000:] + ran.stderr[-2000:]

    def take_down(self, sam: Run) -> None:
        """`sam delete`. Raises AssertionError with what SAM said."""
        where = ["--stack-name", STACK, "--region", REGION, "--config-file", ROOT / "samconfig.toml"]
        ran = sam("delete", *where, "--no-prompts", AWS_ENDPOINT_URL=self.url, **CREDENTIALS)
        assert ran.returncode == 0, _what_failed(self.log) + ran.stdout[-2000:] + ran.stderr[-2000:]

    @cached_property
    def resources(self) -> dict[str, str]:
        """Logical id to physical id."""
        told = self.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in told}

    @cached_property
    def outputs(self) -> dict[str, str]:
        (told,) = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in told["Outputs"]}

    @property
    def control(self) -> str:
        """ControlUrl, at the emulator's address for it."""
        return f"{self.url.replace('http', 'ws')}/_aws/execute-api/{self.resources['Gateway']}/v1"

    def outward(self) -> set[str]:
        """Settings of functions and relay with a name of AWS's or Google's own in them."""
        told = self.client("lambda").list_functions()["Functions"]
        pairs = {pair for each in told for pair in each["Environment"]["Variables"].items()}
        task = self.client("ecs").describe_task_definition(taskDefinition=self.resources["RelayTask"])
        (container,) = task["taskDefinition"]["containerDefinitions"]
        pairs |= {(pair["name"], pair["value"]) for pair in container["environment"]}
        theirs = ("amazonaws.com", "cloudfront.net", "googleapis.com")
        return {name for name, value in pairs if any(each in value for each in theirs)}

    def point_replies_here(self) -> None:
        """Make session post its replies to the emulator: see `@connections has a name` in GAPS."""
        function = self.client("lambda")
        name = self.resources["SessionFunction"]
        held = function.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        changed = held | {"CONNECTIONS_URL": self.control.replace("ws", "http", 1)}
        function.update_function_configuration(FunctionName=name, Environment={"Variables": changed})

    def edge_keys(self) -> dict[str, Any]:
        """What the keys function wrote into the edge's store, where the edge function reads it."""
        arn = self.client("cloudfront").describe_key_value_store(Name=f"{STACK}-{REGION}")
        path = f"{self.url}/key-value-stores/{arn['KeyValueStore']['ARN']}/keys/keys"
        scope = "Credential=test/20260101/us-east-1/cloudfront-keyvaluestore/aws4_request"
        asked = urllib.request.Request(path, headers={"Authorization": f"AWS4-HMAC-SHA256 {scope}"})
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return dict(json.loads(json.load(answer)["Value"]))

    def read_route(self, path: str, now: int) -> str:
        """As the edge function reads a route, with the keys that it has."""
        ring = keyring.read(json.dumps(self.edge_keys()["route"]))
        return read_route_of_any((key.encode() for key in ring.accepted(now)), path, now)

    def token(self, user: str = "ann") -> str:
        """A JWT, signed with the secret that the deployment made."""
        name = self.outputs["JwtSecretParameterName"]
        secret = self.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
        token = jwt.encode({"sub": user, "exp": int(time.time()) + 900}, secret, algorithm="HS256")
        WITNESS.keeps(secret, "the JWT secret")
        WITNESS.keeps(token, "a JWT")
        return token

    def conversation(self, **named: Any) -> Conversation:
        """A client that nobody has connected yet."""
        return Conversation(self.control, self.token(), **named)

    def turns(self, session: str) -> list[turns.Turn]:
        return turns.list_all(Table(self.client("dynamodb"), self.outputs["TableName"]), session)


def _what_failed(log: list[str]) -> str:
    """SAM's lines about resources that could not be made or removed, with the rest of their table cells."""
    told = [log[at : at + 6] for at, line in enumerate(log) if "_FAILED" in line]
    return "".join(f"{line}\n" for lines in told for line in lines)


def without(template: Path, gone: set[str]) -> Path:
    """The built template, beside itself, without some resources."""
    made = yaml.safe_load(template.read_text())
    for name in gone:
        del made["Resources"][name]
    copy = template.with_name("deploy.yaml")
    copy.write_text(yaml.safe_dump(made, sort_keys=False))
    return copy


@dataclass(frozen=True, slots=True)
class Given:
    """What a container of a task was told to run."""

    command: list[str]
    environment: dict[str, str]

    @classmethod
    def of_task(cls, deployed: Deployed, arn: str) -> Given:
        """Task definition, secrets and the overrides of RunTask, read back."""
        ecs = deployed.client("ecs")
        (task,) = ecs.describe_tasks(cluster=deployed.resources["Cluster"], tasks=[arn])["tasks"]
        told = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
        (container,) = told["containerDefinitions"]
        (override,) = task["overrides"]["containerOverrides"]
        assert override["name"] == container["name"]
        assert not container.get("secrets"), "fetch them here too"
        pairs = [*container["environment"], *override["environment"]]
        return cls(
            [*container["entryPoint"], *container["command"]],
            {pair["name"]: pair["value"] for pair in pairs},
        )


class Container:
    """The relay as a process, in the place of Fargate. `async with` it; leaving kills what still runs."""

    def __init__(self, given: Given, deployed: Deployed, credentials: str, volume: Path) -> None:
        self.given, self.port = given, free_port()
        python = Path(find_python(PYTHON) or sys.executable).parent
        agent = {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials,
        }
        #: an interface and a volume of its own: these are this machine's
        own = {"RELAY_HOST": "127.0.0.1", "RELAY_PORT": str(self.port), "BUNDLE_DIRECTORY": str(volume)}
        endpoint = {"AWS_ENDPOINT_URL": deployed.url, "AWS_ENDPOINT_URL_LAMBDA": deployed.url}
        own |= {"PATH": f"{python}:/usr/bin:/bin"}
        self.environment = {**given.environment, **agent, **own, **endpoint}
        self.lines: list[str] = []

    async def __aenter__(self) -> Container:
        # Root would become nobody, who cannot read an interpreter below root's home. So it is nobody from the
        # start; that the bootstrap gives up root is tests/infra/test_bootstrap.py's.
        nobody = ["unshare", "-U", "--map-user=65534", "--map-group=65534"] if os.getuid() == 0 else []
        self.process = await asyncio.create_subprocess_exec(
            *nobody,
            *self.given.command,
            env=self.environment,
            cwd="/",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def is_empty(self) -> None:
        """Returns once the last call has ended here too, which is after its client has left."""
        async with asyncio.timeout(30), aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"http://127.0.0.1:{self.port}/health") as answer:
                    if not (await answer.json(content_type=None))["calls"]:
                        return
                await asyncio.sleep(0.05)

    async def stop(self) -> int:
        """SIGTERM, as ECS stops a task. The exit code."""
        self.process.terminate()
        async with asyncio.timeout(30):
            return await self.process.wait()

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self._reading
        WITNESS.logs(self.lines)

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
