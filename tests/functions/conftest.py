"""A deployment in miniature: the real handlers and clients, moto's table and SSM, the edges on loopback."""

import dataclasses
import itertools
import os
import sys
import time
from pathlib import Path

import pytest
from cloudformation import CloudFormation
from deployment import CONTEXT, GEMINI_KEY, JWT_SECRET, ORIGIN, ROUTE_KEY, make_jwt
from edges import Edges
from moto import mock_aws
from shapes import connect_event, message_event
from vms import IMAGE, FakeMicrovms

# Read when the handlers are imported, as in Lambda.
os.environ |= {"LOG_LEVEL": "DEBUG"}

sys.path.append(str(Path(__file__).parent.parent / "records"))
import dynamo

from functions import connect, disconnect, mint, session, sweep
from functions.core.fleet.ecs_launcher import EcsLauncher
from functions.core.fleet.ecs_tasks import EcsTasks
from functions.core.fleet.homes import HomeLauncher
from functions.core.fleet.microvms import MicrovmDoor, MicrovmLauncher, MicrovmList
from functions.core.runtime import aws
from records import relays
from tests import dialect

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "JWT_SECRET_PARAMETER": "/test/jwt",
    "ALLOWED_ORIGINS": ORIGIN,
    "MEDIA_URL": "wss://media.example",
    "ROUTE_KEY_PARAMETER": "/test/route",
    "MINT_FUNCTION": "test-mint",
    "CLUSTER": "arn:cluster",
    "RELAY_TASK_DEFINITION": "relay:7",
    "RELAY_SUBNETS": "subnet-a, subnet-b",
    "RELAY_SECURITY_GROUP": "sg-1",
    "RELAY_REVISION": "relay:7",
    "RELAY_CAPACITY": "5",
    "GEMINI_KEY_PARAMETER": "/test/gemini",
}


_names = (f"functions-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def edges_server():
    """The edges, moto around them, and the clients that the handlers keep."""
    edges = Edges()
    dynamo.make_atomic()
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv("GEMINI_MODEL", dialect.parameters()["GeminiModel"])
        patch.setenv("CONNECTIONS_URL", f"{edges.url}/v1")
        patch.setenv("AWS_ENDPOINT_URL_ECS", edges.url)
        patch.setenv("GEMINI_URL", edges.url)
        for name, value in (("jwt", JWT_SECRET), ("route", ROUTE_KEY), ("gemini", GEMINI_KEY)):
            aws.client("ssm").put_parameter(Name=f"/test/{name}", Value=value, Type="SecureString")
        yield edges
        for client in (*map(aws.client, ("dynamodb", "ssm", "ecs")), aws.gateway(f"{edges.url}/v1")):
            client.close()
        for made in (aws.client, aws.gateway, aws.table):
            made.cache_clear()
    edges.close()


@pytest.fixture
def edges(edges_server):
    edges_server.reset()
    return edges_server


@pytest.fixture
def cloudformation():
    made = CloudFormation()
    yield made
    made.close()


class Clock:
    """The wall clock of `session` and `mint`, moved by hand."""

    def __init__(self):
        self.now = float(int(time.time()))

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table(edges, clock, monkeypatch):
    """A deployment that has just been made, and its table."""
    name = next(_names)
    monkeypatch.setenv("TABLE_NAME", name)
    dynamo.make_table(aws.client("dynamodb"), name)
    for made in (connect.config, connect.keys, disconnect.config, session.ports, mint.mint, sweep.ports):
        made.cache_clear()
    ports = dataclasses.replace(
        session.ports(), clock=clock, model_refusal=lambda session: "", mint_ahead=lambda session, now: None
    )
    minting = dataclasses.replace(mint.mint(), clock=clock)
    ports.replies.pause = ports.table.pause = lambda _: None
    monkeypatch.setattr(session, "ports", lambda: ports)
    monkeypatch.setattr(mint, "mint", lambda: minting)
    sweeping = dataclasses.replace(sweep.ports(), clock=clock)
    monkeypatch.setattr(sweep, "ports", lambda: sweeping)
    return ports.table


@pytest.fixture
def limits(table, monkeypatch):
    """Changes the user's limits."""

    def change(**limits):
        ports = session.ports()
        changed = dataclasses.replace(ports.config.limits, **limits)
        ports = dataclasses.replace(ports, config=dataclasses.replace(ports.config, limits=changed))
        monkeypatch.setattr(session, "ports", lambda: ports)

    return change


class Client:
    """One control connection, through the real handlers."""

    def __init__(self, edges, connection, **claims):
        self.edges = edges
        self.connection = connection
        token = make_jwt(**claims)
        event = connect_event(
            connection, Sec_WebSocket_Protocol=f"vivavoce, vivavoce.jwt.{token}", Origin=ORIGIN
        )
        self.admitted = connect.handler(event, CONTEXT)

    def send(self, **message):
        """The replies to one message, in the order they were posted."""
        return self.send_text(message)

    def send_text(self, body):
        assert session.handler(message_event(self.connection, body), CONTEXT) == {"statusCode": 200}
        return self.replies()

    def replies(self):
        return self.edges.take(self.connection)

    def start(self, request="request-1", **fields):
        return self.send(type="start", request=request, versions=[1], **fields)

    def resume(self, offer, **fields):
        return self.send(type="resume", session=offer["session"], resume_key=offer["resume_key"], **fields)


@pytest.fixture
def connected(edges, table):
    """Opens control connections."""
    count = iter(range(1, 1000))

    def open_one(user="ada", **claims):
        client = Client(edges, f"conn{next(count)}=", user=user, **claims)
        assert client.admitted["statusCode"] == 200
        return client

    return open_one


@pytest.fixture
def relay(table, clock):
    """Makes relays as their tasks would."""

    def make(relay="r1", slot="0", revision="relay:7", capacity=5, ready=True):
        now = int(clock())
        relays.register(table, relay, slot=slot, revision=revision, capacity=capacity, now=now)
        if ready:
            relays.ready(table, relay, f"{relay}.example:8080", now)
        return relay

    return make


@pytest.fixture
def homes(table, clock, monkeypatch):
    """Gives the deployment homes, in the order in which they are tried, and sleeping relays."""
    task = session.ports().config.relay.task

    def give(*homes, sleeping=0):
        fake = FakeMicrovms(clock)
        ports, sweeping = session.ports(), sweep.ports()
        relay = dataclasses.replace(
            ports.config.relay,
            homes=homes,
            task=task if "fargate" in homes else None,
            microvm=IMAGE if "microvm" in homes else None,
        )
        launchers = {
            "fargate": EcsLauncher(aws.client("ecs"), task, relay.resume_s),
            "microvm": MicrovmLauncher(fake, IMAGE, relay.resume_s),
        }
        launcher = HomeLauncher({home: launchers[home] for home in homes})
        ports = dataclasses.replace(
            ports,
            launcher=launcher,
            config=dataclasses.replace(ports.config, relay=relay),
            admittance=MicrovmDoor(fake, IMAGE) if "microvm" in homes else None,
        )
        sweeping = dataclasses.replace(
            sweeping,
            launcher=launcher,
            config=dataclasses.replace(sweeping.config, relay=relay, sleeping_relays=sleeping),
            tasks=EcsTasks(aws.client("ecs"), task.cluster) if "fargate" in homes else None,
            vms=MicrovmList(fake, IMAGE.image, lambda _: None) if "microvm" in homes else None,
        )
        monkeypatch.setattr(session, "ports", lambda: ports)
        monkeypatch.setattr(sweep, "ports", lambda: sweeping)
        return fake

    return give
