"""A call without a server, for tests in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from protocol.audio import encode_audio
from protocol.client import ClientSession
from protocol.codec import encode, json_codec
from protocol.media import ClientMessage, Hello
from records.budgets import Allowance, Spent
from relay.call.call import Call
from relay.call.terms import Terms
from relay.model.rotation import DEFAULT_PLAN, Plan
from tests.relay.fakes import FakeBook, FakeConnection, Model, session


@contextlib.asynccontextmanager
async def lone_call(
    model: Model | None = None,
    *,
    resume_s: float = 1e6,
    session_s: float = 1e6,
    plan: Plan = DEFAULT_PLAN,
    wall: Callable[[], float] = time.time,
    handle: str | None = None,
    allowance: Callable[[Spent, int], Allowance] | None = None,
    **changes: object,
) -> AsyncIterator[tuple[Call, Model]]:
    """A call whose client has come and gone without a word: its model leg is wanted.

    `changes` are to its session's record.
    """
    model, record = model or Model(), session(handle=handle, **changes)
    model.wall = wall
    model.book = FakeBook(record)
    model.book.allowance = allowance or model.book.allowance
    call = Call(record, Terms(1, session_s, resume_s, plan), model.book, model)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(call.run())
        come_and_gone = FakeConnection()
        come_and_gone.lose()
        await call.serve(come_and_gone)
        if not model.refuse_always:
            await model.opened.wait()
        await asyncio.sleep(0.01)
        yield call, model
        call.end("client")
        await running


class Listener:
    """A client of the call, joined without a socket."""

    def __init__(self, call: Call, *, reads: bool = True, hello: Hello | None = None) -> None:
        """`hello`: what it says first, if not what a client without memory says."""
        self.client = ClientSession()
        self.connection = FakeConnection(reads=reads)
        self.got: list[object] = []
        self._read = 0  #: messages that were looked at
        self._serving = asyncio.create_task(call.serve(self.connection))
        first = self.client.hello()
        self.connection.say(encode(hello) if hello else first)

    def say(self, message: ClientMessage) -> None:
        self.connection.say(encode(message))

    def speak(self, number: int, pcm: bytes = b"") -> None:
        """20 ms of microphone, which can be told apart by its number."""
        self.connection.say(encode_audio(0, number, pcm or number.to_bytes(2, "little") * 320))

    async def leave(self) -> None:
        self.connection.lose()
        await self._serving

    def read(self) -> list[object]:
        """All that it was told."""
        written = self.connection.written[self._read :]
        self._read += len(written)
        for said in written:
            self.got += self.client.receive(json_codec.encode(said))
        return self.got

    def of(self, kind: type) -> list[object]:
        return [message for message in self.read() if isinstance(message, kind)]
