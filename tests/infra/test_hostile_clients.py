"""Clients that mean harm: the emulator closes them, forgets them, and serves the others."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from infra.local.connections import Limits
from infra.local.gateway import Gateway, Options
from tests.infra.stand_ins import OpenGateway, RawClient, RawConnect, raw_frame, upgrade

PING, PONG, TEXT, CONTINUATION = 9, 10, 1, 0


async def flood(client: RawClient, frame: bytes, count: int) -> None:
    """Sends `frame` again and again until the gateway has had enough."""
    try:
        for _ in range(count // 500):
            client.writer.write(frame * 500)
            await client.writer.drain()
    except ConnectionError:
        pass


async def is_served(gateway: Gateway) -> bool:
    """Whether a polite client still gets through."""
    async with connect(gateway.url) as client:
        await client.send("{}")
        return client.state.name == "OPEN"


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_flood_of_pings_is_closed_with_1008(
    open_gateway: OpenGateway, raw_connect: RawConnect, opcode: int
) -> None:
    async with open_gateway() as (gateway, _), raw_connect(gateway) as client:
        await flood(client, raw_frame(opcode), 2000)
        assert await client.close_code() == 1008
        assert await is_served(gateway)


@pytest.mark.looptime
async def test_pongs_that_are_not_read_pile_up_to_one_socket_read_at_most(
    open_gateway: OpenGateway, raw_connect: RawConnect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_gateway() as (gateway, functions), raw_connect(gateway) as client:
        (peer,) = gateway.connections.values()
        piled_up = []

        def send_data(send: Callable[[], None] = peer.send_data) -> None:
            send()
            piled_up.append(peer.transport.get_write_buffer_size())

        monkeypatch.setattr(peer, "send_data", send_data)
        peer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.writer.write(raw_frame(PING, b"x" * 125) * 40_000)  # 5 MB, and nothing is read
        await functions.wait_for("$disconnect")
        assert 0 < max(piled_up) <= 256 * 1024  # asyncio reads 256 KB at a time
        assert gateway.connections == {}


async def test_a_ping_now_and_then_is_answered(open_gateway: OpenGateway, raw_connect: RawConnect) -> None:
    async with open_gateway() as (gateway, _), raw_connect(gateway) as client:
        for number in range(100):
            await client.frame(PING, b"%d" % number)
            assert await client.received() == (PONG, b"%d" % number)


async def test_endless_empty_fragments_are_closed_with_1009(
    open_gateway: OpenGateway, raw_connect: RawConnect
) -> None:
    async with open_gateway() as (gateway, functions), raw_connect(gateway) as client:
        await client.frame(TEXT, fin=False)
        await flood(client, raw_frame(CONTINUATION, fin=False), 5000)
        assert await client.close_code() == 1009
        assert functions.of("$default") == []
        assert await is_served(gateway)


async def test_a_message_of_some_fragments_passes(open_gateway: OpenGateway, raw_connect: RawConnect) -> None:
    async with open_gateway() as (gateway, functions), raw_connect(gateway) as client:
        await client.frame(TEXT, b"a", fin=False)
        for _ in range(998):
            await client.frame(CONTINUATION, b"a", fin=False)
        await client.frame(CONTINUATION, b"a")
        (event,) = await functions.wait_for("$default")
    assert event["body"] == "a" * 1000


async def test_a_client_is_not_read_while_too_many_of_its_messages_are_worked_on(
    open_gateway: OpenGateway,
) -> None:
    gate = asyncio.Event()
    options = Options(Limits(in_flight=3))
    async with (
        open_gateway({"$default": lambda _: gate.wait()}, options) as (gateway, functions),
        connect(gateway.url) as client,
    ):
        for _ in range(10):
            await client.send("{}")
        await functions.wait_for("$default", 3)
        assert await is_served(gateway)
        assert len(functions.of("$default")) == 3 + 1
        gate.set()
        assert len(await functions.wait_for("$default", 11)) == 11


@pytest.mark.looptime
async def test_a_client_that_says_goodbye_but_keeps_the_socket_is_let_go(
    open_gateway: OpenGateway, raw_connect: RawConnect
) -> None:
    async with open_gateway() as (gateway, functions), raw_connect(gateway) as client:
        await client.frame(8, (1000).to_bytes(2))
        assert (await client.received())[0] == 8
        (event,) = await functions.wait_for("$disconnect")  # within close_s: nothing else ends it
    assert event["requestContext"]["disconnectStatusCode"] == 1000
    assert asyncio.get_running_loop().time() <= 5.1


@pytest.mark.looptime
async def test_a_client_that_is_closed_but_keeps_the_socket_is_let_go(
    open_gateway: OpenGateway, raw_connect: RawConnect
) -> None:
    async with open_gateway() as (gateway, functions), raw_connect(gateway) as client:
        await client.frame(2, b"binary")
        (event,) = await functions.wait_for("$disconnect")
        assert await client.close_code() == 1003
    assert event["requestContext"]["disconnectStatusCode"] == 1003


@pytest.mark.looptime
async def test_a_handshake_that_never_ends_is_given_up(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, _):
        port = int(gateway.url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /v1 HTTP/1.1\r\nHost: g\r\n")
        assert await reader.read() == b""
        assert asyncio.get_running_loop().time() <= 46
        writer.close()
        await writer.wait_closed()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=400))
async def test_whatever_comes_after_the_handshake_others_are_served(
    open_gateway: OpenGateway, raw_connect: RawConnect, data: bytes
) -> None:
    async with open_gateway() as (gateway, _):
        async with raw_connect(gateway) as client:
            client.writer.write(data)
            client.writer.write_eof()
            try:
                await client.reader.read()
            except ConnectionError:
                pass
        assert await is_served(gateway)


async def test_the_gateway_ends_at_once_whoever_is_connected(
    open_gateway: OpenGateway, raw_connect: RawConnect
) -> None:
    async with AsyncExitStack() as clients:
        async with open_gateway({"$default": lambda _: asyncio.Event().wait()}) as (gateway, functions):
            silent = await clients.enter_async_context(raw_connect(gateway))
            busy = await clients.enter_async_context(raw_connect(gateway))
            await busy.frame(TEXT, b"{}")
            await functions.wait_for("$default")
            started = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - started < 2
        for client in (silent, busy):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.received()


@pytest.mark.parametrize("sent", [upgrade("/v1"), b"GET /v1 HTT", b""])
async def test_the_gateway_ends_at_once_during_a_handshake(open_gateway: OpenGateway, sent: bytes) -> None:
    async with open_gateway({"$connect": lambda _: asyncio.Event().wait()}) as (gateway, functions):
        port = int(gateway.url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        if sent.endswith(b"\r\n\r\n"):
            await functions.wait_for("$connect")
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < 2
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.transport.abort()
