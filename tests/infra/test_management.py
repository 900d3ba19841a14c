"""The @connections API, through the boto3 client that functions use."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from websockets.asyncio.client import connect

from infra.local.connections import Limits
from infra.local.endpoint import Endpoint, listen, signed_only
from infra.local.gateway import Gateway, Options
from infra.local.management import management_app
from infra.local.region import Region
from tests.infra.stand_ins import OpenGateway, RawConnect

KIB = 1024


class Connections:
    """boto3's apigatewaymanagementapi client, awaitable."""

    def __init__(self, url: str, access_key: str) -> None:
        self.client = Region("us-east-1", url, {}, access_key).client("apigatewaymanagementapi")

    async def call(self, name: str, **given: Any) -> Any:
        return await asyncio.to_thread(getattr(self.client, name), **given)

    async def post(self, id: str, data: bytes) -> Any:
        return await self.call("post_to_connection", ConnectionId=id, Data=data)

    async def refused(self, name: str, **given: Any) -> tuple[int, str]:
        with pytest.raises(ClientError) as refusal:
            await self.call(name, **given)
        answer: Any = refusal.value.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@asynccontextmanager
async def management(gateway: Gateway) -> AsyncIterator[Connections]:
    app = management_app(gateway, signed_only("KEY"))
    async with Endpoint(app, listen()) as endpoint:
        connections = Connections(f"{endpoint.url}/{gateway.stage}", "KEY")
        yield connections
        connections.client.close()


def only(gateway: Gateway) -> str:
    (id,) = gateway.connections
    return id


async def test_a_post_reaches_the_client_as_text(open_gateway: OpenGateway) -> None:
    async with (
        open_gateway() as (gateway, _),
        management(gateway) as connections,
        connect(gateway.url) as client,
    ):
        await connections.post(only(gateway), '{"type":"ready","ü":1}'.encode())
        assert await client.recv() == '{"type":"ready","ü":1}'


async def test_bytes_that_are_not_utf8_are_replaced(open_gateway: OpenGateway) -> None:
    async with (
        open_gateway() as (gateway, _),
        management(gateway) as connections,
        connect(gateway.url) as client,
    ):
        await connections.post(only(gateway), b"a\xffb")
        assert await client.recv() == "a\N{REPLACEMENT CHARACTER}b"


async def test_a_post_goes_out_in_frames_of_at_most_32_kb(
    open_gateway: OpenGateway, raw_connect: RawConnect
) -> None:
    async with (
        open_gateway() as (gateway, _),
        management(gateway) as connections,
        raw_connect(gateway) as client,
    ):
        await connections.post(only(gateway), b"x" * (128 * KIB))
        frames = [await client.received() for _ in range(4)]
    assert [(opcode, len(payload)) for opcode, payload in frames] == [(1, 32 * KIB)] + [(0, 32 * KIB)] * 3


async def test_a_post_over_128_kb_is_413(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, _), management(gateway) as connections, connect(gateway.url):
        # boto3 itself would refuse it (the model's maximum), so the check is switched off.
        connections.client.meta.config.parameter_validation = False
        big = b"x" * (128 * KIB + 1)
        status, code = await connections.refused("post_to_connection", ConnectionId=only(gateway), Data=big)
    assert (status, code) == (413, "PayloadTooLargeException")


@pytest.mark.parametrize("name", ["post_to_connection", "get_connection", "delete_connection"])
async def test_a_gone_connection_is_410(open_gateway: OpenGateway, name: str) -> None:
    data = {"Data": b"x"} if name == "post_to_connection" else {}
    async with open_gateway() as (gateway, functions), management(gateway) as connections:
        async with connect(gateway.url):
            id = only(gateway)
        await functions.wait_for("$disconnect")
        assert await connections.refused(name, ConnectionId=id, **data) == (410, "GoneException")
        assert await connections.refused(name, ConnectionId="never=", **data) == (410, "GoneException")


async def test_a_post_from_inside_connect_is_410(open_gateway: OpenGateway) -> None:
    codes = []

    async def connecting(event: dict[str, Any]) -> dict[str, int]:
        id = event["requestContext"]["connectionId"]
        codes.append(await connections.refused("post_to_connection", ConnectionId=id, Data=b"x"))
        return {"statusCode": 200}

    async with (
        open_gateway({"$connect": connecting}) as (gateway, _),
        management(gateway) as connections,
        connect(gateway.url),
    ):
        assert codes == [(410, "GoneException")]


async def test_over_the_accounts_rate_it_is_429(open_gateway: OpenGateway) -> None:
    options = Options(Limits(rate_per_s=0.001, burst=2))  # one connect, one post
    async with (
        open_gateway({}, options) as (gateway, _),
        management(gateway) as connections,
        connect(gateway.url) as client,
    ):
        await connections.post(only(gateway), b"1")
        refused = await connections.refused("post_to_connection", ConnectionId=only(gateway), Data=b"2")
        assert await client.recv() == "1"
    assert refused == (429, "LimitExceededException")


async def test_a_client_that_does_not_read_makes_posts_429_and_not_memory(
    open_gateway: OpenGateway, raw_connect: RawConnect
) -> None:
    async with open_gateway() as (gateway, _), management(gateway) as connections, raw_connect(gateway):
        (peer,) = gateway.connections.values()
        # Small socket buffers, so that a few posts fill them.
        peer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        refused = None
        for _ in range(200):
            try:
                await connections.post(only(gateway), b"x" * (128 * KIB))
            except ClientError as error:
                refused = error.response["Error"]["Code"]
                break
        assert refused == "LimitExceededException"
        assert peer.transport.get_write_buffer_size() <= (256 + 129) * KIB


async def test_get_tells_when_and_who(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions), management(gateway) as connections:
        async with connect(gateway.url, user_agent_header="Probe/1"):
            told = await connections.call("get_connection", ConnectionId=only(gateway))
        (event,) = functions.of("$connect")
    assert told["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "Probe/1"}
    opened = event["requestContext"]["connectedAt"] / 1000
    assert told["ConnectedAt"].timestamp() == int(opened)
    assert told["LastActiveAt"] >= told["ConnectedAt"]


async def test_delete_closes_the_connection(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions), management(gateway) as connections:
        async with connect(gateway.url) as client:
            answer = await connections.call("delete_connection", ConnectionId=only(gateway))
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
            await client.wait_closed()
        assert await functions.wait_for("$disconnect")


async def test_an_unsigned_call_or_another_key_is_403(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, _):
        app = management_app(gateway, signed_only("KEY"))
        async with Endpoint(app, listen()) as endpoint, connect(gateway.url):
            stranger = Connections(f"{endpoint.url}/v1", "OTHER")
            refused = await stranger.refused("post_to_connection", ConnectionId=only(gateway), Data=b"x")
            stranger.client.close()
    assert refused == (403, "MissingAuthenticationTokenException")
