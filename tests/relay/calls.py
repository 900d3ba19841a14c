"""A call without a server, for tests in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from relay.call.call import Call, Terms
from relay.model.connection import DEFAULT_PLAN, Plan
from tests.relay.fakes import FakeBook, Model, session


@contextlib.asynccontextmanager
async def lone_call(
    model: Model | None = None,
    *,
    resume_s: float = 1e6,
    session_s: float = 1e6,
    plan: Plan = DEFAULT_PLAN,
    wall: Callable[[], float] = time.time,
    handle: str | None = None,
) -> AsyncIterator[tuple[Call, Model]]:
    """A call whose client has never come, with its model leg wanted."""
    model, record = model or Model(), session(handle=handle)
    model.wall = wall
    model.book = FakeBook(record)
    call = Call(record, Terms(1, session_s, resume_s, plan), model.book, model)
    call._connection.want()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(call.run())
        if not model.refuse_always:
            await model.opened.wait()
        await asyncio.sleep(0.01)
        yield call, model
        call.end("client")
        await running
