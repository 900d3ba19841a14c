"""What a developer may see of one session: who admitted it, and what the table holds of it."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from infra.local.invocation import Invocation
from records import sessions, turns
from records.table import Table

PATH = "/dev/record.json"


def add_evidence(
    app: web.Application, invocations: Callable[[], Sequence[Invocation]], table: Callable[[], Table]
) -> None:
    """Serve `GET /dev/record.json?session=ID` on the local page."""

    async def record(request: web.Request) -> web.Response:
        session = await asyncio.to_thread(sessions.load, table(), request.query.get("session", ""))
        if session is None:
            raise web.HTTPNotFound(text="no such session\n")
        kept = await asyncio.to_thread(turns.list_all, table(), session.id)
        shown = {
            "session": session.id,
            "state": session.state,
            "epoch": session.epoch,
            "admitted_by": admitted_by(invocations(), session.connection),
            "turns": [msgspec.to_builtins(turn) for turn in kept],
        }
        return web.json_response(shown, headers={"Cache-Control": "no-store"})

    app.router.add_get(PATH, record)


def admitted_by(invocations: Sequence[Invocation], connection: str) -> list[dict[str, Any]]:
    """The invocations that let a control connection in and answered it, oldest first."""
    names = ("function", "route_key", "request_id", "duration_ms", "status")
    rows = (
        dataclasses.asdict(made)
        for made in invocations
        if made.connection_id == connection and made.route_key != "$disconnect"
    )
    return [{name: row[name] for name in names} for row in rows]
