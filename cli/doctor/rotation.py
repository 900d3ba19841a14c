"""Orders that an operator leaves for a relay: in the stack's table, or by a local stack's page."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from cli.doctor.steps import Trouble
from cli.stack.access import open_local
from cli.stack.deployed import Deployment, aws_client

REFUSED = "the order could not be left"


def by_table(deployment: Deployment) -> Callable[[str], Awaitable[None]]:
    """Has the relay of a session change its model's connection. Raises Trouble: `no_order`."""

    async def rotate(session: str) -> None:
        await asyncio.to_thread(_write, deployment, session)

    return rotate


def by_page(page: str) -> Callable[[str], Awaitable[None]]:
    """Order a rotation by a local stack's page, which leaves the same order."""

    async def rotate(session: str) -> None:
        url = f"{page.rstrip('/')}/dev/break/rotation?session={quote(session)}"
        headers = {"Content-Type": "application/json"}
        try:
            await asyncio.to_thread(open_local, urllib.request.Request(url, b"{}", headers))
        except OSError:
            raise Trouble("no_order", REFUSED) from None

    return rotate


def _write(deployment: Deployment, session: str) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    from records import relays, sessions
    from records.table import StoreError, Table

    try:
        table = Table(aws_client("dynamodb", deployment.region), deployment.table)
        found = sessions.load(table, session)
        if found is None or not found.relay:
            raise Trouble("no_order", "the session is not in the stack's table")
        relays.order(table, found.relay, f"rotate:{session}")
    except (StoreError, BotoCoreError, ClientError) as error:
        raise Trouble("no_order", f"{REFUSED} ({type(error).__name__})") from None
