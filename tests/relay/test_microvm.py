"""The relay's hooks: it is ready before it is anybody, told once who it is, and awake after a resume."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from infra.local.microvm.machine import HOOKS
from relay.task.hooks import hooks_served
from relay.task.microvm import Life
from tests.relay.fakes import Visitor, house
from tests.relay.test_server import until

WHO = {"RELAY_ID": "r1", "RELAY_SLOT": "0", "RELAY_REVISION": "7"}
GIVEN = {**WHO, "RELAY_CAPACITY": "3", "RESUME_SECONDS": "120"}
BODY = {"microvmId": "microvm-1", "runHookPayload": json.dumps({**GIVEN, "TABLE_NAME": "another"})}


class Platform:
    """Calls hooks as the platform does."""

    def __init__(self, port: int, http: aiohttp.ClientSession) -> None:
        self._port, self._http = port, http

    async def call(
        self, name: str, body: Any = None, *, method: str = "POST", raw: bytes | None = None
    ) -> int:
        url = f"http://127.0.0.1:{self._port}{HOOKS}/{name}"
        data = raw if raw is not None else json.dumps(body or {}).encode()
        async with self._http.request(method, url, data=data) as answer:
            return answer.status


@asynccontextmanager
async def machine(port: int) -> AsyncIterator[tuple[Platform, Life]]:
    life = Life()
    async with hooks_served("127.0.0.1", port, life.hooks()), aiohttp.ClientSession() as http:
        yield Platform(port, http), life


class Leaving:
    """A relay that leaves when it is told so, after a while."""

    def __init__(self, life: Life) -> None:
        self.left = self.sleeps = False
        self._life = life

    def leave(self) -> None:
        self.left = True
        asyncio.get_running_loop().call_later(0.01, self._life.over.set)

    def sleep(self) -> None:
        self.sleeps = True


async def test_it_is_ready_before_it_is_anybody_and_learns_who_it_is_from_run(unused_tcp_port: int) -> None:
    async with machine(unused_tcp_port) as (platform, life):
        assert await platform.call("ready") == await platform.call("validate") == 200
        assert not life.identity.done()
        assert await platform.call("run", BODY) == 200
        assert await life.identity == GIVEN  # and nothing else of its environment comes from there


async def test_a_machine_is_told_once_who_it_is(unused_tcp_port: int) -> None:
    async with machine(unused_tcp_port) as (platform, life):
        assert await platform.call("run", BODY) == await platform.call("run", BODY) == 200
        other = {"runHookPayload": json.dumps({**WHO, "RELAY_ID": "r2"})}
        assert await platform.call("run", other) != 200
        assert (await life.identity)["RELAY_ID"] == "r1"


async def test_a_payload_that_names_nobody_is_refused(unused_tcp_port: int) -> None:
    async with machine(unused_tcp_port) as (platform, life):
        for payload in ("", "{", "[]", json.dumps({"RELAY_ID": "r1"})):
            assert await platform.call("run", {"runHookPayload": payload}) == 500
        assert not life.identity.done()


async def test_a_resume_is_told_and_a_suspension_never_refused(unused_tcp_port: int) -> None:
    async with machine(unused_tcp_port) as (platform, life):
        assert await platform.call("suspend") == 200 and not life.resumed.is_set()
        assert await platform.call("resume") == 200 and life.resumed.is_set()


async def test_a_suspension_is_told_to_the_relay(unused_tcp_port: int) -> None:
    async with machine(unused_tcp_port) as (platform, life):
        life.relay = relay = Leaving(life)
        assert await platform.call("suspend") == 200 and relay.sleeps


async def test_the_end_of_the_machine_waits_for_the_relay_to_leave(unused_tcp_port: int) -> None:
    async with machine(unused_tcp_port) as (platform, life):
        life.relay = relay = Leaving(life)
        assert await platform.call("terminate") == 200
        assert relay.left and life.over.is_set()


async def test_whatever_is_no_hook_is_refused_and_harms_nothing(unused_tcp_port: int) -> None:
    async with machine(unused_tcp_port) as (platform, _):
        assert await platform.call("unknown") == 404
        assert await platform.call("ready", method="GET") == 404
        assert await platform.call("run", raw=b"[]") == await platform.call("run", raw=b"{") == 400
        assert await platform.call("run", raw=b" " * 70_000) == 400
        _, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(b"nonsense\r\n\r\n")
        writer.close()
        assert await platform.call("ready") == 200


async def test_a_relay_whose_machine_was_suspended_under_calls_opens_their_model_legs_anew() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        await Visitor().join(wire)
        here.relay.wake()
        await until(lambda: len(here.model.legs) == 2)
        assert here.model.legs[0].closed.is_set()


async def test_calls_go_on_when_nothing_came_of_a_suspension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.task.service.SUSPENDING_S", 0.1)
    async with house() as here, here.connect(here.book.ticket()) as wire:
        await Visitor().join(wire)
        here.relay.sleep()
        await until(lambda: here.model.legs[0].closed.is_set())
        await until(lambda: len(here.model.legs) == 2)
