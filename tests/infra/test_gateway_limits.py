"""API Gateway's documented limits, one test for each, on the emulator with stand-in functions.

Times are virtual: ten minutes pass in milliseconds.
"""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from infra.local.connections import Limits
from infra.local.gateway import Options
from tests.infra.stand_ins import OpenGateway, RawConnect, closing, refusal

KIB = 1024


async def test_a_binary_message_closes_with_1003(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions):
        async with connect(gateway.url) as client:
            await client.send(b"\x00\x01")
            assert (await closing(client))[0] == 1003
        (event,) = await functions.wait_for("$disconnect")
    assert event["requestContext"]["disconnectStatusCode"] == 1003
    assert functions.of("$default") == []


async def test_a_message_of_129_kb_closes_with_1009(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions), connect(gateway.url) as client:
        with pytest.raises(ConnectionClosed):
            await client.send(["x" * (32 * KIB)] * 4 + ["x" * KIB])
            await client.recv()
        assert (await closing(client))[0] == 1009
    assert functions.of("$default") == []


async def test_a_frame_over_32_kb_closes_with_1009(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions), connect(gateway.url) as client:
        await client.send("x" * (32 * KIB + 1))
        assert (await closing(client))[0] == 1009
    assert functions.of("$default") == []


async def test_128_kb_in_frames_of_32_kb_pass(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions), connect(gateway.url) as client:
        await client.send(["x" * (32 * KIB)] * 4)
        (event,) = await functions.wait_for("$default")
    assert len(event["body"]) == 128 * KIB


async def test_text_that_is_not_utf8_closes_with_1007(
    open_gateway: OpenGateway, raw_connect: RawConnect
) -> None:
    async with open_gateway() as (gateway, _), raw_connect(gateway) as client:
        await client.frame(1, b"\xff\xfe")
        assert await client.close_code() == 1007


@pytest.mark.looptime
async def test_ten_idle_minutes_close_with_1001(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions):
        async with connect(gateway.url, ping_interval=None) as client:
            assert await closing(client) == (1001, "Going away")
            assert asyncio.get_running_loop().time() == pytest.approx(600, abs=1)
        (event,) = await functions.wait_for("$disconnect")
    told = event["requestContext"]
    assert (told["disconnectStatusCode"], told["disconnectReason"]) == (1001, "Going away")


@pytest.mark.looptime
@pytest.mark.parametrize("direction", ["client", "server"])
async def test_a_message_in_either_direction_starts_the_idle_time_anew(
    open_gateway: OpenGateway, direction: str
) -> None:
    async with open_gateway() as (gateway, functions), connect(gateway.url, ping_interval=None) as client:
        await asyncio.sleep(599)
        if direction == "client":
            await client.send("{}")
            await functions.wait_for("$default")
        else:
            (peer,) = gateway.connections.values()
            peer.post("{}")
            await client.recv()
        assert (await closing(client))[0] == 1001
        assert asyncio.get_running_loop().time() == pytest.approx(599 + 600, abs=1)


@pytest.mark.looptime
async def test_two_hours_close_with_1001_however_busy(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, _), connect(gateway.url, ping_interval=None) as client:

        async def talk() -> None:
            while True:
                await client.send("{}")
                await asyncio.sleep(300)

        with pytest.raises(ConnectionClosed):
            await talk()
        assert (await closing(client))[0] == 1001
        assert 7200 <= asyncio.get_running_loop().time() <= 7500


async def test_over_the_accounts_rate_messages_close_with_1008_and_connects_are_429(
    open_gateway: OpenGateway,
) -> None:
    options = Options(Limits(rate_per_s=0.001, burst=2))  # one connect, one message
    async with open_gateway({}, options) as (gateway, functions):
        async with connect(gateway.url) as client:
            await client.send("{}")
            await functions.wait_for("$default")
            await client.send("{}")
            assert (await closing(client))[0] == 1008
        assert (await refusal(gateway.url))[0] == 429
    assert len(functions.of("$default")) == 1
