"""Carries a call by one open leg: both directions, its pings, and the moment at which it is to be changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from itertools import count
from typing import Literal, TypeVar

from gemini.messages import Credential, HandleChanged, LegEnding, ModelCommand, Unreadable
from relay import clock
from relay.model.events import ConnectionEvent, HandleIssued, ModelSaid, PongCame, Sent
from relay.model.opener import OVER, LegOpener
from relay.model.port import ModelLeg, UpstreamError
from relay.model.resumption import Resumption
from relay.model.rotation import SHORTEST_S, Plan, Schedule, retry_s
from relay.model.sender import Sender
from relay.model.uplink_queue import Quiet, Speech
from relay.ports import TroubleFound
from relay.share import Share

logger = logging.getLogger("relay.model.carriage")

PING_EVERY_S = 2.0  #: a leg that says nothing is given its time while it shows life
EXPIRY_MARGIN_S = 60.0  #: a running connection is cut when its credential expires

End = Literal["parked", "due"]
_E = TypeVar("_E", bound=Exception)


class _Ended(Exception):
    """Ends the task group of a leg that is parked, or is to be changed."""

    def __init__(self, why: End) -> None:
        super().__init__(why)
        self.why = why


class Carriage:
    """One leg's work. `run` is all of it; the other methods may be called while it runs."""

    def __init__(
        self,
        leg: ModelLeg,
        credential: Credential,
        plan: Plan,
        resumption: Resumption,
        opener: LegOpener,
        emit: Callable[[ConnectionEvent], None],
        at_turn_gap: Callable[[], bool],
    ) -> None:
        self._leg, self._plan, self._resumption, self._opener = leg, plan, resumption, opener
        self._emit, self._at_turn_gap = emit, at_turn_gap
        self._heard_at = now = clock.now()  #: when the leg last gave any sign
        self._schedule = Schedule(now, now + plan.rotate_after_s, self._expires(credential, now))
        self._look = asyncio.Event()  #: a rotation may be due now
        self._ended = asyncio.Event()
        self._end: Exception = _Ended("parked")

    @property
    def is_sent_away(self) -> bool:
        """The model has said that it will close the connection."""
        return self._schedule.is_sent_away

    def rotate(self) -> None:
        """Change the leg at the next turn gap."""
        self._schedule.is_asked = True
        self._look.set()

    def turn_gap_opened(self) -> None:
        if self._schedule.is_due(clock.now()):
            self._look.set()

    def park(self) -> None:
        self._ended.set()

    def replace(self) -> None:
        """It does not do its work: it ends as if it had dropped."""
        if not self._ended.is_set():
            self._end = UpstreamError("upstream_unavailable")
            self._ended.set()

    async def run(self, sender: Sender, readable: asyncio.Event) -> End:
        """Until the leg is parked or due to be changed. Raises UpstreamError when it fails."""
        why: End = "parked"
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._receive(readable), name="downlink")
                ways.create_task(sender.run(self._note_sent), name="uplink")
                ways.create_task(self._rotate_when_due(), name="rotation")
                ways.create_task(self._keep_alive(), name="ping")
                await self._ended.wait()
                raise self._end
        except* _Ended as group:
            why = _first(group).why
        except* UpstreamError as group:
            raise _first(group) from None
        return why

    def _note_sent(self, item: Speech | Quiet | ModelCommand) -> None:
        self._emit(Sent(item))

    async def _receive(self, readable: asyncio.Event) -> None:
        share = Share()
        async for event in self._leg.events():
            self._heard_at = clock.now()
            if isinstance(event, HandleChanged):
                self._resumption.renew(event.handle, self._heard_at)
                self._emit(HandleIssued())
            elif isinstance(event, LegEnding):
                self._schedule.goes_away(self._heard_at, event.left_s)
                self._look.set()
            elif isinstance(event, Unreadable):
                logger.warning("model message unreadable", extra={"size": event.size})
                self._emit(TroubleFound("model_unreadable"))
            else:
                self._emit(ModelSaid(event))
            if not readable.is_set():
                await readable.wait()
            await share.spend()

    async def _keep_alive(self) -> None:
        """A socket whose other end is gone without a word is found by its missing pongs."""
        while True:
            await asyncio.sleep(PING_EVERY_S)
            asked_at = clock.now()
            try:
                async with asyncio.timeout(self._plan.pong_s):
                    await self._leg.ping()
                    self._emit(PongCame())
            except TimeoutError:
                if self._heard_at < asked_at:
                    self._emit(TroubleFound("model_pong"))
                    raise UpstreamError("upstream_unavailable") from None

    # ---- rotation

    async def _rotate_when_due(self) -> None:
        """At a turn gap after the planned time, at the latest by the deadline: prepare, then change legs."""
        for tries in count(1):
            await self._until_time()
            try:
                await self._opener.prepare(is_open=not self._plan.close_first)
            except UpstreamError as error:
                if error.code in OVER:
                    raise
                logger.warning("rotation put off", extra={"code": error.code})
                await asyncio.sleep(retry_s(tries))
            else:
                raise _Ended("due")

    async def _until_time(self) -> None:
        """Until the leg must be changed, or should be and may."""
        while not self._is_time():
            self._look.clear()
            with contextlib.suppress(TimeoutError):
                at = self._schedule.next_timeout(clock.now())
                async with asyncio.timeout_at(None if at is None else at + clock.CLOCK_S):
                    await self._look.wait()

    def _is_time(self) -> bool:
        now = clock.now()
        if self._schedule.is_forced(now):
            return True
        return self._schedule.is_due(now) and self._resumption.is_current and self._at_turn_gap()

    def _expires(self, credential: Credential, now: float) -> float:
        """Loop time by which the leg must be changed because of its credential."""
        if self._plan.wall is None:
            return clock.NEVER
        left_s = credential.expires_at_ms / 1000 - self._plan.wall() - EXPIRY_MARGIN_S
        return now + max(left_s, SHORTEST_S)


def _first(group: BaseExceptionGroup[_E]) -> _E:
    """The failure to report: both ways often fail at once, of the same cause."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
