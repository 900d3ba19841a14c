"""The call's model leg over time: opened, parked, rotated, and opened again when it drops.

    wanted ──▶ open ──▶ bring up to date ──▶ carry ──▶ parked: close, wait until wanted again
                ▲                              │ ├───▶ due at a turn gap, or at the deadline: rotate
                └───────── backoff ◀───────────┘ └───▶ dropped          (the table: `states.py`)

The client sees none of this but a metric. What was sent after the handle's snapshot is sent again; turns the
model has forgotten are told to it as they were heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gemini.messages import MarkActivity, ModelCommand, Note, SayText
from gemini.profiles import Profile
from protocol.audio import AudioFrame
from protocol.states import advance
from relay import clock
from relay.model.carriage import Carriage
from relay.model.events import ConnectionEvent, HandleIssued, LegClosed, LegOpened
from relay.model.opener import LegOpener, Prepared
from relay.model.port import Legs, ModelLeg, UpstreamError
from relay.model.replay_buffer import LEAD_S, ReplayBuffer
from relay.model.resumption import Resumption
from relay.model.rotation import Plan
from relay.model.sender import Sender
from relay.model.states import LEG, LegState
from relay.model.uplink_queue import UplinkQueue
from relay.ports import TroubleFound


class ModelConnection:
    """Carries the uplink queue to the model, and tells what comes of it.

    `emit` hears of everything at once, in order: a rotation is decided on all that the model has said. A
    queue between the two would let it be decided on a conversation that is not up to date.
    """

    def __init__(
        self,
        legs: Legs,
        resumption: Resumption,
        plan: Plan,
        emit: Callable[[ConnectionEvent], None],
        at_turn_gap: Callable[[], bool],
    ) -> None:
        """`at_turn_gap`: nobody speaks and nothing is awaited, nothing would be cut by a change of legs."""
        self.state = LegState.PARKED
        self.refused = "upstream_unavailable"  #: code by which the model was lost, or could not be had, last
        self.uplink = UplinkQueue()
        self.readable = asyncio.Event()  #: cleared: the client is backed up, read no further
        self.readable.set()
        self._resumption, self._plan = resumption, plan
        self._emit, self._at_turn_gap = emit, at_turn_gap
        self._opener = LegOpener(legs, resumption, self._note_refusal)
        self._replay = ReplayBuffer()
        self._carriage: Carriage | None = None  #: of the leg that is open
        self._wanted = asyncio.Event()
        self._down_at: float | None = None
        self._profile: Profile | None = None  #: of the latest leg's model

    # ---- what the call wants of it

    def park(self) -> None:
        """Close the leg until the client is back; the handle keeps the model's context."""
        self._wanted.clear()
        if self._carriage is not None:
            self._carriage.park()

    def want(self) -> bool:
        """Have one open. False when one was wanted already."""
        was_parked = not self.is_wanted
        self._wanted.set()
        return was_parked

    def stop(self) -> None:
        """The call has ended: no other leg is wanted."""
        self.state = advance(LEG, self.state, "stopped")

    def rotate(self) -> None:
        """Change the leg at the next turn gap. Without one there is nothing to change."""
        if self._carriage is not None:
            self._carriage.rotate()

    def turn_gap_opened(self) -> None:
        """`at_turn_gap` has come true, or the handle holds what it did not: a rotation may be due."""
        if self._carriage is not None:
            self._carriage.turn_gap_opened()

    def replace_leg(self) -> None:
        """The leg is open and does not do its work: have another one, as after a drop."""
        if self._carriage is not None:
            self._carriage.replace()

    def asks(self, began_at: float | None, said_at: float, user_speaks: bool) -> None:
        """What is not answered began to be said then, and was said; it is kept. None: nothing is open."""
        self._resumption.asks(began_at, user_speaks=user_speaks)
        self._replay.keep(began_at, said_at)

    def asks_again(self, said_at: float) -> None:
        """The answer to what was said until then broke off with its leg."""
        self._replay.forget_room(said_at)

    def put(self, item: AudioFrame | ModelCommand) -> None:
        """Have it sent, in order. While no leg is open it waits, and a note for its moment."""
        match item:
            case AudioFrame():
                self.uplink.put_audio(item)
            case Note():
                self.uplink.put_note(item)
            case SayText():
                self.uplink.tell_notes()
                self.uplink.put_command(item)
            case _:
                self.uplink.put_command(item)
                if item == MarkActivity(True):
                    self.tell_notes(with_words=True)

    def tell_notes(self, *, with_words: bool) -> None:
        """The moment for notes: a pause, or `with_words` of the user's.

        What is told by itself ends the answer that is under way; to other models it would be a question.
        """
        if self._profile is not None and self._profile.takes_notes is not with_words:
            self.uplink.tell_notes()

    @property
    def is_wanted(self) -> bool:
        """False while it is parked."""
        return self._wanted.is_set()

    @property
    def is_up(self) -> bool:
        return self.state is LegState.OPEN

    # ---- its life

    async def run(self) -> None:
        """Until stopped or cancelled. Raises UpstreamError when there is no way to go on."""
        while self.state is not LegState.OVER:  # a task group may swallow the cancelling of that instant
            if not self._wanted.is_set():
                self._move("parked")
            if self.state is LegState.PARKED:
                await self._wanted.wait()
                self._move("wanted")
            try:
                await self._carry(*await self._opener.open())
            except UpstreamError:
                self._move("failed")
                raise

    async def _carry(self, leg: ModelLeg, made: Prepared) -> None:
        """By one leg, for as long as it lasts. Raises UpstreamError when another one would not help."""
        opened_at, why = clock.now(), "lost"
        try:
            sender = Sender(leg, made.credential.silence_ms, self.uplink, self._replay)
            await self._catch_up(leg, sender, made)
            carriage = self._up(leg, made)
            why = await carriage.run(sender, self.readable)
            was_sent_away = why == "due" and carriage.is_sent_away
            self._opener.judge_end(clock.now() - opened_at, was_sent_away=was_sent_away)
        except UpstreamError as error:
            self._opener.judge_loss(error, clock.now() - opened_at)
        finally:
            self._move(why)
            self._carriage, self._down_at = None, clock.now()
            self._emit(LegClosed())
            await leg.close()

    async def _catch_up(self, leg: ModelLeg, sender: Sender, made: Prepared) -> None:
        """Tell the model what it does not remember, and say again what it has not answered."""
        recall = self._resumption.recall(made.handle, made.credential.profile)
        if recall is not None:
            await leg.send(recall)
        await sender.say_again(self._replay.since(self._resumption.replay_from(made.handle)))
        self._opener.pinned = None

    def _up(self, leg: ModelLeg, made: Prepared) -> Carriage:
        self._carriage = carriage = Carriage(
            leg, made.credential, self._plan, self._resumption, self._opener, self._hear, self._at_turn_gap
        )
        self._profile = made.credential.profile
        self._move("opened")
        gap_ms = None if self._down_at is None else round((clock.now() - self._down_at) * 1000)
        self._emit(LegOpened(gap_ms, made.credential))
        if not self._wanted.is_set():
            carriage.park()  # it was parked while it was opened
        return carriage

    def _hear(self, event: ConnectionEvent) -> None:
        if isinstance(event, HandleIssued) and (held := self._opener.pinned or self._resumption.handle):
            self._replay.forget_before(held.covers - LEAD_S)  # speech may have begun, and not be heard yet
        self._emit(event)

    def _note_refusal(self, code: str) -> None:
        """For the metrics, too: what the model refused us for, if it said so."""
        self.refused = code
        if code.startswith("upstream_") and code != "upstream_unavailable":
            self._emit(TroubleFound(code))

    def _move(self, event: str) -> None:
        if self.state is not LegState.OVER:
            self.state = advance(LEG, self.state, event)
