"""A credential is there when a client comes that has waited for this relay."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from gemini.messages import Credential
from records.sessions import Session
from relay.aws.lambdas import MintRefused
from relay.ports import LedgerUnavailable
from relay.task.minted_ahead import FRESH_S, MintedAhead
from tests.relay.fakes import session as a_session


@dataclass
class World:
    """Who waits, what the record says of them, and what is minted."""

    records: dict[str, Session]
    asked: list[tuple[str, int, str | None]] = field(default_factory=list)
    refuses: bool = False
    is_away: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def leases(self) -> Collection[str]:
        if self.is_away:
            raise LedgerUnavailable
        return self.records

    async def load(self, session: str) -> Session | None:
        return self.records[session]

    async def mint(self, session: str, epoch: int, handle: str | None) -> Credential:
        self.asked.append((session, epoch, handle))
        await self.gate.wait()
        if self.refuses:
            raise MintRefused("mint_failed")
        return Credential(f"token of {session}", "m", 0, "full")


def world(*epochs: int) -> World:
    made = World({})
    for number, epoch in enumerate(epochs):
        made.records[f"s{number}"] = replace(a_session(f"s{number}"), epoch=epoch)
    return made


async def test_everybody_who_waits_has_one_and_takes_it_once() -> None:
    w = world(1, 2)
    ahead = MintedAhead(w, w, w)
    w.gate.set()
    await ahead.fill()
    assert sorted(w.asked) == [("s0", 1, None), ("s1", 2, None)]
    taken = await ahead.take("s1", 2)
    assert taken is not None and taken.token == "token of s1"
    assert await ahead.take("s1", 2) is None


async def test_who_comes_sooner_waits_for_the_one_that_is_being_minted() -> None:
    w = world(1)
    ahead = MintedAhead(w, w, w)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ahead.fill())
        while not w.asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        taking = tasks.create_task(ahead.take("s0", 1))
        await asyncio.sleep(0)
        assert not taking.done()
        w.gate.set()
    taken = taking.result()
    assert taken is not None and len(w.asked) == 1


async def test_none_is_given_for_another_epoch_or_when_it_was_refused() -> None:
    w = world(1)
    w.refuses = True
    w.gate.set()
    ahead = MintedAhead(w, w, w)
    await ahead.fill()
    assert await ahead.take("s0", 2) is None
    assert await ahead.take("s0", 1) is None


async def test_one_that_waited_too_long_is_not_used(looptime: object) -> None:
    w = world(1)
    w.gate.set()
    ahead = MintedAhead(w, w, w)
    await ahead.fill()
    await asyncio.sleep(FRESH_S + 1)
    assert await ahead.take("s0", 1) is None


async def test_a_conversation_that_goes_on_asks_with_its_own_handle() -> None:
    w = world(1)
    w.records["s0"] = replace(w.records["s0"], next_turn=4)
    w.gate.set()
    ahead = MintedAhead(w, w, w)
    await ahead.fill()
    assert w.asked == [] and await ahead.take("s0", 1) is None


async def test_a_table_that_is_away_costs_nothing_but_the_gain() -> None:
    w = world(1)
    w.is_away = True
    await MintedAhead(w, w, w).fill()
    assert w.asked == []
