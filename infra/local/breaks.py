"""What a developer may break of this machine's stack, to see that a call goes on: its relay, its model."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
from aiohttp import web

from infra.local.tasks import RelayTask
from records import relays, sessions
from records.table import Table

PATH = "/dev/break"
GOING_S = 5.0  #: that the model says it will still be there

#: Breaks it for the session of that id. False: there is nothing to break.
Break = Callable[[str], Awaitable[bool]]


def add_breaks(app: web.Application, breaks: Mapping[str, Break]) -> None:
    """Serve `POST /dev/break/NAME?session=ID` on the local page.

    Only application/json is taken, so no other site's page can post here without asking first, and
    no answer ever lets it.
    """

    async def strike(request: web.Request) -> web.Response:
        breaks_it = breaks.get(request.match_info["name"])
        if breaks_it is None:
            raise web.HTTPNotFound(text="nothing of that name breaks here\n")
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="content type must be application/json\n")
        if not await breaks_it(request.query.get("session", "")):
            raise web.HTTPConflict(text="there is nothing to break\n")
        return web.json_response({})

    app.router.add_post(f"{PATH}/{{name}}", strike)


def kill_relay(table: Callable[[], Table], tasks: Callable[[], list[RelayTask]]) -> Break:
    """Kills the process that has the session, without a word to it."""

    async def kill(session: str) -> bool:
        address = await asyncio.to_thread(_address_of, table(), session)
        owner = next((task for task in tasks() if address and task.address == address), None)
        if owner is None or owner.process_id is None or owner.status != "RUNNING":
            return False
        os.kill(owner.process_id, signal.SIGKILL)
        return True

    return kill


def drain_relays(table: Callable[[], Table]) -> Break:
    """Orders every relay to hand its calls on and to end, as `vivavoce drain` does to a deployed stack."""

    async def drain(session: str) -> bool:
        return bool(await asyncio.to_thread(relays.drain, table()))

    return drain


def order_rotation(table: Callable[[], Table]) -> Break:
    """Has its relay change the model's connection, by the order that an operator leaves in the table."""

    async def rotate(session: str) -> bool:
        return await asyncio.to_thread(_order_rotation, table(), session)

    return rotate


def _order_rotation(table: Table, session: str) -> bool:
    found = sessions.load(table, session)
    if found is None or not found.relay:
        return False
    relays.order(table, found.relay, f"rotate:{session}")
    return True


def _address_of(table: Table, session: str) -> str:
    found = sessions.load(table, session)
    relay = relays.load(table, found.relay) if found and found.relay else None
    return relay.address if relay else ""


def model_goes_away(simulator_url: str) -> Break:
    """Has the simulator tell all its connections that they end soon, as Google does every ten minutes."""

    async def go(session: str) -> bool:
        fault = {"kind": "go_away", "time_left_s": GOING_S}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{simulator_url}/_control/fault", json=fault) as answer,
        ):
            return answer.status == 200

    return go
