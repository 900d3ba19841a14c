"""A Lambda and a client that are not the real ones: what both sides of the gateway are tested with."""

import asyncio
import inspect
import json
import os
import struct
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from infra.local.events import new_id
from infra.local.gateway import Gateway
from infra.local.invocation import Outcome

Answer = Callable[[dict[str, Any]], Any]


class Throttled(Exception):
    """Lambda refuses to run the function now."""


def throttled(_: dict[str, Any]) -> Any:
    """The answer of a function that is not run."""
    raise Throttled


class Lambda:
    """Stands for the functions: `answers` maps a route key to what handles its event.

    A handler returns the function's result, perhaps by a coroutine; raising means that the function
    failed, Throttled that Lambda did not run it. `events` keeps all that came in.
    """

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.events: list[dict[str, Any]] = []
        self.arrived = asyncio.Condition()

    async def __call__(self, function: str, event: dict[str, Any]) -> Outcome:
        async with self.arrived:
            self.events.append(event)
            self.arrived.notify_all()
        answer = self.answers.get(event["requestContext"]["routeKey"], lambda _: {"statusCode": 200})
        try:
            result = answer(event)
            if inspect.isawaitable(result):
                result = await result
        except Throttled:
            return Outcome(new_id(), b"{}", "throttled")
        except Exception as error:
            payload = json.dumps({"errorType": type(error).__name__}).encode()
            return Outcome(new_id(), payload, "error")
        return Outcome(new_id(), json.dumps(result).encode())

    def of(self, route_key: str) -> list[dict[str, Any]]:
        """The events of one route, in the order in which they came."""
        return [event for event in self.events if event["requestContext"]["routeKey"] == route_key]

    async def wait_for(self, route_key: str, count: int = 1) -> list[dict[str, Any]]:
        """Returns as soon as `count` events of the route have come."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.of(route_key)) >= count)
        return self.of(route_key)


OpenGateway = Callable[..., AbstractAsyncContextManager[tuple[Gateway, Lambda]]]


class RawClient:
    """A WebSocket client made of bytes, for what a polite one would not send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        """Sends one masked frame (with a mask of zeros, which changes nothing)."""
        self.writer.write(raw_frame(opcode, payload, fin=fin))
        await self.writer.drain()

    async def received(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        first, second = await self.reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(length)

    async def close_code(self) -> int:
        """Reads up to the close frame and returns its code."""
        while True:
            opcode, payload = await self.received()
            if opcode == 8:
                return int.from_bytes(payload[:2])


def raw_frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """The bytes of one masked frame."""
    head = bytes([opcode | (0x80 if fin else 0)])
    if len(payload) < 126:
        length = bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        length = b"\xfe" + struct.pack("!H", len(payload))
    else:
        length = b"\xff" + struct.pack("!Q", len(payload))
    return head + length + bytes(4) + payload


def upgrade(path: str, *headers: str) -> bytes:
    """The bytes of a WebSocket handshake."""
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode()


RawConnect = Callable[[Gateway], AbstractAsyncContextManager[RawClient]]


def children(id: int | None = None) -> set[int]:
    """The processes that `id`, or this process, has started and that still are."""
    id = id or os.getpid()
    try:
        with open(f"/proc/{id}/task/{id}/children", encoding="ascii") as file:
            return set(map(int, file.read().split()))
    except FileNotFoundError:  # not Linux
        return set()


async def closing(client: ClientConnection) -> tuple[int | None, str | None]:
    """Code and reason with which the gateway closed."""
    await client.wait_closed()
    return client.close_code, client.close_reason


async def refusal(url: str, **options: Any) -> tuple[int, bytes]:
    """Status and body of a handshake that must fail."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, **options):
            pass
    return refused.value.response.status_code, refused.value.response.body or b""
