"""The call's model leg over time: opened when a client is there, parked when it is long gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from relay.model import HandleChanged, ModelEvent, ModelLeg, TurnCompleted, UpstreamError
from relay.uplink import Speech, UplinkQueue

OpenLeg = Callable[[str | None], Awaitable[ModelLeg]]  #: handle in, open leg out; raises UpstreamError


class _Parked(Exception):
    """Ends the task group of a leg that is no longer wanted."""


class Upstream:
    """Carries the uplink queue to the model, and the model's events to `heard`."""

    def __init__(self, open_leg: OpenLeg, uplink: UplinkQueue) -> None:
        self.handle: str | None = None  #: newest way back into the model's context
        self.is_up = False
        self.wanted = asyncio.Event()  #: cleared: park the leg; set: have it (back)
        self.readable = asyncio.Event()  #: cleared: the client is backed up, read no further
        self.parking = asyncio.Event()
        self.readable.set()
        self._open_leg = open_leg
        self._uplink = uplink

    def park(self) -> None:
        """Close the leg until the client is back; the handle keeps the model's context."""
        self.wanted.clear()
        self.parking.set()

    def want(self) -> None:
        self.parking.clear()
        self.wanted.set()

    async def run(
        self,
        *,
        went_up: Callable[[], None],
        heard: Callable[[ModelEvent], None],
        handed: Callable[[int], None],
    ) -> None:
        """Until cancelled. Raises UpstreamError when the leg fails or cannot be opened."""
        while True:
            await self.wanted.wait()
            leg = await self._open_leg(self.handle)
            try:
                self.is_up = True
                went_up()
                await self._carry(leg, heard, handed)
                heard(TurnCompleted(idle=True))  # parked: the next leg knows nothing of a turn half said
            finally:
                self.is_up = False
                await leg.close()

    async def _carry(
        self, leg: ModelLeg, heard: Callable[[ModelEvent], None], handed: Callable[[int], None]
    ) -> None:
        """Both directions, until the leg is parked."""
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._receive(leg, heard), name="downlink")
                ways.create_task(self._send(leg, handed), name="uplink")
                await self.parking.wait()
                raise _Parked
        except* _Parked:
            pass
        except* UpstreamError as group:
            raise _first(group) from None

    async def _receive(self, leg: ModelLeg, heard: Callable[[ModelEvent], None]) -> None:
        async for event in leg.events():
            if isinstance(event, HandleChanged):
                self.handle = event.handle
            else:
                heard(event)
            if not self.readable.is_set():
                await self.readable.wait()

    async def _send(self, leg: ModelLeg, handed: Callable[[int], None]) -> None:
        while True:
            item = await self._uplink.get()
            if isinstance(item, Speech):
                await leg.send_audio(item.pcm)
                handed(item.seq)
            else:
                await leg.send(item)


def _first(group: BaseExceptionGroup[UpstreamError]) -> UpstreamError:
    """The failure to report: both ways often fail at once, of the same cause."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
