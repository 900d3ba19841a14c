"""The edge follows a signed route and then only copies bytes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from infra.local.edge import CONNECT_S, Dead, Edge
from infra.local.endpoint import listen, url_of
from infra.local.front import Front
from records.routes import read_route, sign_route
from tests.infra.stand_ins import upgrade

KEY = b"k" * 32
SOON = int(time.time()) + 86_400  # from when the suite began to be collected


def edge(secret: str = "", dead: Dead = "refuses") -> Front:
    """An edge and nothing else behind a front of its own."""
    return Front(listen(), {"r": Edge(partial(read_route, KEY), secret, dead).attend})


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def address(port: int) -> str:
    return f"127.0.0.1:{port}"


async def status(url: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url):
            pass
    return refused.value.response.status_code


async def test_a_websocket_passes_through_with_its_headers_and_subprotocol() -> None:
    seen: list[str] = []

    async def relay(connection: ServerConnection) -> None:
        assert connection.request
        headers = connection.request.headers
        seen.extend((connection.request.path, headers["Origin"], headers["Authorization"]))
        await echo(connection)

    async with serve(relay, "127.0.0.1", 0, subprotocols=["vivavoce"]) as server, edge() as e:
        path = sign_route(KEY, "s1", address(server.sockets[0].getsockname()[1]), SOON)
        offered = ["vivavoce", "vivavoce.ticket.abc"]
        named = {"Authorization": "Bearer native"}
        async with connect(
            e.url + path, subprotocols=offered, origin="https://o.example", additional_headers=named
        ) as client:
            assert client.subprotocol == "vivavoce"
            for message in (b"\x00" * 648, "text", b"x" * 900_000):
                await client.send(message)
                assert await client.recv() == message
    assert seen == [path, "https://o.example", "Bearer native"]


async def test_a_close_and_its_code_pass_through() -> None:
    async def relay(connection: ServerConnection) -> None:
        await connection.close(4401, "ticket")

    async with serve(relay, "127.0.0.1", 0) as server, edge() as e:
        path = sign_route(KEY, "s1", address(server.sockets[0].getsockname()[1]), SOON)
        async with connect(e.url + path) as client:
            await client.wait_closed()
            assert (client.close_code, client.close_reason) == (4401, "ticket")


async def test_a_wrong_signature_or_an_expired_route_is_403() -> None:
    async with edge() as e:
        assert await status(e.url + sign_route(b"x" * 32, "s1", "127.0.0.1:1", SOON)) == 403
        assert await status(e.url + sign_route(KEY, "s1", "127.0.0.1:1", int(time.time()) - 1)) == 403
        assert await status(e.url + "/elsewhere") == 403


async def test_a_rebound_name_is_403_however_good_the_route() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, edge() as e:
        path = sign_route(KEY, "s1", address(server.sockets[0].getsockname()[1]), SOON)
        for host, answer in (("evil.example", 403), ("localhost:1", 101)):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(e.url.rpartition(":")[2]))
            writer.write(upgrade(path).replace(b"Host: localhost", f"Host: {host}".encode()))
            assert (await reader.readline()).startswith(f"HTTP/1.1 {answer} ".encode())
            writer.transport.abort()


async def test_an_unreachable_task_is_502_and_no_address_is_403() -> None:
    free = listen()
    port = free.getsockname()[1]
    free.close()
    async with edge() as e:
        assert await status(e.url + sign_route(KEY, "s1", address(port), SOON)) == 502
        assert await status(e.url + sign_route(KEY, "s1", "no port", SOON)) == 403


@pytest.mark.looptime
@pytest.mark.parametrize(("dead", "waits_s", "answer"), [("refuses", 0, 502), ("silent", CONNECT_S, 504)])
async def test_a_dead_address_refuses_at_once_or_answers_nothing_as_is_wished(
    dead: Dead, waits_s: float, answer: int
) -> None:
    free = listen()
    path = sign_route(KEY, "s1", address(free.getsockname()[1]), SOON)
    free.close()
    now = asyncio.get_running_loop().time
    async with edge(dead=dead) as e:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(e.url.rpartition(":")[2]))
        began_at = now()
        writer.write(upgrade(path))
        assert (await reader.read()).startswith(f"HTTP/1.1 {answer} ".encode())
        assert now() - began_at >= waits_s
        writer.transport.abort()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /r/s1/a.b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /r/s1/a.b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_websocket_handshake_is_400(request_bytes: bytes) -> None:
    async with edge() as e:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(e.url.rpartition(":")[2]))
        writer.write(request_bytes)
        try:
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        except ConnectionResetError:
            assert len(request_bytes) > 16_384  # closed with the rest of the head unread
        writer.transport.abort()


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def spliced() -> AsyncIterator[tuple[Streams, Streams]]:
    """A client and a relay that are joined by the edge, as bare streams."""
    arrived: asyncio.Queue[Streams] = asyncio.Queue()
    listener = listen()
    server = await asyncio.start_server(lambda r, w: arrived.put_nowait((r, w)), sock=listener)
    async with server, edge() as e:
        path = sign_route(KEY, "s1", url_of(listener).removeprefix("http://"), SOON)
        client = await asyncio.open_connection("127.0.0.1", int(e.url.rpartition(":")[2]))
        client[1].write(upgrade(path))
        relay = await arrived.get()
        await relay[0].readuntil(b"\r\n\r\n")
        try:
            yield client, relay
        finally:
            for _, writer in (client, relay):
                writer.transport.abort()


async def test_the_end_of_one_direction_is_passed_on_and_the_other_still_works() -> None:
    async with spliced() as (client, relay):
        client[1].write(b"last words")
        client[1].write_eof()
        assert await relay[0].read() == b"last words"
        relay[1].write(b"answer")
        relay[1].write_eof()
        assert await client[0].read() == b"answer"


async def test_a_broken_side_ends_the_other() -> None:
    async with spliced() as (client, relay):
        client[1].transport.abort()
        try:
            assert await relay[0].read() == b""
        except ConnectionResetError:
            pass


@pytest.mark.looptime
async def test_a_side_that_does_not_read_holds_up_the_other() -> None:
    async with spliced() as (client, relay):
        sent = 0
        try:
            async with asyncio.timeout(0.5):
                while sent < 200_000_000:
                    client[1].write(bytes(100_000))
                    await client[1].drain()
                    sent += 100_000
        except TimeoutError:
            pass
        assert sent < 50_000_000, "only the buffers between the two were filled"
        assert await relay[0].readexactly(1000) == bytes(1000)


async def test_the_edge_ends_at_once_with_connections_open() -> None:
    async with edge() as e:
        _, writer = await asyncio.open_connection("127.0.0.1", int(e.url.rpartition(":")[2]))
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < 2
    writer.transport.abort()


async def test_the_relay_sees_the_edges_secret_and_never_the_clients_guess() -> None:
    seen: list[list[str]] = []

    async def relay(connection: ServerConnection) -> None:
        assert connection.request
        seen.append(connection.request.headers.get_all("X-Vivavoce-Edge"))

    async with (
        serve(relay, "127.0.0.1", 0) as server,
        edge("the secret") as sends,
        edge() as sends_none,
    ):
        path = sign_route(KEY, "s1", address(server.sockets[0].getsockname()[1]), SOON)
        for e in (sends, sends_none):
            async with connect(e.url + path, additional_headers={"x-VIVAVOCE-edge": "a guess"}) as client:
                await client.wait_closed()
    assert seen == [["the secret"], []]
