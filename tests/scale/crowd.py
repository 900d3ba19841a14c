"""Many users at once, each on a control connection of its own, and what the table says of the fleet."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

import simulator
from infra.local.stack import LocalStack, Options
from protocol.credentials import offer
from records import open_sessions, relays
from records.relays import Relay
from records.table import Table
from tests import dialect
from tests.witness import WITNESS

HANDSHAKES = 50  #: under way at once: with all of them a client's patience would be over before its turn
ASK_AGAIN_S = 30.0  #: a client that hears nothing for so long asks again, as ours do


@asynccontextmanager
async def deployment(**parameters: str) -> AsyncIterator[LocalStack]:
    """A local stack with nobody in it."""
    async with simulator.serve() as model:
        async with LocalStack(
            Options(gemini_url=model.url, parameters=dialect.parameters(**parameters))
        ) as stack:
            yield stack
        WITNESS.logs(line.text for line in stack.logs.lines)


@dataclass
class Visitor:
    """One user, and what the control road said to it."""

    stack: LocalStack
    name: str
    replies: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    took_s: float = 0.0  #: from the first `start` to the answer
    _wire: ClientConnection | None = None

    async def connect(self, limit: asyncio.Semaphore) -> None:
        entries = [Subprotocol(entry) for entry in offer("jwt", self.stack.user(self.name).token())]
        async with limit:
            self._wire = await connect(self.stack.urls.control, subprotocols=entries, open_timeout=60)

    async def start(self) -> None:
        """Until `ready` or an error of the protocol. One request, however often sent, opens one session."""
        began_at = time.monotonic()
        answered = False
        while not answered:
            self.asked += 1
            await self._send(type="start", request=f"request-of-{self.name}", versions=[1])
            answered = await self._hear("ready", "error")
        self.took_s = time.monotonic() - began_at

    async def end(self) -> None:
        await self._send(type="end", session=self.last["session"])
        assert await self._hear("ended")

    async def leave(self) -> None:
        if self._wire:
            await self._wire.close()

    @property
    def last(self) -> dict[str, Any]:
        return self.replies[-1]

    async def _send(self, **message: object) -> None:
        assert self._wire
        await self._wire.send(json.dumps(message))

    async def _hear(self, *kinds: str) -> bool:
        """False when it is time to ask again: after silence, or when the gateway gave up on the function."""
        assert self._wire
        try:
            while True:
                async with asyncio.timeout(ASK_AGAIN_S):
                    reply = json.loads(await self._wire.recv())
                if "type" not in reply:
                    return False
                self.replies.append(reply)
                if reply["type"] in kinds:
                    return True
        except TimeoutError:
            return False


@dataclass(frozen=True)
class Fleet:
    """The relays at one moment."""

    relays: Sequence[Relay]
    listed: dict[str, frozenset[str]]  #: sessions that count as open, by user

    @property
    def places(self) -> list[str]:
        """Every place that is taken, of whichever relay."""
        return sorted(session for relay in self.relays for session in relay.leases)


async def look(stack: LocalStack) -> Fleet:
    """What the table says now. No relay may ever have given more places than it has."""
    table = Table(stack.client("dynamodb"), stack.table)

    def read() -> Fleet:
        known = relays.load_all(table, relays.pool(table).slots.values())
        return Fleet(known, open_sessions.listed(table))

    fleet = await asyncio.to_thread(read)
    assert all(len(relay.leases) <= relay.capacity for relay in fleet.relays), fleet.relays
    return fleet


async def until(stack: LocalStack, condition: Callable[[Fleet], bool], within_s: float = 60.0) -> Fleet:
    """The fleet as soon as the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            if condition(fleet := await look(stack)):
                return fleet
            await asyncio.sleep(1)


async def all_at_once(
    visitors: Sequence[Visitor], do: Callable[[Visitor], Coroutine[None, None, None]]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        for visitor in visitors:
            tasks.create_task(do(visitor))


async def arrive(stack: LocalStack, count: int) -> list[Visitor]:
    """So many users, connected and silent."""
    visitors = [Visitor(stack, f"user-{number}") for number in range(count)]
    limit = asyncio.Semaphore(HANDSHAKES)
    await all_at_once(visitors, lambda visitor: visitor.connect(limit))
    return visitors
