"""The gateway emulator with stand-in functions, and an eye on what a test leaves behind."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from infra.local.endpoint import listen
from infra.local.gateway import Gateway, Options
from infra.local.template import Api, Route
from tests.infra.stand_ins import Answer, Lambda, OpenGateway, RawClient, RawConnect, children, upgrade


@pytest.fixture
def open_gateway() -> OpenGateway:
    """`async with open_gateway({route: handler}, options, without=[...]) as (gateway, functions):`"""

    @asynccontextmanager
    async def open(
        answers: dict[str, Answer] | None = None,
        options: Options | None = None,
        *,
        without: tuple[str, ...] = (),
        replies: bool = False,
    ) -> AsyncIterator[tuple[Gateway, Lambda]]:
        functions = Lambda(answers or {})
        keys = {"$connect", "$disconnect", "$default", "start", *functions.answers} - set(without)
        routes = {key: Route(key, "function", 29.0, replies) for key in keys}
        api = Api("https://api.example/v1", "v1", "$request.body.type", routes)
        async with Gateway(api, functions, listen(), options) as gateway:
            yield gateway, functions

    return open


@pytest.fixture
def raw_connect() -> RawConnect:
    """A RawClient whose handshake is done."""

    @asynccontextmanager
    async def connect(gateway: Gateway) -> AsyncIterator[RawClient]:
        host, _, port = gateway.url.removeprefix("ws://").partition("/")[0].partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(upgrade("/v1"))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            yield RawClient(reader, writer)
        finally:
            writer.transport.abort()
            try:
                await writer.wait_closed()
            except ConnectionError:
                pass

    return connect


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test of this folder no child process of it lives on."""
    before = children()
    yield
    assert children() <= before, "a child process outlived its test"


@pytest_asyncio.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    """After a test no task of it is under way."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"a task outlived its test: {left}"
