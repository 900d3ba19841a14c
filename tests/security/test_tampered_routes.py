"""Routes that lead where they were not signed for: refused at the edge, and nothing is dialled.

The edge function itself is held to the same verdicts by tests/infra/test_route.py; here the rule dials.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from infra.local.edge import Edge
from infra.local.endpoint import listen
from infra.local.front import Front
from records.keyring import Keyring
from records.routes import read_route_of_any, sign_route

KEY, OLD_KEY, FORGERS_KEY = "the-key-that-signs-now", "the-key-before-it", "the-forgers-own-key"
LATER = 2**33


@dataclass
class World:
    """An edge, and two places it could dial."""

    relay: str = ""
    victim: str = ""
    keys: Keyring = field(default_factory=lambda: Keyring(KEY))
    dialled: list[str] = field(default_factory=list)
    port: int = 0

    def route(self, *, key: str = KEY, slot: str = "0", address: str = "", until: int = LATER) -> str:
        return sign_route(key.encode(), slot, address or self.relay, until)

    async def ask(self, path: str, *headers: str) -> int:
        """The status of a handshake; 101 when the relay answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.victim}", "Upgrade: websocket", "Connection: Upgrade"]
        writer.write("\r\n".join([*lines, *headers, "", ""]).encode())
        status = int((await reader.readline()).split()[1])
        writer.close()
        await writer.wait_closed()
        return status


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    made = World()

    def place(name: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            made.dialled.append(name)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            await writer.drain()
            await reader.read()
            writer.close()

        return serve

    def read(path: str, now: int) -> str:
        return read_route_of_any([key.encode() for key in made.keys.accepted(now)], path, now)

    relay = await asyncio.start_server(place("relay"), "127.0.0.1", 0)  # type: ignore[arg-type]
    victim = await asyncio.start_server(place("victim"), "127.0.0.1", 0)  # type: ignore[arg-type]
    made.relay, made.victim = (f"127.0.0.1:{s.sockets[0].getsockname()[1]}" for s in (relay, victim))
    gateway = listen(0)
    made.port = gateway.getsockname()[1]
    async with relay, victim, Front(gateway, {"r": Edge(read).attend}):
        yield made


def parts(path: str) -> tuple[str, str, str]:
    slot, signed = path.removeprefix("/r/").split("/")
    payload, signature = signed.split(".")
    return slot, payload, signature


def with_payload(world: World, text: str) -> str:
    """Another payload under a signature that was good for the first."""
    slot, _, signature = parts(world.route())
    payload = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return f"/r/{slot}/{payload}.{signature}"


TAMPERED: dict[str, Callable[[World], str]] = {
    "another address": lambda world: with_payload(world, f"{world.victim}|{LATER}"),
    "a longer life": lambda world: with_payload(world, f"{world.relay}|{LATER + 1}"),
    "two addresses": lambda world: with_payload(world, f"{world.victim}|{world.relay}|{LATER}"),
    "the address of the machine's secrets": lambda world: with_payload(world, f"169.254.169.254:80|{LATER}"),
    "another slot": lambda world: world.route().replace("/r/0/", "/r/1/"),
    "another key": lambda world: world.route(key=FORGERS_KEY, address=world.victim),
    "an empty key": lambda world: sign_route(b"", "0", world.victim, LATER),
    "no signature": lambda world: world.route().rpartition(".")[0],
    "an empty signature": lambda world: world.route().rpartition(".")[0] + ".",
    "a signature cut short": lambda world: world.route()[:-1],
    "the signature of another route": lambda world: (
        world.route().rpartition(".")[0] + "." + parts(world.route(slot="1"))[2]
    ),
    "expired a second ago": lambda world: world.route(until=int(time.time()) - 1),
    "expires now": lambda world: world.route(until=int(time.time())),
    "something after it": lambda world: world.route() + "/../../" + world.victim,
    "a line break in it": lambda world: world.route() + "%0d%0aHost:%20evil",
    "no route at all": lambda world: f"/{world.victim}",
    "a whole address": lambda world: f"http://{world.victim}/",
}


async def test_a_signed_route_leads_to_its_relay() -> None:
    async with world() as here:
        assert await here.ask(here.route()) == 101
        assert here.dialled == ["relay"]


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
async def test_a_tampered_route_is_refused_and_nothing_is_dialled(tamper: Callable[[World], str]) -> None:
    async with world() as here:
        assert await here.ask(tamper(here)) == 403
        assert here.dialled == []


async def test_no_header_chooses_an_address() -> None:
    async with world() as here:
        names = ("X-Forwarded-Host", "Forwarded", "X-Vivavoce-Edge", "X-Original-URL", "X-Vivavoce-Address")
        headers = [f"{name}: {here.victim}" for name in names]
        assert await here.ask(here.route(), *headers) == 101
        assert await here.ask("/", *headers) == 403
        assert here.dialled == ["relay"]


async def test_a_route_of_the_old_key_is_good_while_keys_rotate_and_not_after() -> None:
    async with world() as here:
        of_old, now = here.route(key=OLD_KEY), int(time.time())
        here.keys = Keyring(OLD_KEY).rotated(KEY, until=now + 3600)
        assert [await here.ask(of_old), await here.ask(here.route())] == [101, 101]
        here.keys = Keyring(OLD_KEY).rotated(KEY, until=now)
        assert [await here.ask(of_old), await here.ask(here.route())] == [403, 101]
        assert here.dialled == ["relay"] * 3
