"""Tickets that were used, kept too long, or taken elsewhere, at a real relay over the real record."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from protocol import media
from protocol.codec import encode, server_messages
from protocol.control import Config
from protocol.credentials import offer
from protocol.media import Hello
from records import relays, sessions, tickets
from records.sessions import Session
from records.table import Table
from records.tickets import Ticket
from relay.aws.session_store import TableLedger
from relay.task.service import Relay
from tests.relay.fakes import CONFIG, FakeTask, Model

PAGE = "https://app.example"


@dataclass
class House:
    """A relay that listens, and a record with two open sessions on it."""

    url: str
    table: Table
    relay: Relay

    def ticket(self, session: str, *, relay: str = CONFIG.relay, age_s: int = 0) -> str:
        """A genuine one."""
        made = tickets.new()
        found = sessions.load(self.table, session)
        assert found is not None
        tickets.put(self.table, made, Ticket(session, found.epoch, relay, PAGE), int(time.time()) - age_s)
        return made

    async def connect(self, ticket: str, *, origin: str = PAGE, path: str = "/r/0/x") -> ClientConnection:
        """Raises InvalidStatus when the handshake is refused."""
        entries = [Subprotocol(entry) for entry in offer("ticket", ticket)]
        return await connect(f"{self.url}{path}", subprotocols=entries, origin=origin)  # type: ignore[arg-type]

    async def status(self, ticket: str, **how: str) -> int:
        with pytest.raises(InvalidStatus) as refused:
            await self.connect(ticket, **how)
        return refused.value.response.status_code

    async def refusal(self, ticket: str) -> tuple[str, int | None]:
        """Error and close code for a ticket that is genuine and not good any more."""
        wire = await self.connect(ticket)
        message = server_messages.decode(await wire.recv())
        assert isinstance(message, media.Error) and message.fatal
        await wire.wait_closed()
        return message.code, wire.close_code


def open_session(table: Table, id: str) -> Session:
    now = int(time.time())
    draft = sessions.Draft(
        id=id, user=f"user-of-{id}", request="r", agent="assistant", config=Config(), tools=[], metadata={},
        connection="c1", origin=PAGE, ends_at=now + 600, key_hash="h",
    )  # fmt: skip
    made = sessions.create(table, draft, limit=3, now=now)
    sessions.place(table, made, CONFIG.relay, state="READY", until=now + 75, now=now)
    return made


@contextlib.asynccontextmanager
async def house(table: Table) -> AsyncIterator[House]:
    now = int(time.time())
    relays.register(table, CONFIG.relay, slot="0", revision="1", capacity=5, now=now)
    relays.ready(table, CONFIG.relay, "127.0.0.1:1", now)
    for id in ("ours", "theirs"):
        open_session(table, id)
    relay = Relay(CONFIG, TableLedger(table), FakeTask(), Model().legs_for)
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def announce(port: int) -> None:
        listening.set_result(port)

    async with asyncio.TaskGroup() as group:
        running = group.create_task(relay.run(announce))
        try:
            yield House(f"ws://127.0.0.1:{await listening}", table, relay)
        finally:
            for call in list(relay.registry.calls.values()):
                call.end("client")
            relay.leave()
            await running


async def test_a_ticket_is_good_once(table: Table) -> None:
    async with house(table) as here:
        ticket = here.ticket("ours")
        first = await here.connect(ticket)
        assert await here.refusal(ticket) == ("ticket_used", 4401)
        await first.close()


async def test_of_eight_who_present_one_ticket_at_once_one_gets_in(table: Table) -> None:
    async with house(table) as here:
        ticket = here.ticket("ours")
        wires = await asyncio.gather(*(here.connect(ticket) for _ in range(8)))
        for wire in wires:
            with contextlib.suppress(ConnectionClosed):
                await wire.send(encode(Hello([1])))
        said = [server_messages.decode(data) for data in await asyncio.gather(*(w.recv() for w in wires))]
        assert [type(message) for message in said].count(media.Live) == 1
        errors = [message.code for message in said if isinstance(message, media.Error)]
        assert errors == ["ticket_used"] * 7
        await asyncio.gather(*(wire.close() for wire in wires))


async def test_a_ticket_that_was_kept_for_a_minute_is_told_so(table: Table) -> None:
    async with house(table) as here:
        ticket = here.ticket("ours", age_s=tickets.LIFETIME_S)
        assert await here.refusal(ticket) == ("ticket_expired", 4401)
        assert here.relay.registry.calls == {}


async def test_a_ticket_leads_to_its_own_session_and_to_no_other(table: Table) -> None:
    async with house(table) as here:
        wire = await here.connect(here.ticket("ours"), path="/r/0/theirs")
        await wire.send('{"type":"hello","versions":[1],"session":"theirs"}')
        live = server_messages.decode(await wire.recv())
        assert isinstance(live, media.Live) and live.session == "ours"
        assert list(here.relay.registry.calls) == ["ours"]
        await wire.close()


async def test_a_ticket_of_before_the_session_moved_is_worth_nothing(table: Table) -> None:
    async with house(table) as here:
        ticket, now = here.ticket("ours"), int(time.time())
        relays.register(table, "r2", slot="1", revision="1", capacity=5, now=now)
        relays.ready(table, "r2", "127.0.0.1:2", now)
        found = sessions.load(table, "ours")
        assert found is not None
        sessions.place(table, found, "r2", state="READY", until=now + 75, now=now)
        assert await here.refusal(ticket) == ("superseded", 4409)


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.evil", "null", ""])
async def test_a_ticket_that_another_page_got_hold_of_is_refused_and_used_up(
    table: Table, origin: str
) -> None:
    async with house(table) as here:
        ticket = here.ticket("ours")
        assert await here.status(ticket, origin=origin) == 403
        assert await here.refusal(ticket) == ("ticket_used", 4401)


async def test_a_ticket_of_another_relay_is_unknown_here_and_stays_good_there(table: Table) -> None:
    async with house(table) as here:
        ticket = here.ticket("ours", relay="r2")
        assert await here.status(ticket) == 401
        assert tickets.burn(table, ticket, relay="r2", now=int(time.time())).status == "ok"


async def test_what_is_near_a_ticket_or_stored_of_it_is_none(table: Table) -> None:
    async with house(table) as here:
        ticket = here.ticket("ours")
        near = [ticket[:-1], ticket + "A", ticket.swapcase(), hashlib.sha256(ticket.encode()).hexdigest()]
        for guess in [*near, tickets.new()]:
            assert await here.status(guess) == 401


async def test_a_ticket_in_the_address_admits_nobody(table: Table) -> None:
    async with house(table) as here:
        ticket = here.ticket("ours")
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{here.url}/r/0/x?ticket={ticket}", origin=PAGE)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 401
        await (await here.connect(ticket)).close()
