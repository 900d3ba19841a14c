"""The relays of a stack, as its table has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from infra.local.stack import LocalStack
from records import relays
from records.relays import Relay
from records.table import Table


async def until(
    stack: LocalStack, is_so: Callable[[list[Relay]], bool], within_s: float = 90.0
) -> list[Relay]:
    """The relays of the pool, once `is_so` of them."""
    table = Table(stack.client("dynamodb"), stack.table)
    async with asyncio.timeout(within_s):
        while True:
            pool = await asyncio.to_thread(relays.pool, table)
            found = await asyncio.to_thread(relays.load_all, table, pool.slots.values())
            if is_so(found):
                return found
            await asyncio.sleep(0.2)
