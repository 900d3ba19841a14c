"""The simulator's own HTTP road, under `/_control/`: faults in, ledger out. Not part of Google's API."""

from typing import Any, Protocol

import msgspec
from aiohttp import web

from simulator import faults
from simulator.faults import Fault
from simulator.ledger import Ledger

MOST_LINES = 1_000  #: of the ledger in one answer


class Simulator(Protocol):
    """Port of the control road: a running simulator."""

    @property
    def ledger(self) -> Ledger: ...

    def inject(self, fault: Fault, connection: int | None = None) -> int: ...

    def state(self) -> dict[str, Any]: ...


async def control(request: web.Request, running: Simulator) -> web.Response:
    """`POST /_control/fault`, `GET /_control/ledger?after=N&limit=N`, `GET /_control/state`."""
    match request.method, request.path:
        case "POST", "/_control/fault":
            return await _fault(request, running)
        case "GET", "/_control/ledger":
            return _ledger(request, running.ledger)
        case "GET", "/_control/state":
            return web.json_response(running.state())
        case _:
            return web.json_response({"error": "no such control"}, status=404)


async def _fault(request: web.Request, running: Simulator) -> web.Response:
    """A fault as in a scenario file, and `connection`: a number, or null for all that are open.

    Only application/json is taken, so no web page can post here without asking first.
    """
    if request.content_type != "application/json":
        return web.json_response({"error": "content type must be application/json"}, status=415)
    try:
        body = msgspec.json.decode(await request.read())
        if not isinstance(body, dict):
            return web.json_response({"error": "the body must be an object"}, status=400)
        connection = body.pop("connection", None)
        fault = faults.read(body)
    except msgspec.MsgspecError as error:
        return web.json_response({"error": str(error)}, status=400)
    if connection is not None and not isinstance(connection, int):
        return web.json_response({"error": "connection must be a number or null"}, status=400)
    reached = running.inject(fault, connection)
    return web.json_response({"connections": reached}, status=200 if reached else 404)


def _ledger(request: web.Request, ledger: Ledger) -> web.Response:
    try:
        after = int(request.query.get("after", 0))
        limit = min(MOST_LINES, int(request.query.get("limit", MOST_LINES)))
    except ValueError:
        return web.json_response({"error": "after and limit must be numbers"}, status=400)
    return web.json_response({"lines": ledger.after(after, limit)})
