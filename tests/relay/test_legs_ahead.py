"""A leg is open when a client comes that has waited for this relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from gemini.messages import Credential
from records.sessions import Session
from relay.aws.lambdas import MintRefused
from relay.model.port import ModelLeg, UpstreamError
from relay.ports import LedgerUnavailable
from relay.task.legs_ahead import UNCLAIMED_S, LegsAhead, SessionLegs
from tests.relay.fakes import ScriptedLeg
from tests.relay.fakes import session as a_session


@dataclass
class World:
    """Who waits, what the record says of them, what is minted, and what is opened."""

    records: dict[str, Session]
    asked: list[tuple[str, int, str | None]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)  #: tokens, each good for one leg
    legs: list[ScriptedLeg] = field(default_factory=list)
    refuses: bool = False
    is_away: bool = False
    model: str = ""  #: code by which legs are refused
    gate: asyncio.Event = field(default_factory=asyncio.Event)  #: mint answers
    door: asyncio.Event = field(default_factory=asyncio.Event)  #: legs are set up

    async def leases(self) -> Collection[str]:
        if self.is_away:
            raise LedgerUnavailable
        return self.records

    async def load(self, session: str) -> Session | None:
        return self.records[session]

    async def mint(
        self, session: str, epoch: int, handle: str | None, refused: Sequence[str] = ()
    ) -> Credential:
        self.asked.append((session, epoch, handle))
        await self.gate.wait()
        if self.refuses:
            raise MintRefused("mint_failed")
        return Credential(f"token {len(self.asked)} of {session}", "m", 0, "full")

    async def open(self, credential: Credential, handle: str | None = None) -> ModelLeg:
        assert credential.token not in self.opened, "it is good for one leg"
        self.opened.append(credential.token)
        await self.door.wait()
        if self.model:
            raise UpstreamError(self.model)
        self.legs.append(leg := ScriptedLeg(handle))
        return leg

    def legs_of(self, ahead: LegsAhead, session: str = "s0", epoch: int = 1) -> SessionLegs:
        return SessionLegs(self, self.open, ahead, session, epoch)


def world(*epochs: int) -> World:
    made = World({})
    for number, epoch in enumerate(epochs):
        made.records[f"s{number}"] = replace(a_session(f"s{number}"), epoch=epoch)
    made.gate.set(), made.door.set()
    return made


@asynccontextmanager
async def filling(w: World) -> AsyncIterator[LegsAhead]:
    """While it is filled; what nobody claimed in here is closed at the end, as when a relay leaves."""
    ahead = LegsAhead(w, w, w, w.open)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(ahead.fill())
        await settle()
        yield ahead
        await settle()
        task.cancel()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_everybody_who_waits_has_a_leg_and_takes_it_once() -> None:
    w = world(1, 2)
    async with filling(w) as ahead:
        assert sorted(w.asked) == [("s0", 1, None), ("s1", 2, None)] and len(w.legs) == 2
        legs = w.legs_of(ahead, "s1", 2)
        first = await legs.open(await legs.mint(None), None)
        assert first in w.legs and len(w.opened) == 2, "the one that is open already"
        second = await legs.open(await legs.mint(None), None)
        assert second is not first and len(w.opened) == 3
    assert [leg.closed.is_set() for leg in w.legs if leg not in (first, second)] == [True]
    assert not first.closed.is_set(), "it is the call's now"  # type: ignore[attr-defined]


async def test_who_comes_sooner_waits_for_the_leg_that_is_being_opened() -> None:
    w = world(1)
    w.door.clear()
    async with filling(w) as ahead, asyncio.TaskGroup() as tasks:
        legs = w.legs_of(ahead)
        opening = tasks.create_task(legs.open(await legs.mint(None), None))
        await settle()
        assert not opening.done()
        w.door.set()
    assert opening.result() is w.legs[0] and len(w.opened) == len(w.legs) == 1


async def test_a_second_round_leaves_those_alone_that_are_there() -> None:
    w = world(1)
    async with filling(w) as ahead, asyncio.TaskGroup() as tasks:
        w.records["s1"] = a_session("s1")
        again = tasks.create_task(ahead.fill())
        await settle()
        assert [session for session, _, _ in w.asked] == ["s0", "s1"] and len(w.legs) == 2
        again.cancel()


async def test_none_is_given_for_another_epoch_or_when_it_was_refused() -> None:
    w = world(1)
    w.refuses = True
    async with filling(w) as ahead:
        assert await ahead.take("s0", 2) is None
        assert await ahead.take("s0", 1) is None
    assert w.opened == []


@pytest.mark.parametrize("comes_first", [True, False])
async def test_a_model_that_refuses_ahead_refuses_the_call_with_its_own_code(comes_first: bool) -> None:
    w = world(1)
    w.model = "upstream_quota"
    if comes_first:
        w.door.clear()
    async with filling(w) as ahead:
        legs = w.legs_of(ahead)
        credential = await legs.mint(None)
        w.door.set()
        with pytest.raises(UpstreamError) as refused:
            await legs.open(credential, None)
    assert refused.value.code == "upstream_quota"
    assert len(w.opened) == (1 if comes_first else 2), "who comes later asks for itself"


async def test_a_leg_whose_client_does_not_come_is_closed_and_not_given_later(looptime: object) -> None:
    w = world(1)
    async with filling(w) as ahead:
        late = w.legs_of(ahead)
        credential = await late.mint(None)
        await asyncio.sleep(UNCLAIMED_S + 1)
        assert w.legs[0].closed.is_set()
        with pytest.raises(UpstreamError):
            await late.open(credential, None)
        legs = w.legs_of(ahead)
        assert await legs.open(await legs.mint(None), None) is w.legs[1], "the next try has its own"


async def test_a_call_that_ends_while_its_leg_is_opened_leaves_none_open(looptime: object) -> None:
    w = world(1)
    w.door.clear()
    async with filling(w) as ahead:
        legs = w.legs_of(ahead)
        credential = await legs.mint(None)
        opening = asyncio.get_running_loop().create_task(legs.open(credential, None))
        await settle()
        opening.cancel()
        await asyncio.wait([opening])
        w.door.set()
        await asyncio.sleep(UNCLAIMED_S + 1)
        assert [leg.closed.is_set() for leg in w.legs] == [True]


async def test_a_conversation_that_goes_on_asks_with_its_own_handle() -> None:
    w = world(1)
    w.records["s0"] = replace(w.records["s0"], next_turn=4)
    async with filling(w) as ahead:
        assert w.asked == [] and await ahead.take("s0", 1) is None


async def test_another_model_is_never_taken_from_what_was_opened_ahead() -> None:
    w = world(1)
    async with filling(w) as ahead:
        legs = w.legs_of(ahead)
        await legs.open(await legs.mint(None, ["m"]), None)
        assert len(w.opened) == 2 and len(w.legs) == 2


async def test_a_table_that_is_away_costs_nothing_but_the_gain() -> None:
    w = world(1)
    w.is_away = True
    await LegsAhead(w, w, w, w.open).fill()
    assert w.asked == []
