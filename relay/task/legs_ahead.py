"""Model legs for the calls that wait for this relay, opened while their clients are told of it and dial.

awake ─┬─ ready ─▶ announce ─▶ `ready` to the clients ─▶ they dial ─▶ hello ─▶ a leg is wanted
       └─ mint, then open, for each session that has a place here ───────────▶ it is here

A leg whose client does not come is closed after seconds: it costs no words, and one of the key's connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any, Protocol

from gemini.messages import Credential
from records.sessions import Session
from relay import clock
from relay.aws.lambdas import MintRefused
from relay.model.port import ModelLeg, UpstreamError
from relay.ports import LedgerUnavailable

UNCLAIMED_S = 15.0  #: a leg is kept so long for its client


class Waiting(Protocol):
    async def leases(self) -> Collection[str]:
        """Sessions that have a place here. Raises LedgerUnavailable."""
        ...


class Book(Protocol):
    async def load(self, session: str) -> Session | None: ...


class Minter(Protocol):
    def mint(
        self, session: str, epoch: int, handle: str | None, refused: Sequence[str] = ()
    ) -> Coroutine[Any, Any, Credential]: ...


Open = Callable[[Credential], Awaitable[ModelLeg]]  #: raises UpstreamError


class Ahead:
    """The first leg of one call: its credential, then the leg, or why there is none."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.began_at = clock.now()
        self.minted: asyncio.Future[Credential | None] = loop.create_future()
        self.opened: asyncio.Future[ModelLeg | UpstreamError] = loop.create_future()
        self.claimed = asyncio.Event()
        self.is_over = False  #: nobody claimed it in time

    async def claim(self) -> ModelLeg:
        """The leg, which is the caller's from now on. Raises UpstreamError."""
        if self.is_over:
            raise UpstreamError("upstream_unavailable")
        self.claimed.set()
        try:
            leg = await asyncio.shield(self.opened)
        except asyncio.CancelledError:  # the call has ended meanwhile
            self.claimed.clear()
            if self.opened.done() and not isinstance(leg := self.opened.result(), UpstreamError):
                await leg.close()
            raise
        if isinstance(leg, UpstreamError):
            raise leg
        return leg

    def end(self) -> None:
        """Nobody works on it any more: who still waits is told so."""
        if not self.minted.done():
            self.minted.set_result(None)
        if not self.opened.done():
            self.opened.set_result(UpstreamError("upstream_unavailable"))

    async def fill(self, minting: Awaitable[Credential], open: Open) -> None:
        """Mint and open; close the leg if it is not claimed. Returns when there is nothing left to do."""
        try:
            credential = await minting
        except (MintRefused, LookupError, TypeError):  # the call asks anew, and is told
            self.minted.set_result(None)
            return
        self.minted.set_result(credential)
        try:
            leg = await open(credential)
        except UpstreamError as error:
            self.opened.set_result(error)
            return
        self.opened.set_result(leg)
        try:
            async with asyncio.timeout(UNCLAIMED_S):
                await self.claimed.wait()
        except TimeoutError:
            pass
        finally:
            if not self.claimed.is_set():
                self.is_over = True
                await leg.close()


class LegsAhead:
    """`fill` when the relay is about to be ready, and when it is; `take` when a call wants its first leg."""

    def __init__(self, waiting: Waiting, book: Book, minter: Minter, open: Open) -> None:
        self._waiting, self._book, self._minter, self._open = waiting, book, minter, open
        self._ahead: dict[tuple[str, int], Ahead] = {}

    async def fill(self) -> None:
        """Open one for each who waits and has none. Returns when all are claimed or closed."""
        try:
            sessions = await self._waiting.leases()
            async with asyncio.TaskGroup() as tasks:
                for session in sessions:
                    tasks.create_task(self._fill(session))
        except* LedgerUnavailable:
            pass

    async def take(self, session: str, epoch: int) -> Ahead | None:
        """The one for this epoch, once, when its credential is here. None: too late, or refused."""
        ahead = self._ahead.get((session, epoch))
        if ahead is None or clock.now() - ahead.began_at > UNCLAIMED_S:
            return None
        await asyncio.wait([ahead.minted])
        if self._ahead.pop((session, epoch), None) is None:
            return None  # taken meanwhile
        return None if ahead.minted.result() is None else ahead

    async def _fill(self, session: str) -> None:
        record = await self._book.load(session)
        if record is None or record.state == "ENDED" or record.next_turn > 1:
            return  # a conversation that goes on needs the newest handle, which its call knows
        if (key := (session, record.epoch)) in self._ahead:
            return
        self._ahead[key] = ahead = Ahead()
        try:
            await ahead.fill(self._minter.mint(session, record.epoch, None), self._open)
        finally:
            ahead.end()
            if self._ahead.get(key) is ahead:
                del self._ahead[key]


class SessionLegs:
    """Model legs of one session: a fresh single-use credential for each. The first may be open already."""

    def __init__(
        self,
        minter: Minter,
        open: Callable[[Credential, str | None], Awaitable[ModelLeg]],
        ahead: LegsAhead,
        session: str,
        epoch: int,
    ) -> None:
        self._minter, self._open, self._ahead = minter, open, ahead
        self._session, self._epoch = session, epoch
        self._taken: Ahead | None = None

    async def mint(self, handle: str | None, refused: Sequence[str] = ()) -> Credential:
        self._taken = None
        if handle is None and not refused:
            self._taken = await self._ahead.take(self._session, self._epoch)
        if self._taken is not None:
            credential = self._taken.minted.result()
            assert credential is not None
            return credential
        try:
            return await self._minter.mint(self._session, self._epoch, handle, refused)
        except MintRefused as refusal:
            raise UpstreamError(refusal.code) from None

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        taken, self._taken = self._taken, None
        if taken is not None and taken.minted.result() is credential:
            return await taken.claim()
        return await self._open(credential, handle)
