"""One port is the whole stack, by whatever name it is forwarded, and to no other site."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect

from infra.local.endpoint import Endpoint, listen, port_of
from infra.local.front import Door, Front, door_to, is_host_of_machine
from infra.local.gateway import Options as GatewayOptions
from infra.local.page import LocalUser, page_app
from infra.local.splice import Head, Pair
from infra.local.stack import Options, Sockets
from tests.infra.stand_ins import OpenGateway

FORWARDED = {"X-Forwarded-Host": "me-8787.example", "X-Forwarded-Proto": "https"}
EVIL = "https://evil.example"


class Doors:
    """Doors that answer 204 and keep the heads they were given, by their names."""

    def __init__(self) -> None:
        self.heads: list[tuple[str, Head]] = []

    def named(self, name: str) -> Door:
        async def attend(head: Head, client: Pair) -> None:
            self.heads.append((name, head))
            client[1].write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

        return attend


async def ask(front: Front, path: str, **headers: str) -> int:
    """The status of a GET."""
    url = front.url.replace("ws:", "http:") + path
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as http, http.get(url, headers=named) as answer:
        return answer.status


@pytest.mark.parametrize(
    ("path", "door"),
    [("/v1", "control"), ("/v1?x=/r/y", "control"), ("/r/s1/a.b", "media"), ("/", "page"), ("/v1x", "page")],
)
async def test_the_path_says_whose_a_request_is(path: str, door: str) -> None:
    doors = Doors()
    rooms = {"v1": doors.named("control"), "r": doors.named("media"), "": doors.named("page")}
    async with Front(listen(), rooms) as front:
        assert await ask(front, path) == 204
    assert [name for name, _ in doors.heads] == [door]


@pytest.mark.parametrize(
    ("sent", "origin"),
    [
        ({"Origin": "https://me-8787.example", **FORWARDED}, "http://127.0.0.1:{port}"),
        ({"Origin": EVIL, **FORWARDED}, EVIL),
        ({"Origin": "http://localhost:5173"}, "http://localhost:5173"),
        ({"Origin": EVIL}, EVIL),
        (FORWARDED, None),
    ],
)
async def test_a_forwarded_page_is_one_of_this_machine_and_no_other_page_is(
    sent: dict[str, str], origin: str | None
) -> None:
    doors = Doors()
    async with Front(listen(), {"": doors.named("page")}) as front:
        assert await ask(front, "/", **sent) == 204
        port = front.url.rpartition(":")[2]
    ((_, head),) = doors.heads
    assert head.get("Origin") == (origin and origin.format(port=port))
    assert head.get("Host") == f"127.0.0.1:{port}"


@pytest.mark.parametrize("more", [{}, FORWARDED, {"X-Forwarded-Host": "localhost"}])
async def test_a_rebound_name_is_403_whatever_else_it_says(more: dict[str, str]) -> None:
    """A page on a name of its own that leads here may send any header, but not another Host."""
    doors = Doors()
    async with Front(listen(), {"": doors.named("page")}) as front:
        assert await ask(front, "/", Host="evil.example:8787", **more) == 403
    assert doors.heads == []


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost:9", True),
        ("192.0.2.7:8787", True),
        ("[2001:db8::7]:8787", True),
        (f"{socket.gethostname()}:8787", True),
        (f"{socket.gethostname()}.local", True),
        ("evil.example", False),
        ("", False),
    ],
)
async def test_a_stack_for_the_network_is_reached_by_address_and_by_the_machine_s_name(
    host: str, is_ours: bool
) -> None:
    doors = Doors()
    async with Front(listen(), {"": doors.named("page")}, is_host_of_machine) as front:
        origin = f"http://{host}"
        assert await ask(front, "/", Host=host, Origin=origin) == (204 if is_ours else 403)
        here = front.url.replace("ws:", "http:")
    if is_ours:
        assert doors.heads[0][1].get("Origin") in {here, "http://localhost:9"}


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("localhost", "127.0.0.1"), ("::1", "[::1]")],
)
def test_the_addresses_are_those_at_which_the_port_is_open(host: str, here: str) -> None:
    sockets = Sockets.bind(Options(host=host))
    try:
        port = port_of(sockets.front)
        urls = sockets.urls()
    finally:
        sockets.close()
    assert (urls.page, urls.media) == (f"http://{here}:{port}", f"ws://{here}:{port}")


@pytest.mark.parametrize("value", ['x"; script-src *', "a b", "a\tb", "<a>"])
async def test_a_forwarded_name_that_is_none_is_not_believed(value: str) -> None:
    doors = Doors()
    async with Front(listen(), {"": doors.named("page")}) as front:
        assert await ask(front, "/", **{"X-Forwarded-Host": value, "Host": "localhost:9"}) == 204
    assert doors.heads[0][1].get("X-Forwarded-Host") == "localhost:9"


async def test_a_path_without_a_door_is_403_and_a_part_that_is_gone_502() -> None:
    with listen() as closed:
        port = port_of(closed)
    async with Front(listen(), {"v1": door_to(port)}) as front:
        assert await ask(front, "/") == 403
        assert await ask(front, "/v1") == 502


async def test_a_connection_that_asks_nothing_is_told_nothing() -> None:
    """Browsers open some ahead of time."""
    async with Front(listen(), {}) as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(front.url.rpartition(":")[2]))
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


@asynccontextmanager
async def page() -> AsyncIterator[Front]:
    """The real page behind a front."""
    listener = listen()
    own = "ws://127.0.0.1:1"
    app = page_app(f"{own}/v1", LocalUser("s" * 32), media_url=own, console=Path("not-built"))
    async with (
        Endpoint(app, listener),
        Front(listen(), {"": door_to(port_of(listener), one_request=True)}) as front,
    ):
        yield front


@pytest.mark.parametrize(
    ("headers", "socket"),
    [
        ({}, "{front}"),
        ({"Host": "localhost:9999"}, "ws://localhost:9999"),
        (FORWARDED, "wss://me-8787.example"),
        ({"X-Forwarded-Host": "me-8787.example, inner"}, "ws://me-8787.example"),
        ({"X-Forwarded-Host": "me.example", "Origin": "https://me.example"}, "wss://me.example"),
    ],
)
async def test_the_page_names_the_host_that_its_visitor_came_by(headers: dict[str, str], socket: str) -> None:
    async with page() as front, aiohttp.ClientSession(headers=headers) as http:
        wanted = socket.format(front=front.url)
        url = front.url.replace("ws:", "http:")
        for path in ("/dev/session.json", "/config.json"):
            async with http.get(url + path) as answer:
                assert (await answer.json())["url"] == f"{wanted}/v1"
        async with http.get(url) as answer:
            assert f"connect-src 'self' {wanted} {wanted};" in answer.headers["Content-Security-Policy"]


async def test_the_next_request_on_a_page_s_connection_may_want_another_door() -> None:
    """A forwarder that keeps its connections would send a handshake where the page's requests go."""
    async with page() as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(front.url.rpartition(":")[2]))
        writer.write(b"GET /config.json HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
        answer = await reader.read()
        writer.close()
    assert b"\r\nConnection: close\r\n" in answer


async def test_another_site_gets_neither_answer_nor_leave_to_ask() -> None:
    async with page() as front, aiohttp.ClientSession() as http:
        url = front.url.replace("ws:", "http:") + "/dev/session.json"
        asked = {"Origin": EVIL, "Access-Control-Request-Method": "GET"}
        ask = http.options(url, headers=asked), http.get(url, headers={"Origin": EVIL})
        async with ask[0] as preflight, ask[1] as got:
            for answer in (preflight, got):
                assert answer.status == 403 and "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "headers", "seen"),
    [
        ("127.0.0.1:{port}", {}, "ws://127.0.0.1:{port}"),
        ("localhost:9", {}, "ws://localhost:9"),
        ("127.0.0.1:{port}", FORWARDED, "wss://me-8787.example"),
    ],
)
async def test_ready_names_the_host_that_the_client_came_by(
    open_gateway: OpenGateway, host: str, headers: dict[str, str], seen: str
) -> None:
    outside = listen()
    port = port_of(outside)
    ready = json.dumps({"type": "ready", "media": {"url": f"ws://127.0.0.1:{port}/r/s1/a.b", "ticket": "t"}})
    answer = {"statusCode": 200, "body": ready}
    options = GatewayOptions(media_url=f"ws://127.0.0.1:{port}")
    async with open_gateway({"start": lambda _: answer}, options, replies=True) as (gateway, functions):
        control = int(gateway.url.rpartition(":")[2].partition("/")[0])
        url = f"ws://{host.format(port=port)}/v1"
        async with (
            Front(outside, {"v1": door_to(control)}),
            connect(url, host="127.0.0.1", port=port, additional_headers=headers) as client,
        ):
            await client.send('{"type": "start"}')
            media = json.loads(await client.recv())["media"]["url"]
    assert media == f"{seen.format(port=port)}/r/s1/a.b"
    (event,) = functions.of("$connect")
    assert event["headers"]["X-Forwarded-Proto"] == "https", "as API Gateway writes it"
    assert "X-Forwarded-Host" not in event["headers"]
