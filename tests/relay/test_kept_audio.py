"""What a client keeps of its microphone until it is of no more use, and what of it the next relay takes."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from protocol import media
from relay.call.microphone_frames import KEPT, STEP_S, MicrophoneFrames
from relay.turn import Turn
from tests.relay.calls import Listener, lone_call
from tests.relay.speech import hush, question, speak
from tests.relay.test_rotation import SECOND


def acked(listener: Listener) -> int:
    return max((ack.seq for ack in listener.of(media.Ack)), default=-1)  # type: ignore[attr-defined]


@pytest.mark.looptime
async def test_frames_are_acked_while_nobody_speaks_and_those_of_a_question_when_its_turn_is_written() -> (
    None
):
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await hush(listener, 3, 0)
        assert 50 <= acked(listener) < number, "quiet is worth nothing"
        asked, number = number, await speak(listener, question(), number)
        number = await hush(listener, 2, number)
        here.leg.say(model.Heard("when?"), SECOND, model.Said("at nine"), model.GenerationEnded())
        number = await hush(listener, 1, number)
        assert acked(listener) <= asked, "it is answered, and that is not in the record"
        here.book.down = True
        here.leg.say(model.TurnCompleted(idle=True))
        number = await hush(listener, 1, number)
        assert acked(listener) <= asked
        here.book.down = False
        number = await hush(listener, 6, number)
        (_, turn), *_ = here.book.turns
        assert asked + len(question()) - 20 <= turn.uplink_seq < number
        assert acked(listener) >= turn.uplink_seq


@pytest.mark.looptime
async def test_what_is_said_into_an_answer_is_not_acked_with_it() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        number = await hush(listener, 1, 0)
        number = await speak(listener, question(), number)
        number = await hush(listener, 1, number)
        here.leg.say(model.Heard("when?"), SECOND, model.Said("at nine"))
        asked, number = number, await speak(listener, question()[:100], number)
        here.leg.say(model.Interrupted(), model.TurnCompleted(idle=True))
        await speak(listener, question()[100:], number)
        assert len(here.book.turns) == 1
        (_, turn), *_ = here.book.turns
        assert asked - 60 <= turn.uplink_seq <= asked
        assert acked(listener) <= asked


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("kept", "after", "is_heard"),
    [(100, (1, 0), True), (40, (1, 0), True), (101, (1, 0), False), (-1, (1, 0), False), (0, (0, 0), False)],
    ids=["to the frame", "more", "less", "nothing", "another page's numbers"],
)
async def test_the_next_relay_hears_a_question_if_its_client_has_all_of_it_and_says_its_words_if_not(
    kept: int, after: tuple[int, int], is_heard: bool
) -> None:
    before = {"next_turn": 4, "question": "when?", "question_turn": 4, "question_seq": (100, 300)}
    async with lone_call(**before, uplink_seq=20) as (call, here):  # type: ignore[arg-type]
        listener = Listener(call, hello=media.Hello([1], after, 3, 0, kept))
        await asyncio.sleep(1)
        (live,) = listener.of(media.Live)
        assert isinstance(live, media.Live)
        assert live.uplink_seq == (21 if is_heard else 301)
        assert here.leg.commands == ([] if is_heard else [model.SayText("when?", respond=True)])
        for number in (100, 300, 301):
            listener.speak(number)
        await asyncio.sleep(1)
        assert len(here.leg.pcm) == 640 * (3 if is_heard else 1)


@pytest.mark.looptime
async def test_a_question_is_written_down_with_the_frames_in_which_it_was_said() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        asked = await hush(listener, 2, 0)
        number = await speak(listener, question(), asked)
        number = await hush(listener, 1, number)
        here.leg.say(SECOND)
        here.leg.say(model.Heard("when?"))  # told when it is being answered
        await hush(listener, 1, number)
        assert here.book.questions == [(1, "when?")]
        first, last = here.book.question_seq
        assert asked - 60 <= first <= asked and last >= asked + len(question())


def test_when_a_frame_came_is_remembered_for_a_minute() -> None:
    frames = MicrophoneFrames(9)
    assert (frames.settled(5.0), frames.since(5.0)) == (9, (10, 9))
    for seq in range(100, 10_000):
        frames.note(seq, seq * STEP_S)
    now = 10_000 * STEP_S
    assert frames.settled(now, None) in range(9_950, 9_970)
    assert frames.settled(now, now - 20, None) in range(9_450, 9_500)
    assert frames.settled(now, now - 1_000) in range(10_000 - 2 * KEPT - 1, 10_000 - KEPT), "not the oldest"
    turn = Turn(1, now - 3, user_ended_at=now - 0.5)
    assert frames.of_turn(turn, now, None) in range(9_985, 9_991), "all of it, though it ended just now"
    assert frames.of_turn(turn, now, now - 3) in range(9_900, 9_925), "but what is asked again"
