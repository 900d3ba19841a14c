"""The model leg changes under a running call, in virtual time: planned, asked for, dropped, refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gemini import messages as model
from gemini.messages import SILENCE_MS
from protocol import media
from protocol.audio import AudioFrame
from relay.model import rotation
from relay.model.opener import BACKOFF_S
from relay.model.port import ModelLeg, UpstreamError
from relay.model.rotation import DEFAULT_PLAN, SHORTEST_S
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import Model, ScriptedLeg, voice
from tests.relay.speech import speak, talk

pytestmark = pytest.mark.looptime

SECOND = model.Audio(voice(48_000))
PLAN = replace(DEFAULT_PLAN, rotate_after_s=60.0)


def frames(leg: ScriptedLeg) -> list[int]:
    """The numbers of the microphone frames that a leg got."""
    return [int.from_bytes(leg.pcm[at : at + 2], "little") for at in range(0, len(leg.pcm), 640)]


async def one_turn(here: Model, question: str = "why", answer: str = "because") -> None:
    """A whole exchange, and the handle behind it."""
    here.leg.say(model.SpeechStarted(), model.SpeechEnded(), model.Heard(question))
    here.leg.say(SECOND, model.Said(answer), model.GenerationEnded(), model.TurnCompleted(idle=True))
    await asyncio.sleep(0.1)
    here.leg.say(model.HandleChanged(f"after {question}"))
    await asyncio.sleep(0.1)


async def test_a_leg_is_changed_at_a_turn_gap_after_its_time() -> None:
    async with lone_call(plan=PLAN) as (call, here):
        listener = Listener(call)
        await one_turn(here)
        await asyncio.sleep(58)
        assert len(here.legs) == 1
        await asyncio.sleep(5)
        assert [leg.handle for leg in here.legs] == [None, "after why"]
        assert here.legs[0].closed.is_set()
        told = [type(message).__name__ for message in listener.read()]
        assert told[-1] == "Metrics" and told.count("Metrics") == 2
        assert "Error" not in told and "TurnInterrupted" not in told


async def test_a_leg_is_changed_when_that_is_asked_for_at_the_turn_gap_and_once() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        here.leg.say(model.SpeechStarted())
        await asyncio.sleep(0.1)
        call.rotate()
        await asyncio.sleep(5)
        assert len(here.legs) == 1, "somebody speaks"
        here.leg.say(SECOND, model.TurnCompleted(idle=True))
        await asyncio.sleep(0.1)
        here.leg.say(model.HandleChanged("h2"))
        await asyncio.sleep(60)
        assert [leg.handle for leg in here.legs] == [None, "h2"]
        gaps = [told.leg_gap_ms for told in listener.of(media.Metrics) if told.leg_gap_ms is not None]  # type: ignore[attr-defined]
        assert len(gaps) == 1


async def test_a_leg_is_not_changed_while_somebody_speaks() -> None:
    async with lone_call(plan=PLAN) as (call, here):
        Listener(call)
        await one_turn(here)
        here.leg.say(model.SpeechStarted())
        await asyncio.sleep(90)
        assert len(here.legs) == 1
        here.leg.say(SECOND, model.TurnCompleted(idle=True))
        await asyncio.sleep(1)
        assert len(here.legs) == 1, "the handle does not hold the last turn yet"
        here.leg.say(model.HandleChanged("h2"))
        await asyncio.sleep(1)
        assert here.leg.handle == "h2"


async def test_a_model_that_goes_is_left_in_time_whoever_speaks() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        here.leg.say(model.SpeechStarted(), model.LegEnding(10.0))
        await asyncio.sleep(7.5)
        assert len(here.legs) == 1
        await asyncio.sleep(1.5)
        assert [leg.handle for leg in here.legs] == [None, "after why"]


async def test_a_leg_is_changed_before_its_credential_expires() -> None:
    loop = asyncio.get_running_loop()
    import time

    shift = time.time() - loop.time()
    async with lone_call(
        plan=replace(DEFAULT_PLAN, rotate_after_s=1e6, wall=lambda: loop.time() + shift)
    ) as (
        call,
        here,
    ):
        Listener(call)
        await one_turn(here)
        await asyncio.sleep(1730)
        assert len(here.legs) == 1
        await asyncio.sleep(30)
        assert len(here.legs) == 2


async def test_no_frame_is_lost_and_few_are_said_twice_under_continuous_speech() -> None:
    async with lone_call(plan=PLAN) as (call, here):
        listener = Listener(call)
        here.leg.say(model.SpeechStarted())
        for number in range(1000):
            listener.speak(number)
            if number % 60 == 0:
                here.leg.say(model.HandleChanged(f"h{number}"))
            if number == 500:
                here.leg.say(model.LegEnding(2.5))
            await asyncio.sleep(0.02)
        first, second = here.legs
        heard_at = int(str(second.handle).removeprefix("h"))  # the handle's snapshot holds what came before
        lineage = [n for n in frames(first) if n < heard_at] + frames(second)
        assert sorted(set(lineage)) == list(range(1000))
        assert len(lineage) - 1000 <= 10


async def test_a_dropped_leg_is_opened_again_and_told_what_it_forgot() -> None:
    async with lone_call(Model(takes_history_late=True, splits_replies=False)) as (call, here):
        listener = Listener(call)
        await one_turn(here, "one", "The first answer.")
        here.leg.say(
            model.SpeechStarted(), model.SpeechEnded(), model.Heard("two"), SECOND, model.Said("And another.")
        )
        here.leg.say(model.GenerationEnded())
        await asyncio.sleep(0.5)
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(1.5)
        assert here.leg.handle == "after one"
        assert here.leg.commands == [model.Recall((("user", "two"), ("agent", "And another.")))]
        texts = [(t.user_text, t.agent_text) for _, t in here.book.turns]  # type: ignore[attr-defined]
        assert texts == [("one", "The first answer."), ("two", "And another.")]
        assert listener.of(media.TurnInterrupted) == [] and listener.of(media.Error) == []


@pytest.mark.parametrize(
    ("name", "waits"), [("gemini-3.1-flash-live-preview", True), ("a-model-of-tomorrow", False)]
)
async def test_a_model_that_takes_no_turns_after_its_first_is_told_of_none(name: str, waits: bool) -> None:
    here = Model()
    here.names = [name]
    async with lone_call(here) as (call, _):
        Listener(call)
        await one_turn(here, "one", "first")
        here.leg.say(model.Heard("two"), SECOND, model.Said("second"), model.TurnCompleted(idle=True))
        await asyncio.sleep(0.5)
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(1.5)
        assert [leg.handle for leg in here.legs] == [None, "after one"]
        assert [leg.is_told_of_no_past for leg in here.legs] == [waits, False]
        assert [leg.commands for leg in here.legs] == [[], []]


@pytest.mark.parametrize("name", ["gemini-3.1-flash-live-preview", "a-model-of-tomorrow"])
async def test_any_model_that_remembers_nothing_is_told_what_was_heard(name: str) -> None:
    here = Model()
    here.names = [name]
    async with lone_call(here, plan=PLAN) as (call, _):
        Listener(call)
        await one_turn(here, "one", "first")
        here.refuse = ["upstream_invalid"]
        await asyncio.sleep(65)
        assert here.leg.handle is None
        assert here.leg.commands == [model.Recall((("user", "one"), ("agent", "first")))]


async def test_an_answer_cut_by_a_drop_is_heard_as_far_as_it_came_and_asked_for_again() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(model.HandleChanged("h"))
        await asyncio.sleep(0.5)
        listener.speak(1)
        await asyncio.sleep(0.5)
        here.leg.say(model.SpeechStarted(), model.SpeechEnded(), model.Heard("why"), SECOND, model.Said("be"))
        await asyncio.sleep(0.3)
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(2)
        assert frames(here.leg) == [1]
        ended = [e for e in listener.of(media.TurnEnded) if e.role == "agent"]  # type: ignore[attr-defined]
        assert len(ended) == 1
        heard = b"".join(frame.pcm for frame in listener.of(AudioFrame))  # type: ignore[attr-defined]
        assert heard == SECOND.pcm


async def test_speech_that_was_not_answered_is_said_again_to_the_new_leg() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(model.HandleChanged("h"))
        await asyncio.sleep(1)
        for number in range(5):
            listener.speak(number)
        await asyncio.sleep(0.2)
        assert frames(here.leg) == list(range(5))
        here.leg.say(UpstreamError("upstream_overload"))
        await asyncio.sleep(1)
        assert here.leg.handle == "h" and frames(here.leg) == list(range(5))


async def test_typed_text_that_was_not_answered_is_said_again() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.1)
        listener.say(media.Text("hello"))
        await asyncio.sleep(0.1)
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(1)
        assert here.leg.commands == [model.SayText("hello", respond=True)]


async def test_a_refused_handle_falls_back_to_what_was_heard() -> None:
    async with lone_call(plan=PLAN) as (call, here):
        Listener(call)
        await one_turn(here, "one", "first")
        here.refuse = ["upstream_invalid"]
        await asyncio.sleep(65)
        assert here.minted == [None, "after one", None]
        assert here.leg.handle is None
        assert here.leg.commands == [model.Recall((("user", "one"), ("agent", "first")))]


async def test_a_model_that_stays_away_ends_the_call_by_its_code() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await one_turn(here)
        here.refuse_always = "upstream_overload"
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(sum(BACKOFF_S) - 1)
        assert not call.is_over
        await asyncio.sleep(2)
        assert [(error.code, error.fatal) for error in listener.of(media.Error)] == [  # type: ignore[attr-defined]
            ("upstream_overload", False),
            ("upstream_overload", True),
        ]


async def test_a_model_that_dies_again_and_again_is_given_up() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        for _ in range(len(BACKOFF_S)):
            await here.opened.wait()
            here.opened.clear()
            here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(1)
        assert call.reason == "upstream_unavailable"


@pytest.mark.parametrize(
    "code", ["upstream_quota", "upstream_policy", "upstream_invalid", "upstream_auth", "upstream_unavailable"]
)
async def test_whatever_a_healthy_leg_is_closed_for_its_handle_carries_on(code: str) -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        await asyncio.sleep(10)
        here.leg.say(UpstreamError(code))
        await asyncio.sleep(1)
        assert [leg.handle for leg in here.legs] == [None, "after why"]
        assert not call.is_over


async def test_a_context_that_is_full_is_left_behind_and_what_was_heard_is_told_again() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        await asyncio.sleep(10)
        here.leg.say(UpstreamError("upstream_context_full"))
        await asyncio.sleep(1)
        assert here.leg.handle is None and not call.is_over
        assert here.leg.commands == [model.Recall((("user", "why"), ("agent", "because")))]


@pytest.mark.parametrize("code", ["upstream_policy", "upstream_context_full"])
async def test_a_leg_that_is_refused_without_a_handle_ends_the_call(code: str) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(UpstreamError(code))
        await asyncio.sleep(1)
        assert code_of(listener) == code and len(here.legs) == 1


@pytest.mark.parametrize("code", ["upstream_invalid", "upstream_model"])
async def test_what_is_said_of_many_things_ends_the_call_the_second_time(code: str) -> None:
    """As `Requested entity was not found` after a tool's result: its setup had been taken."""
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(UpstreamError(code))
        await asyncio.sleep(1)
        assert not call.is_over and len(here.legs) == 2
        here.leg.say(UpstreamError(code))
        await asyncio.sleep(1)
        assert code_of(listener) == code and len(here.legs) == 2


@pytest.mark.parametrize(
    "code", ["upstream_quota", "key_refused", "upstream_credits", "upstream_model", "upstream_region"]
)
async def test_who_has_not_talked_yet_is_told_at_once_what_will_not_soon_be_mended(code: str) -> None:
    here = Model()
    here.refuse_always = code
    async with lone_call(here) as (call, _):
        await asyncio.sleep(0.5)
        assert call.is_over and here.tries == 1


@pytest.mark.parametrize("code", ["upstream_quota", "key_refused"])
async def test_who_talks_is_given_time_for_it_to_be_mended(code: str) -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        here.refuse_always = code
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(3)
        here.refuse_always = ""
        await asyncio.sleep(5)
        assert not call.is_over and [leg.handle for leg in here.legs] == [None, "after why"]


@pytest.mark.parametrize("code", ["upstream_credits", "upstream_region"])
async def test_who_talks_is_told_within_seconds_what_no_wait_mends(code: str) -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        here.refuse_always = code
        here.leg.say(UpstreamError(code))
        await asyncio.sleep(3)
        assert call.is_over and call.reason == code


async def test_what_the_model_refuses_and_what_cannot_be_read_is_counted() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        here.leg.say(model.Unreadable(7), model.Unreadable(7), UpstreamError("upstream_quota"))
        await asyncio.sleep(1)
        here.leg.say(UpstreamError("upstream_unavailable"))
        await asyncio.sleep(1)
        assert call.troubles == {"model_unreadable": 2, "upstream_quota": 1}


def code_of(listener: Listener) -> str:
    (error,) = listener.of(media.Error)
    assert isinstance(error, media.Error)
    return error.code


async def test_a_mint_that_fails_puts_the_rotation_off_and_the_leg_stays() -> None:
    async with lone_call(plan=PLAN) as (call, here):
        Listener(call)
        await one_turn(here)
        mint = here.mint

        async def failing(handle: str | None, refused: Sequence[str] = ()) -> model.Credential:
            raise UpstreamError("mint_failed")

        here.mint = failing  # type: ignore[method-assign]
        await asyncio.sleep(70)
        assert len(here.legs) == 1 and not here.leg.closed.is_set()
        here.mint = mint  # type: ignore[method-assign]
        await asyncio.sleep(5)
        assert len(here.legs) == 2


async def test_the_new_leg_can_be_opened_before_the_old_is_closed() -> None:
    async with lone_call(plan=replace(PLAN, close_first=False)) as (call, here):
        Listener(call)
        await one_turn(here)
        old = here.leg
        opened_while: list[bool] = []
        open_leg = here.open

        async def watched(credential: model.Credential, handle: str | None) -> ModelLeg:
            opened_while.append(not old.closed.is_set())
            return await open_leg(credential, handle)

        here.open = watched  # type: ignore[method-assign]
        await asyncio.sleep(65)
        assert opened_while == [True] and old.closed.is_set() and len(here.legs) == 2


@pytest.mark.parametrize("ticks", range(6))
@pytest.mark.parametrize("why", ["moved", "dropped"])
async def test_a_call_that_ends_in_the_instant_in_which_its_leg_does_comes_to_its_end(
    why: str, ticks: int
) -> None:
    async with asyncio.timeout(30), lone_call() as (call, here):
        await one_turn(here)
        if why == "moved":
            moving = asyncio.create_task(call.move(50.0))  # its leg is parked first
        else:
            here.leg.say(UpstreamError("upstream_unavailable"))
        for _ in range(ticks):
            await asyncio.sleep(0)
        call.end("client")
        legs = len(here.legs)
        await asyncio.sleep(20)
        assert call.is_written and len(here.legs) == legs
        if why == "moved":
            await moving


@pytest.mark.parametrize("left_s", [0.0, 1.0, None])
async def test_a_model_that_sends_every_leg_away_at_once_is_given_up_and_makes_no_storm(
    left_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "UNSAID_S", 2.0)
    async with lone_call() as (call, here):
        Listener(call)
        here.say_first(model.LegEnding(left_s))
        await one_turn(here)
        here.leg.say(model.LegEnding(left_s))
        await asyncio.sleep(60)
        assert len(here.minted) <= len(BACKOFF_S) + 1
        assert call.is_over


async def test_a_leg_that_is_sent_away_after_a_good_while_counts_for_nothing() -> None:
    async with lone_call() as (call, here):
        Listener(call)
        await one_turn(here)
        for number in range(2 * len(BACKOFF_S)):
            await asyncio.sleep(10)
            here.leg.say(model.HandleChanged(f"h{number}"), model.LegEnding(0.0))
            await asyncio.sleep(1)
        assert not call.is_over and len(here.legs) == 2 * len(BACKOFF_S) + 1


async def test_a_model_that_says_early_that_it_will_go_is_not_left_at_once() -> None:
    """Each connection may say so as soon as it is open, with all the time there is: no reason for a storm."""
    async with lone_call() as (call, here):
        Listener(call)
        here.say_first(model.LegEnding(50.0), model.HandleChanged("h"))
        here.leg.say(model.LegEnding(50.0), model.HandleChanged("h"))
        await asyncio.sleep(300)
        assert not call.is_over and len(here.minted) <= 300 / SHORTEST_S + 1


async def test_a_rotation_that_cannot_be_prepared_is_tried_less_and_less_often() -> None:
    """A connection may go on for an hour after the key was withdrawn."""
    async with lone_call(plan=PLAN) as (call, here):
        Listener(call)
        await one_turn(here)
        here.refuse_mint = "key_refused"
        await asyncio.sleep(3600)
        assert len(here.legs) == 1 and not call.is_over
        assert 5 <= len(here.minted) <= 3600 / 60 + 10


@pytest.mark.parametrize("code", ["upstream_quota", "key_refused"])
async def test_a_conversation_that_moved_here_is_given_time_too(code: str) -> None:
    """When a relay has died, all of its calls ask at once: that may use a quota up for some seconds."""
    here = Model()
    here.refuse = [code, code]
    async with lone_call(here, handle="left by another relay") as (call, _):
        await asyncio.sleep(5)
        assert not call.is_over and here.leg.handle == "left by another relay"


@pytest.mark.parametrize(("silence_ms", "pause_s"), [(2_000, 1.6), (None, 0.9)])
async def test_no_leg_is_changed_in_a_pause_that_does_not_end_the_users_turn(
    silence_ms: int | None, pause_s: float
) -> None:
    here = Model()
    here.silence_ms = silence_ms or here.silence_ms
    async with lone_call(here, plan=replace(DEFAULT_PLAN, rotate_after_s=1.0)) as (call, _):
        listener = Listener(call)
        here.leg.say(model.HandleChanged("h"))
        await speak(listener, talk(0.6))
        await asyncio.sleep(pause_s)
        await speak(listener, talk(0.6), 30)
        assert len(here.legs) == 1


async def test_no_leg_is_changed_between_a_short_word_and_its_answer() -> None:
    async with lone_call(plan=replace(DEFAULT_PLAN, rotate_after_s=1.0)) as (call, here):
        listener = Listener(call)
        here.leg.say(model.HandleChanged("h"))
        await speak(listener, talk(0.4))
        await asyncio.sleep(SILENCE_MS / 1000 + 1.5)
        assert len(here.legs) == 1, "the model thinks about it"
        here.leg.say(model.Heard("yes"), SECOND, model.TurnCompleted(idle=True))
        await asyncio.sleep(0.2)
        here.leg.say(model.HandleChanged("h2"))
        await asyncio.sleep(5)
        assert [leg.handle for leg in here.legs][:2] == [None, "h2"]


OTHERS = ["gemini-3.8-live", "gemini-3.8-live-extended-thinking", "gemini-2.5-flash-native-audio"]


def agent_of(*names: str) -> Model:
    here = Model()
    here.names = list(names)
    return here


@pytest.mark.parametrize("code", ["upstream_invalid", "upstream_overload", "upstream_quota"])
async def test_a_model_that_cannot_be_had_is_replaced_by_the_agents_next(code: str) -> None:
    here = agent_of(*OTHERS)
    here.refuse = [code, code]
    async with lone_call(here) as (call, _):
        await asyncio.sleep(0.1)
        assert here.asked == OTHERS
        assert call.troubles["model_fallback"] == 1
        assert here.book.sessions["s1"].model == OTHERS[2]


async def test_without_another_model_a_refusal_is_told_as_ever() -> None:
    here = agent_of(*OTHERS[:2])
    here.refuse_always = "upstream_quota"
    async with lone_call(here) as (call, _):
        await asyncio.sleep(0.5)
        assert call.is_over and call.reason == "upstream_quota" and here.asked == OTHERS[:2]


async def test_a_session_that_fell_back_stays_and_resumes_there() -> None:
    here = agent_of(*OTHERS[:2])
    here.refuse = ["upstream_overload"]
    async with lone_call(here, plan=PLAN) as (call, _):
        Listener(call)
        await one_turn(here)
        await asyncio.sleep(65)
        assert here.asked == [OTHERS[0], OTHERS[1], OTHERS[1]]
        assert [leg.handle for leg in here.legs] == [None, "after why"]
        assert call.troubles["model_fallback"] == 1


async def test_within_a_conversation_a_busy_model_gets_a_second_try() -> None:
    here = agent_of(*OTHERS[:2])
    async with lone_call(here) as (call, _):
        Listener(call)
        await one_turn(here)
        here.refuse = ["upstream_overload"]
        here.leg.say(UpstreamError("upstream_overload"))
        await asyncio.sleep(20)
        assert here.asked == [OTHERS[0]] * 3
        here.refuse = ["upstream_overload", "upstream_overload"]
        here.leg.say(UpstreamError("upstream_overload"))
        await asyncio.sleep(10)
        assert here.asked[3:] == [OTHERS[0], OTHERS[0], OTHERS[1]]
        assert here.leg.handle is None
        assert here.leg.commands == [model.Recall((("user", "why"), ("agent", "because")))]
        assert not call.is_over


async def test_a_refused_handle_is_left_behind_before_its_model_is() -> None:
    here = agent_of(*OTHERS[:2])
    async with lone_call(here, plan=PLAN) as (call, _):
        Listener(call)
        await one_turn(here)
        here.refuse = ["upstream_invalid"]
        await asyncio.sleep(65)
        assert here.asked == [OTHERS[0]] * 3 and here.minted == [None, "after why", None]


async def test_a_model_that_closes_as_soon_as_it_is_set_up_is_replaced_too() -> None:
    here = agent_of(*OTHERS[:2])
    async with lone_call(here) as (call, _):
        here.leg.say(UpstreamError("upstream_quota"))
        await asyncio.sleep(2)
        assert here.asked == OTHERS[:2] and not call.is_over
