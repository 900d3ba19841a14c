"""A call without a server, for tests in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from relay.call import Call, Terms
from tests.relay.fakes import FakeBook, Model, session


@contextlib.asynccontextmanager
async def lone_call(*, resume_s: float = 1e6, session_s: float = 1e6) -> AsyncIterator[tuple[Call, Model]]:
    """A call whose client has never come, with its model leg wanted."""
    model, record = Model(), session()
    call = Call(
        record, Terms(1, session_s, resume_s), FakeBook(record), lambda handle: model.open("s1", 1, handle)
    )
    call._upstream.want()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(call.run())
        yield call, model
        call.end("client")
        await running
