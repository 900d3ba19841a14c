"""The stack is deployed by `sam deploy` into MiniStack, and somebody talks to it.

What is real: SAM CLI and its changeset, CloudFormation's order and references, the custom resource with its
signatures, the bundles of `sam build` (for this machine's processor) as functions, the WebSocket API with its
routes, RunTask's request, the published layer, the bootstrap, the relay. What is not: tests/aws/gaps.py.
Policies are not enforced here (the emulator knows no SigV4A, which the edge's store is written with): that is
test_privileges.py.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

import simulator
from infra.deploy.bundle import PYTHON, find_python
from infra.local.edge import Edge
from infra.local.endpoint import Endpoint, listen, url_of
from infra.local.front import Front
from protocol import media
from protocol.control import Starting
from records import relays
from records.table import Table
from simulator.audio import tones
from simulator.audio.similarity import similarity
from simulator.speech.samples import SHIPPED
from tests.aws.conftest import Run
from tests.aws.deployed import Container, Deployed, Given, without
from tests.aws.emulator import MINISTACK, STACK, free_port, serving
from tests.aws.gaps import GAPS, NAMES, REFUSED, accepts
from tests.aws.names import names
from tests.e2e.talk import User, user
from vivavoce import Conversation, Options, VoiceError
from vivavoce.wavefile import read_wav

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(900)]
QUESTION = read_wav(SHIPPED / "question.wav")


@dataclass
class Cloud:
    """A deployed stack, and what is not AWS around it."""

    deployed: Deployed
    simulator: simulator.Running
    volumes: Path
    outward: set[str]  #: what functions and relay were told of AWS's own names


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cloud(sam: Run, native: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cloud]:
    if not MINISTACK.exists() or find_python(PYTHON) is None:
        pytest.skip(f"needs MiniStack (make aws-check installs it) on Python {PYTHON}")
    place = tmp_path_factory.mktemp("cloud")
    template = without(native / "template.yaml", set(REFUSED))
    port, listener = free_port(), listen()
    media_url = url_of(listener, "ws")
    async with AsyncExitStack() as parts:
        parts.callback(listener.close)
        proxy = parts.enter_context(names(f"http://127.0.0.1:{port}"))
        own = {"AUTH": "false", "TMPDIR": str(place), "HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1"}
        store = {"AWS_ENDPOINT_URL_CLOUDFRONT_KEYVALUESTORE": "http://cloudfront-kvs.global.api.aws"}
        deployed = Deployed(parts.enter_context(serving(port, **own, **store)))
        model = await parts.enter_async_context(simulator.serve())
        where = {"GeminiUrl": model.url, "MediaUrl": media_url}
        await asyncio.to_thread(deployed.deploy, sam, template, **where)
        outward = await asyncio.to_thread(deployed.outward)
        await asyncio.to_thread(deployed.point_replies_here)
        keys = await asyncio.to_thread(deployed.edge_keys)
        await parts.enter_async_context(
            Front(listener, {"r": Edge(deployed.read_route, keys["origin"]).attend})
        )
        yield Cloud(deployed, model, place, outward)


@asynccontextmanager
async def credentials(deployed: Deployed) -> AsyncIterator[str]:
    """The address at which a task finds what its role may do."""
    role = deployed.client("iam").get_role(RoleName=deployed.resources["RelayRole"])["Role"]["Arn"]
    assumed = deployed.client("sts").assume_role(RoleArn=role, RoleSessionName="task")["Credentials"]
    held = {"AccessKeyId": assumed["AccessKeyId"], "SecretAccessKey": assumed["SecretAccessKey"]}
    held |= {"Token": assumed["SessionToken"], "Expiration": assumed["Expiration"].isoformat()}

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(held)

    app = web.Application()
    app.router.add_get("/credentials", answer)
    async with Endpoint(app, listen()) as endpoint:
        yield f"{endpoint.url}/credentials"


class Fargate:
    """Starts what RunTask was asked for, once a client is told that a relay is starting."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.asked = cloud, asyncio.Event()
        self.container: Container | None = None
        self.task: dict[str, Any] = {}

    def watch(self, stage: Starting) -> None:
        if stage.stage == "relay":
            self.asked.set()

    async def run(self, talk: Any) -> int:
        """Starts the relay and awaits `talk(container)`; then the task is stopped. Its exit code."""
        await self.asked.wait()
        deployed = self.cloud.deployed
        self.task = await asyncio.to_thread(self._find)
        given = await asyncio.to_thread(Given.of_task, deployed, self.task["taskArn"])
        volume = self.cloud.volumes / "bundle"
        volume.mkdir()
        async with (
            credentials(deployed) as whose,
            Container(given, deployed, whose, volume) as self.container,
        ):
            await talk.wait()
            await self.container.is_empty()
            return await self.container.stop()

    def _find(self) -> dict[str, Any]:
        ecs, cluster = self.cloud.deployed.client("ecs"), self.cloud.deployed.resources["Cluster"]
        (arn,) = ecs.list_tasks(cluster=cluster)["taskArns"]
        (task,) = ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
        return dict(task)


async def test_somebody_talks_to_what_was_deployed(cloud: Cloud) -> None:
    fargate, over = Fargate(cloud), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(fargate.run(over))
        async with user(cloud.deployed, options=Options(on_starting=fargate.watch)) as visitor:  # type: ignore[arg-type]
            await visitor.microphone.say(QUESTION)
            await visitor.until(media.TurnEnded, count=2)
            await visitor.speaker.is_silent.wait()
        over.set()
    assert running.result() == 0, "SIGTERM ends a relay without a call at once, and well"
    heard_the_answer(cloud, visitor)
    (turn,) = await asyncio.to_thread(cloud.deployed.turns, visitor.call.session)
    assert (turn.user_text, turn.agent_text) == (visitor.said("user"), visitor.said("agent"))
    await asyncio.to_thread(was_started_as_asked, cloud, fargate)


def heard_the_answer(cloud: Cloud, visitor: User) -> None:
    (answer,) = cloud.simulator.ledger.where("answer.begun")[-1:]
    assert tones.decode(bytes(visitor.heard)) == answer["code"]
    assert similarity(QUESTION, bytes(visitor.heard)) > 0.9
    assert visitor.said("user") == "Could you tell me when the next train leaves?"


def was_started_as_asked(cloud: Cloud, fargate: Fargate) -> None:
    deployed, container, task = cloud.deployed, fargate.container, fargate.task
    assert container is not None
    given = container.given.environment
    relay = given["RELAY_ID"]
    assert task["startedBy"] == f"relay-{relay}" and task["launchType"] == "FARGATE"
    assert given["TABLE_NAME"] == deployed.outputs["TableName"]
    (layer,) = deployed.client("lambda").list_layer_versions(LayerName=f"{STACK}-relay")["LayerVersions"]
    assert given["RELAY_BUNDLE"] == layer["LayerVersionArn"]
    assert container.given.command[-3:] == ["python", "-m", "relay"]
    assert (cloud.volumes / "bundle/python/relay/__main__.py").is_file(), "it ran from the published layer"
    assert any('"relay ready"' in line for line in container.lines)
    assert relays.pool(Table(deployed.client("dynamodb"), given["TABLE_NAME"])).slots == {}, "it has left"


async def test_the_custom_resource_told_the_edge_its_keys(cloud: Cloud) -> None:
    keys = await asyncio.to_thread(cloud.deployed.edge_keys)
    ssm = cloud.deployed.client("ssm")
    kept = ssm.get_parameter(Name=f"/{STACK}/route-key", WithDecryption=True)["Parameter"]["Value"]
    assert keys["route"]["current"] in kept and len(keys["route"]["current"]) >= 43
    assert len(keys["origin"]) >= 43


async def test_only_cloudfronts_addresses_reach_a_relay(cloud: Cloud) -> None:
    """The custom resource found their list, which each region names differently."""
    group, ec2 = cloud.deployed.resources["RelaySecurityGroup"], cloud.deployed.client("ec2")
    (told,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    (rule,) = told["IpPermissions"]
    (given,) = rule["PrefixListIds"]
    filters = [{"Name": "prefix-list-id", "Values": [given["PrefixListId"]]}]
    (found,) = ec2.describe_managed_prefix_lists(Filters=filters)["PrefixLists"]
    assert found["PrefixListName"] == "com.amazonaws.global.cloudfront.origin-facing"
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (8080, 8080, [])


async def test_the_page_is_deployed_and_knows_the_control_road(cloud: Cloud) -> None:
    def get(path: str) -> tuple[int, bytes]:
        asked = {"rawPath": path, "requestContext": {"http": {"method": "GET"}}}
        name = cloud.deployed.resources["PageFunction"]
        ran = cloud.deployed.client("lambda").invoke(FunctionName=name, Payload=json.dumps(asked).encode())
        told = json.loads(ran["Payload"].read())
        return told["statusCode"], base64.b64decode(told["body"])

    status, config = await asyncio.to_thread(get, "/config.json")
    assert (status, json.loads(config)) == (200, {"url": cloud.deployed.outputs["ControlUrl"]})
    status, top = await asyncio.to_thread(get, "/")
    assert status == 200 and b"<!doctype html>" in top


async def test_nobody_comes_in_without_a_good_token(cloud: Cloud) -> None:
    with pytest.raises(VoiceError):
        async with Conversation(cloud.deployed.control, "no token"):
            pass


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_left_out_is_still_refused(name: str, cloud: Cloud) -> None:
    assert not await asyncio.to_thread(accepts, cloud.deployed, name), "the gap has closed: deploy it too"


async def test_what_is_not_left_out_is_accepted_alone(cloud: Cloud) -> None:
    """Else the test above would hold for anything."""
    assert await asyncio.to_thread(accepts, cloud.deployed, "MintFailuresAlarm")


@pytest.mark.parametrize("name", GAPS)
async def test_a_gap_is_still_there(name: str, cloud: Cloud) -> None:
    closed = await asyncio.to_thread(GAPS[name].closed, cloud.deployed)
    assert not closed, f"the gap has closed: {GAPS[name].what}. Take out: {GAPS[name].instead}"


async def test_what_leads_to_aws_itself_is_listed(cloud: Cloud) -> None:
    assert cloud.outward == set(NAMES)


async def test_taking_it_down_leaves_nothing_but_the_key_that_was_brought(cloud: Cloud, sam: Run) -> None:
    """The last of this file. The keys that the deployment made are the custom resource's to remove."""
    deployed = cloud.deployed
    own = {"/viva/route-key", "/viva/origin-secret", "/viva/jwt-secret"}
    assert await asyncio.to_thread(parameters, deployed) == own | {"/vivavoce/gemini-api-key"}
    tasks = await asyncio.to_thread(running_tasks, deployed)
    assert tasks, "the emulator's ECS holds the task of the conversation for running"
    await asyncio.to_thread(deployed.take_down, sam)
    assert not set(tasks) & set(await asyncio.to_thread(running_tasks, deployed))
    assert await asyncio.to_thread(parameters, deployed) == {"/vivavoce/gemini-api-key"}
    assert deployed.client("dynamodb").list_tables()["TableNames"] == []
    assert deployed.client("lambda").list_functions()["Functions"] == []
    assert deployed.client("lambda").list_layers()["Layers"] == []
    assert deployed.client("logs").describe_log_groups()["logGroups"] == []


def running_tasks(deployed: Deployed) -> list[str]:
    """Of every cluster."""
    ecs = deployed.client("ecs")
    clusters = ecs.list_clusters()["clusterArns"]
    return [arn for cluster in clusters for arn in ecs.list_tasks(cluster=cluster)["taskArns"]]


def parameters(deployed: Deployed) -> set[str]:
    return {each["Name"] for each in deployed.client("ssm").describe_parameters()["Parameters"]}
