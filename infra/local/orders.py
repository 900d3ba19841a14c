"""What a developer may ask of a session that the public protocol does not offer."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from records import relays, sessions
from records.table import Table

PATH = "/dev/rotate"


def add_orders(app: web.Application, table: Callable[[], Table]) -> None:
    """Serve `POST /dev/rotate?session=ID` on the local page: have its relay change the model's connection.

    By the order that an operator leaves in the table, and that the relay finds at its next heartbeat.
    """

    async def rotate(request: web.Request) -> web.Response:
        records = table()
        session = await asyncio.to_thread(sessions.load, records, request.query.get("session", ""))
        if session is None or not session.relay:
            raise web.HTTPNotFound(text="no such session on a relay\n")
        await asyncio.to_thread(relays.order, records, session.relay, f"rotate:{session.id}")
        return web.Response(status=202)

    app.router.add_post(PATH, rotate)
