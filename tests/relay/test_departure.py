"""A relay leaves, in virtual time: who is told to move, when, and who is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from gemini import messages as model
from protocol import media
from relay.call.call import MOVE_S
from relay.call.hearing import MUTE_S
from relay.call.outage import NOTICE_S
from relay.call.watchdog import PAUSE_S, THINK_S
from relay.model.port import UpstreamError
from relay.task.drain import ASK_S, FORCED_PART, PATIENT_PART, Drain, ReserveCapacity
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Visitor, house
from tests.relay.speech import speak, talk
from tests.relay.test_rotation import SECOND, one_turn
from tests.relay.test_server import until

DRAIN_S = 100.0
FORCED_AT = DRAIN_S * FORCED_PART


@dataclass
class Crowd:
    """Calls that say when they are at a gap, and go `takes_s` after they were told to."""

    gaps: list[Callable[[float], bool]]
    takes_s: float = 0.5
    calls: dict[str, StandIn] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        for number, gap in enumerate(self.gaps):
            self.calls[str(number)] = StandIn(self, str(number), gap)

    async def drain(self, reserve: ReserveCapacity, within_s: float = DRAIN_S) -> None:
        """While the calls tell their news."""
        telling = asyncio.create_task(self._tell())
        await Drain(self.calls, self.news, reserve, within_s).run()
        telling.cancel()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            self.news.set()


@dataclass(eq=False)
class StandIn:
    crowd: Crowd
    name: str
    gap: Callable[[float], bool]
    is_moving: bool = False
    is_detached: bool = False
    is_over: bool = False
    told_at: float = -1.0
    forced: bool = False
    ended: str = ""

    def is_at_gap(self, *, keep_context: bool) -> bool:
        return self.gap(asyncio.get_running_loop().time())

    async def move(self, ends_in_s: float) -> None:
        self.told_at = asyncio.get_running_loop().time()
        await asyncio.sleep(self.crowd.takes_s)
        del self.crowd.calls[self.name]

    def go_away(self, ends_in_s: float) -> None:
        self.is_moving = self.forced = True
        self.told_at = asyncio.get_running_loop().time()

    def end(self, reason: str) -> None:
        self.ended = reason
        self.crowd.calls.pop(self.name, None)


def room(*looks: int) -> tuple[ReserveCapacity, list[int]]:
    """A fleet that has so much room at each look, the last one for ever; and what it was asked for."""
    asked: list[int] = []

    async def answer(calls: int) -> int:
        asked.append(calls)
        return looks[min(len(asked), len(looks)) - 1]

    return answer, asked


@pytest.mark.looptime
async def test_nobody_is_told_to_move_before_there_is_a_place_to_go_to() -> None:
    crowd = Crowd([lambda now: True] * 3)
    everybody = list(crowd.calls.values())
    ask, asked = room(0, 0, 0, 40)
    await crowd.drain(ask)
    assert all(call.told_at >= 3 * ASK_S and not call.ended for call in everybody)
    assert asked == [3, 3, 3, 3]


@pytest.mark.looptime
async def test_no_more_are_told_than_there_are_places() -> None:
    crowd = Crowd([lambda now: True] * 5, takes_s=10.0)
    everybody = list(crowd.calls.values())
    ask, _ = room(2)
    await crowd.drain(ask)
    told = sorted(round(call.told_at) for call in everybody)
    assert told == [0, 0, 10, 10, 20] and not any(call.ended for call in everybody)


@pytest.mark.looptime
async def test_each_is_told_at_its_own_gap_and_at_the_deadline_whoever_speaks() -> None:
    crowd = Crowd([lambda now: now > 30, lambda now: now > 60, lambda now: False])
    first, second, never = crowd.calls.values()
    ask, _ = room(40)
    await crowd.drain(ask)
    assert (round(first.told_at), round(second.told_at)) == (30, 60)
    assert never.forced and round(never.told_at) == FORCED_AT and never.ended == "going_away"
    assert not first.ended and not second.ended


@pytest.mark.looptime
async def test_without_any_room_all_are_told_when_the_deadline_nears() -> None:
    crowd = Crowd([lambda now: True] * 3)
    everybody = list(crowd.calls.values())
    ask, _ = room(0)
    await crowd.drain(ask)
    assert [round(call.told_at) for call in everybody] == [FORCED_AT] * 3


@pytest.mark.looptime
async def test_a_move_that_hangs_does_not_keep_the_relay_past_its_deadline() -> None:
    """It was waited for, six seconds of the two minutes that ECS gives, and the rest ended only then."""
    crowd = Crowd([lambda now: True, lambda now: False], takes_s=30.0)
    both = list(crowd.calls.values())
    ask, _ = room(40)
    await crowd.drain(ask, within_s=10.0)
    assert asyncio.get_running_loop().time() < 10.2
    assert [call.ended for call in both] == ["going_away"] * 2 and crowd.calls == {}


@pytest.mark.looptime
async def test_who_has_no_client_is_let_go_at_once() -> None:
    crowd = Crowd([lambda now: False])
    (gone,) = crowd.calls.values()
    gone.is_detached = True
    ask, _ = room(0)
    await crowd.drain(ask)
    assert gone.ended == "going_away" and asyncio.get_running_loop().time() < 1


@pytest.mark.looptime
async def test_no_room_is_asked_for_a_call_that_is_over_and_it_is_not_told_to_move() -> None:
    crowd = Crowd([lambda now: True] * 2)
    over, (_, other) = next(iter(crowd.calls.values())), crowd.calls.values()
    over.is_over = True
    asyncio.get_running_loop().call_later(1.0, lambda: crowd.calls.pop("0"))
    ask, asked = room(40)
    await crowd.drain(ask)
    assert asked == [1] and over.told_at < 0 <= other.told_at


@pytest.mark.looptime
async def test_a_relay_whose_calls_are_all_over_asks_for_no_room() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        here.book.down = True  # type: ignore[attr-defined]
        call.end("client")
        ask, asked = room(40)
        await Drain({"s1": call}, asyncio.Event(), ask, 0.5).run()
        assert asked == [] and listener.of(media.GoingAway) == []


# ---- what a gap is, on real calls


@pytest.mark.looptime
async def test_a_call_at_a_gap_is_moved_with_its_way_back_written_and_its_leg_closed() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        await asyncio.sleep(1)
        assert call.is_at_gap(keep_context=True)
        here.leg.say(model.HandleChanged("the newest"))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(call.move(50.0), MOVE_S + 1)
        (away,) = listener.of(media.GoingAway)
        assert isinstance(away, media.GoingAway) and (away.ends_in_ms, away.move) == (50_000, True)
        assert here.book.handles[-1] == "the newest"  # type: ignore[attr-defined]
        assert here.legs[0].closed.is_set()


@pytest.mark.looptime
async def test_a_client_that_was_told_and_stays_is_served_again() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        await call.move(50.0)
        listener.speak(0)
        await asyncio.sleep(1)
        assert len(here.legs) == 2 and here.leg.handle == "after why" and len(here.leg.pcm) == 640


@pytest.mark.looptime
async def test_a_client_that_takes_its_time_to_go_is_not_told_that_the_model_is_away() -> None:
    """The leg was closed for the move, and after four seconds without one `upstream_unavailable` was told."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        here.book.down = True  # type: ignore[attr-defined]  # the handle is waited for, too
        await call.move(50.0)
        assert MOVE_S > NOTICE_S and listener.of(media.Error) == []


@pytest.mark.looptime
@pytest.mark.parametrize("by", ["staying", "text"])
async def test_a_client_that_stays_is_told_when_the_model_does_not_come_back(by: str) -> None:
    async with lone_call() as (call, here), asyncio.TaskGroup() as moves:
        listener = Listener(call)
        await one_turn(here)
        here.refuse = ["upstream_overload"] * 5
        moves.create_task(call.move(50.0))
        if by == "text":
            await asyncio.sleep(0.5)
            listener.say(media.Text("one more thing"))
        else:
            await asyncio.sleep(MOVE_S)
        await asyncio.sleep(NOTICE_S - 0.5)
        assert listener.of(media.Error) == []
        await asyncio.sleep(1.0)
        (error,) = listener.of(media.Error)
        assert isinstance(error, media.Error) and (error.code, error.fatal) == ("upstream_overload", False)


@pytest.mark.looptime
async def test_what_is_said_after_the_word_to_move_is_left_to_the_next_relay() -> None:
    async with lone_call() as (call, here), asyncio.TaskGroup() as moves:
        listener = Listener(call)
        await one_turn(here)
        moves.create_task(call.move(50.0))
        await asyncio.sleep(0.1)
        for number in range(100):
            listener.speak(number)
        await asyncio.sleep(0.1)
        assert len(here.leg.pcm) == 0 and listener.of(media.Ack) == [], "unacked, it is sent again there"


@pytest.mark.looptime
async def test_text_that_crossed_the_word_to_move_is_answered_here() -> None:
    async with lone_call() as (call, here), asyncio.TaskGroup() as moves:
        listener = Listener(call)
        await one_turn(here)
        moves.create_task(call.move(50.0))
        await asyncio.sleep(0.1)
        listener.say(media.Text("one more thing"))
        await asyncio.sleep(0.5)
        assert here.leg.commands == [model.SayText("one more thing", respond=True)]


@pytest.mark.looptime
async def test_a_client_that_has_its_place_where_it_was_told_to_go_hears_of_no_error() -> None:
    """Its next relay has the session before it has left this one, whose next write is refused."""
    async with lone_call() as (call, here), asyncio.TaskGroup() as moves:
        listener = Listener(call)
        await one_turn(here)
        moves.create_task(call.move(50.0))
        await asyncio.sleep(0.1)
        call.end("superseded")
        await asyncio.sleep(1)
        assert listener.of(media.Error) == [] and call.session.close_code == 4453


@pytest.mark.looptime
async def test_a_call_that_another_relay_has_taken_meanwhile_ends_and_takes_no_other_with_it() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        book = here.book
        book.sessions["s1"] = replace(book.sessions["s1"], epoch=2)  # type: ignore[attr-defined]
        await Drain({"s1": call}, asyncio.Event(), room(1)[0], 3.0).run()
        await asyncio.sleep(1)
        (error,) = listener.of(media.Error)
        assert isinstance(error, media.Error) and error.code == "superseded"


@pytest.mark.looptime
@pytest.mark.parametrize(
    "busy",
    [
        [model.SpeechStarted()],
        [model.SpeechStarted(), model.SpeechEnded()],
        [model.Heard("why"), SECOND],
        [model.Heard("why"), SECOND, model.GenerationEnded()],
        [SECOND, model.GenerationEnded(), model.TurnCompleted(idle=False)],
        [model.ToolRequested("fc-1", "weather", {})],
    ],
    ids=["user speaks", "answer awaited", "agent speaks", "agent is heard out", "agent goes on", "tool runs"],
)
async def test_a_call_in_mid_turn_is_not_at_a_gap(busy: list[model.ModelEvent]) -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        await asyncio.sleep(2)
        here.leg.say(*busy, model.HandleChanged("h"))
        await asyncio.sleep(0.5)
        assert not call.is_at_gap(keep_context=True) and not call.is_at_gap(keep_context=False)


@pytest.mark.looptime
async def test_speech_that_the_model_has_not_noticed_yet_is_no_gap() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        await asyncio.sleep(2)
        assert call.is_at_gap(keep_context=True)
        await speak(listener, talk(0.3))
        assert not call.is_at_gap(keep_context=True)
        await asyncio.sleep(MUTE_S + PAUSE_S + THINK_S)
        assert call.is_at_gap(keep_context=True)


@pytest.mark.looptime
async def test_a_call_whose_leg_is_being_changed_or_joined_is_not_at_a_gap() -> None:
    async with lone_call() as (call, here):
        assert not call.is_at_gap(keep_context=False), "its client has not said hello"
        Listener(call)
        await one_turn(here)
        here.refuse = ["upstream_unavailable"] * 3
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(0.1)
        assert not call.is_at_gap(keep_context=False)


@pytest.mark.looptime
async def test_a_call_whose_last_turn_is_in_no_handle_yet_waits_for_one_but_not_for_ever() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        here.leg.say(model.Heard("why"), SECOND, model.Said("so"), model.TurnCompleted(idle=True))
        await asyncio.sleep(2)
        assert not call.is_at_gap(keep_context=True) and call.is_at_gap(keep_context=False)
        assert DRAIN_S * PATIENT_PART < FORCED_AT


# ---- why a relay leaves


@pytest.mark.parametrize("why", ["record gone", "order"])
async def test_a_relay_whose_record_is_gone_or_that_is_ordered_to_hands_its_calls_on(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.task.service.HEARTBEAT_S", 0.05)
    monkeypatch.setattr("relay.task.drain.PATIENT_PART", 0.0)
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        if why == "order":
            here.task.orders.add("drain")
        else:
            here.task.is_gone = True
        await visitor.until(media.GoingAway)
        assert not here.relay.handshake.is_open
        beats = here.task.calls.count("heartbeat")
        await until(lambda: here.task.calls.count("heartbeat") > beats + 2)  # it reads its orders to the end
        here.relay.obey({"end:s1"})
        assert await visitor.read_to_the_end() == 1000
    assert here.task.calls[-1] == "leave"
