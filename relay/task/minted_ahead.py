"""Credentials for the calls that wait for this relay, minted while their clients are told of it and dial.

ready ─┬─ announce ─▶ `ready` to the clients ─▶ they dial ─▶ hello ─▶ a leg is wanted
       └─ mint, for each session that has a place here ─────────────▶ its credential is here
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, Protocol

from gemini.messages import Credential
from records.sessions import Session
from relay import clock
from relay.aws.lambdas import MintRefused
from relay.ports import LedgerUnavailable

FRESH_S = 60.0  #: after that another is minted: a token must be used within 90 s


class Waiting(Protocol):
    async def leases(self) -> Collection[str]:
        """Sessions that have a place here. Raises LedgerUnavailable."""
        ...


class Book(Protocol):
    async def load(self, session: str) -> Session | None: ...


class Minter(Protocol):
    def mint(self, session: str, epoch: int, handle: str | None) -> Coroutine[Any, Any, Credential]: ...


class MintedAhead:
    """`fill` when the relay is ready; `take` when a call wants its first leg."""

    def __init__(self, waiting: Waiting, book: Book, minter: Minter) -> None:
        self._waiting, self._book, self._minter = waiting, book, minter
        self._minting: dict[tuple[str, int], tuple[float, asyncio.Task[Credential | None]]] = {}

    async def fill(self) -> None:
        """Mint for all who wait. Those that cannot be had are asked for again by their calls."""
        self._minting.clear()  # who has not come by now, since before a suspension, comes no more
        try:
            sessions = await self._waiting.leases()
            async with asyncio.TaskGroup() as tasks:
                for session in sessions:
                    tasks.create_task(self._begin(session, tasks))
        except* LedgerUnavailable:
            pass

    async def take(self, session: str, epoch: int) -> Credential | None:
        """The credential, once; None when there is none that is fresh, or for this epoch."""
        began_at, minting = self._minting.pop((session, epoch), (0.0, None))
        if minting is None or clock.now() - began_at > FRESH_S:
            return None
        await asyncio.wait([minting])
        return None if minting.cancelled() else minting.result()

    async def _begin(self, session: str, tasks: asyncio.TaskGroup) -> None:
        record = await self._book.load(session)
        if record is None or record.state == "ENDED" or record.next_turn > 1:
            return  # a conversation that goes on needs the newest handle, which its call knows
        minting = tasks.create_task(self._mint(session, record.epoch))
        self._minting[session, record.epoch] = (clock.now(), minting)

    async def _mint(self, session: str, epoch: int) -> Credential | None:
        try:
            return await self._minter.mint(session, epoch, None)
        except (MintRefused, LookupError, TypeError):  # the call asks anew, and is told
            return None
