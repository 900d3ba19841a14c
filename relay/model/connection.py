"""The call's model leg over time: opened, parked, rotated, and opened again when it drops.

    wanted ──▶ open ──▶ bring up to date ──▶ carry ──▶ parked: close, wait until wanted again
                ▲                              │ ├───▶ due at a turn gap, or at the deadline: rotate
                └───────── backoff ◀───────────┘ └───▶ dropped

The client sees none of this but a metric. What was sent after the handle's snapshot is sent again; turns the
model has forgotten are told to it as they were heard.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Protocol

from gemini.messages import SILENCE_MS, Credential, HandleChanged, LegEnding, ModelCommand, ModelEvent
from relay.model.port import ModelLeg, UpstreamError
from relay.model.replay_buffer import ReplayBuffer
from relay.model.resumption import Handle, Resumption
from relay.model.rotation import NEVER, SHORTEST_S, Schedule, retry_s
from relay.model.sender import Sender
from relay.model.uplink_queue import Speech, UplinkQueue

logger = logging.getLogger("relay.model.connection")

STORE_S = 90.0  #: how long a leg is tried to be opened while only our own store is in the way
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  #: waits before the tries to open a leg
OVER = {"session_ended", "superseded"}  #: there is no session to open a leg for
REFUSALS = {
    "upstream_invalid",
    "upstream_policy",
    "upstream_context_full",
}  #: a handle may be why
NOT_SOON = {"key_refused", "upstream_quota"}  #: who has not talked yet is told at once, and need not wait
YOUNG_S = 5.0  #: a leg that dies or must be changed sooner counts towards giving up; its handle may be bad
TICK_S = 0.1  #: how often a due rotation looks for a turn gap
PING_EVERY_S = 20.0  #: how often an open leg is pinged
EXPIRY_MARGIN_S = 60.0  #: a running connection is cut when its credential expires


class Legs(Protocol):
    """Where model legs come from. Both raise UpstreamError."""

    async def mint(self, handle: str | None) -> Credential: ...

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg: ...


class Talk(Protocol):
    """The conversation that a leg carries."""

    @property
    def is_quiet(self) -> bool:
        """Nobody speaks and nothing is awaited: nothing would be cut by a change of legs."""
        ...

    @property
    def is_over(self) -> bool:
        """It has ended: no other leg is wanted."""
        ...

    def went_up(self, gap_ms: int | None) -> None:
        """The leg is there (again), after so long without one; None the first time."""
        ...

    def went_down(self) -> None:
        """What the old leg had begun will not be finished by the new one."""
        ...

    def heard(self, event: ModelEvent) -> None: ...

    def remembered(self) -> None:
        """`Resumption.handle` has changed."""
        ...

    def handed(self, item: Speech | ModelCommand) -> None:
        """The leg has taken it."""
        ...

    def noticed(self, trouble: str) -> None:
        """Something was found by a watchdog here, and is being mended."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """When and how legs are changed."""

    rotate_after_s: float = 510.0  #: below the ten minutes a connection is given
    close_first: bool = True  #: some report that a handle is refused while its old connection is open
    pong_s: float = 60.0  #: a leg without pong or any other sign for so long is dead
    wall: Callable[[], float] | None = None  #: epoch s, for the credential's expiry; None: it is not watched


@dataclass(frozen=True, slots=True)
class Ahead:
    """Made before the old leg is let go."""

    credential: Credential
    handle: Handle | None
    leg: ModelLeg | None = None  #: open already, when the order is to open first


DEFAULT_PLAN = Plan()


class _Parked(Exception):
    """Ends the task group of a leg that is no longer wanted."""


class _Due(Exception):
    """Ends the task group of a leg that is to be changed."""


class ModelConnection:
    """Carries the uplink queue to the model and the model's events to the talk."""

    def __init__(self, legs: Legs, uplink: UplinkQueue, resumption: Resumption, plan: Plan) -> None:
        self.is_up = False
        self.silence_ms = SILENCE_MS  #: of quiet that end the user's turn, by the newest leg's setup
        self.readable = asyncio.Event()  #: cleared: the client is backed up, read no further
        self.readable.set()
        self._wanted = asyncio.Event()
        self._parking = asyncio.Event()
        self._replacing = asyncio.Event()
        self._legs, self._uplink, self._resumption, self._plan = legs, uplink, resumption, plan
        self._replay = ReplayBuffer()
        self._now = asyncio.get_running_loop().time
        self._ahead: Ahead | None = None  #: what a rotation has made ready
        self._pinned: Handle | None = None  #: what it starts from: nothing sent since may be forgotten
        self._schedule = Schedule(0.0, NEVER, NEVER)  #: of the present leg
        self._down_at: float | None = None
        self._heard_at = 0.0  #: when the present leg last gave any sign
        self._young_deaths = 0  #: legs in a row that died soon

    def park(self) -> None:
        """Close the leg until the client is back; the handle keeps the model's context."""
        self._wanted.clear()
        self._parking.set()

    def want(self) -> None:
        self._parking.clear()
        self._wanted.set()

    def rotate(self) -> None:
        """Change the leg at the next turn gap. Without one there is nothing to change."""
        self._schedule.is_asked = True

    def replace_leg(self, *, forget: bool = False) -> None:
        """The leg is open and does not do its work: have another one, as after a drop.

        `forget`: do without its handle, which may lead to the same trouble again.
        """
        if forget:
            self._resumption.handle = None
        self._replacing.set()

    async def run(self, talk: Talk) -> None:
        """Until cancelled. Raises UpstreamError when there is no way to go on."""
        while not talk.is_over:  # the leg's task group may swallow the cancelling of that instant
            await self._wanted.wait()
            await asyncio.sleep(BACKOFF_S[self._young_deaths])
            made = await self._open()
            assert made.leg is not None
            opened_at = self._now()
            try:
                self.silence_ms = made.credential.silence_ms
                sender = Sender(made.leg, self.silence_ms, self._uplink, self._replay)
                await self._catch_up(made.leg, sender, made.handle)
                self._went_up(talk)
                await self._run_legs(made, sender, talk)
                self._judge_rotation(self._now() - opened_at)
            except UpstreamError as error:
                self._judge(error, self._now() - opened_at)
            finally:
                self.is_up, self._down_at = False, self._now()
                talk.went_down()
                await made.leg.close()

    # ---- opening

    async def _open(self) -> Ahead:
        """A leg with the newest context that is to be had. Raises UpstreamError after the last try."""
        began_at = self._now()
        for tries in count():
            await asyncio.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
            try:
                return await self._try_open()
            except UpstreamError as error:
                is_new = self._down_at is None and self._resumption.is_empty
                if error.code in OVER or (error.code in NOT_SOON and is_new):
                    raise
                if error.code in REFUSALS:
                    if self._resumption.handle is None:
                        raise
                    logger.warning("handle refused", extra={"code": error.code})
                    self._resumption.handle = None
                is_store = error.code == "store_unavailable" and self._now() - began_at < STORE_S
                if tries >= len(BACKOFF_S) - 1 and not is_store:
                    raise
        raise AssertionError("counts for ever")

    async def _try_open(self) -> Ahead:
        ahead, self._ahead = self._ahead or await self._mint(), None
        if ahead.leg is not None:
            return ahead
        leg = await self._legs.open(ahead.credential, ahead.handle.text if ahead.handle else None)
        return replace(ahead, leg=leg)

    async def _mint(self) -> Ahead:
        self._pinned = handle = self._resumption.handle
        return Ahead(await self._legs.mint(handle.text if handle else None), handle)

    async def _catch_up(self, leg: ModelLeg, sender: Sender, handle: Handle | None) -> None:
        """Tell the model what it does not remember, and say again what it has not answered."""
        recall = self._resumption.recall(handle)
        if recall is not None:
            await leg.send(recall)
        await sender.say_again(self._replay.since(self._resumption.replay_from(handle)))
        self._pinned = None

    def _went_up(self, talk: Talk) -> None:
        self.is_up = True
        gap_ms = None if self._down_at is None else round((self._now() - self._down_at) * 1000)
        talk.went_up(gap_ms)

    def _judge_rotation(self, lived_s: float) -> None:
        """Count a leg that its model sent away as soon as it was open. Raises UpstreamError after the last.

        A `goAway` without time left on every connection must not make a storm of credentials.
        """
        was_sent_away = self._schedule.is_sent_away and not self._parking.is_set()
        self._count_life(lived_s if was_sent_away else YOUNG_S)
        if self._young_deaths == len(BACKOFF_S):
            raise UpstreamError("upstream_unavailable")

    def _count_life(self, lived_s: float) -> None:
        self._young_deaths = self._young_deaths + 1 if lived_s < YOUNG_S else 0

    def _judge(self, error: UpstreamError, lived_s: float) -> None:
        """Whether to open another leg after this failure. Raises it when that would not help.

        What a leg of some age is closed for need not meet the next one: whatever the code, the conversation
        goes on by its handle, and by what was heard when there is none.
        """
        self._count_life(lived_s)
        is_refused = error.code in REFUSALS and self._resumption.handle is None and self._young_deaths > 0
        if error.code in OVER or is_refused or self._young_deaths == len(BACKOFF_S):
            raise error
        logger.info("model leg lost", extra={"code": error.code, "lived_s": round(lived_s, 1)})
        if self._young_deaths > 1 or error.code == "upstream_context_full":
            self._resumption.handle = None

    # ---- carrying

    async def _run_legs(self, made: Ahead, sender: Sender, talk: Talk) -> None:
        """Both directions, until the leg is parked or due to be changed."""
        leg, now = made.leg, self._now()
        assert leg is not None
        self._heard_at = now
        self._schedule = Schedule(now, now + self._plan.rotate_after_s, self._expires(made.credential))
        self._replacing.clear()
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._receive(leg, talk), name="downlink")
                ways.create_task(sender.run(talk.handed), name="uplink")
                ways.create_task(self._rotate_when_due(talk), name="rotation")
                ways.create_task(self._keep_alive(leg, talk), name="pulse")
                ways.create_task(self._until_replaced(), name="distrust")
                await self._parking.wait()
                raise _Parked
        except* (_Parked, _Due):
            pass
        except* UpstreamError as group:
            raise _first(group) from None

    async def _receive(self, leg: ModelLeg, talk: Talk) -> None:
        async for event in leg.events():
            self._heard_at = self._now()
            if isinstance(event, HandleChanged):
                self._remember(event.handle)
                talk.remembered()
            elif isinstance(event, LegEnding):
                self._schedule.goes_away(self._now(), event.left_s)
            else:
                talk.heard(event)
            if not self.readable.is_set():
                await self.readable.wait()

    def _remember(self, handle: str) -> None:
        self._resumption.handle = newest = Handle(handle, self._now())
        self._replay.forget_before((self._pinned or newest).covers)

    async def _until_replaced(self) -> None:
        await self._replacing.wait()
        raise UpstreamError("upstream_unavailable")

    async def _keep_alive(self, leg: ModelLeg, talk: Talk) -> None:
        """A socket whose other end is gone without a word is found by its missing pongs."""
        while True:
            await asyncio.sleep(PING_EVERY_S)
            asked_at = self._now()
            try:
                async with asyncio.timeout(self._plan.pong_s):
                    await leg.ping()
            except TimeoutError:
                if self._heard_at < asked_at:
                    talk.noticed("model_pong")
                    raise UpstreamError("upstream_unavailable") from None

    # ---- rotation

    async def _rotate_when_due(self, talk: Talk) -> None:
        """At a turn gap after the planned time, at the latest by the deadline: mint, then change legs."""
        for tries in count(1):
            while not self._is_time(talk):  # noqa: ASYNC110 (a turn gap has no event of its own)
                await asyncio.sleep(TICK_S)
            try:
                self._ahead = await self._mint()
                if not self._plan.close_first:
                    self._ahead = await self._try_open()
            except UpstreamError as error:
                self._ahead = None
                if error.code in OVER:
                    raise
                logger.warning("rotation put off", extra={"code": error.code})
                await asyncio.sleep(retry_s(tries))
                continue
            raise _Due

    def _is_time(self, talk: Talk) -> bool:
        now = self._now()
        if self._schedule.is_forced(now):
            return True
        return self._schedule.is_due(now) and talk.is_quiet and self._resumption.is_current

    def _expires(self, credential: Credential) -> float:
        """Loop time by which the leg must be changed because of its credential."""
        if self._plan.wall is None:
            return NEVER
        left_s = credential.expires_at_ms / 1000 - self._plan.wall() - EXPIRY_MARGIN_S
        return self._now() + max(left_s, SHORTEST_S)


def _first(group: BaseExceptionGroup[UpstreamError]) -> UpstreamError:
    """The failure to report: both ways often fail at once, of the same cause."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
