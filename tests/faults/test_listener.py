"""What a user had of a question: an answer that was heard, a word that there is none, or silence."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from infra.faults.listener import Heard, Listener
from protocol import media
from vivavoce import Conversation, VoiceError
from vivavoce.playback import VirtualSpeaker

pytestmark = pytest.mark.looptime

LOUD, QUIET = b"\x00\x20\x00\xe0" * 12_000, b"\x01\x00\xff\xff" * 12_000  #: a second of each
Script = list[tuple[float, Any]]  #: seconds after a question, and what comes then


class ScriptedCall:
    """A conversation that plays `script` once a text was sent."""

    def __init__(self, script: Script, speaker: VirtualSpeaker) -> None:
        self.session = "s1"
        self._script, self._speaker = script, speaker
        self._asked = asyncio.Event()

    async def __aenter__(self) -> "ScriptedCall":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def send_audio(self, pcm: bytes) -> None: ...

    async def send_text(self, text: str) -> None:
        self._asked.set()

    async def events(self) -> AsyncIterator[object]:
        await self._asked.wait()
        playing = asyncio.create_task(self._speaker.run(lambda report: None))
        try:
            turn, asked_at = 2, asyncio.get_running_loop().time()
            for at, item in self._script:
                await asyncio.sleep(asked_at + at - asyncio.get_running_loop().time())
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, bytes):
                    self._speaker.play(turn, item)
                else:
                    turn = getattr(item, "turn", turn)
                    yield item
            self._speaker.finish(turn)
            await asyncio.Event().wait()
        finally:
            playing.cancel()


async def heard(script: Script, answer_s: float = 0.0) -> Heard:
    listener = Listener(20, lambda since_s: answer_s)
    call = cast(Conversation, ScriptedCall(script, listener.speaker))
    await listener.talk(call, ("type hello",))
    [one] = listener.heard
    return one


STARTED, ENDED = media.TurnStarted(2, "agent"), media.TurnEnded(2, "agent", "completed")


async def test_an_answer_is_heard() -> None:
    one = await heard([(0.5, STARTED), (0.7, LOUD), (1.0, ENDED)])
    assert one.end == "answered"
    assert one.silence_s == pytest.approx(0.7, abs=0.15)


async def test_a_stall_within_an_answer_is_silence() -> None:
    one = await heard([(0.5, STARTED), (0.7, LOUD), (5.7, LOUD), (6.0, ENDED)])
    assert one.end == "answered"
    assert one.silence_s == pytest.approx(4.0, abs=0.15)


async def test_sound_that_nobody_can_hear_is_silence() -> None:
    one = await heard([(0.5, STARTED), (0.7, QUIET), (1.0, ENDED)])
    assert (one.end, round(one.silence_s)) == ("silent", 20)


async def test_a_turn_without_sound_is_silence() -> None:
    assert (await heard([(0.5, STARTED), (1.0, ENDED)])).end == "silent"


@pytest.mark.parametrize("outcome", ["empty", "rejected", "lost", "interrupted"])
async def test_an_outcome_tells_that_there_is_no_answer(outcome: str) -> None:
    one = await heard([(0.5, STARTED), (1.0, media.TurnEnded(2, "agent", outcome))])
    assert (one.end, one.code) == ("told", outcome)
    assert one.silence_s == pytest.approx(1.0, abs=0.15)


async def test_an_answer_may_come_after_all() -> None:
    told = media.TurnEnded(2, "agent", "empty")
    one = await heard([(0.5, STARTED), (1.0, told), (2.0, STARTED), (2.0, LOUD), (2.5, ENDED)])
    assert one.end == "answered"
    assert one.silence_s == pytest.approx(2.0, abs=0.15)


async def test_a_failure_of_the_conversation_tells_it() -> None:
    one = await heard([(1.5, VoiceError.of("upstream_quota"))])
    assert (one.end, one.code) == ("told", "upstream_quota")
    assert one.silence_s == pytest.approx(1.5, abs=0.15)


async def test_an_answer_that_was_heard_needs_no_end() -> None:
    one = await heard([(0.5, STARTED), (0.7, LOUD)], answer_s=1.0)
    assert (one.end, one.is_part) == ("answered", False)


async def test_an_answer_that_breaks_off_is_one_in_part() -> None:
    one = await heard([(0.5, STARTED), (0.7, LOUD), (1.0, ENDED)], answer_s=4.0)
    assert (one.end, one.is_part) == ("answered", True)
    one = await heard([(0.5, STARTED), (0.7, LOUD), (1.0, media.TurnEnded(2, "agent", "lost"))], answer_s=4.0)
    assert (one.end, one.code) == ("told", "lost")


async def test_two_parts_of_an_answer_are_not_the_whole_of_it() -> None:
    """It broke off, was begun anew, and broke off again: nobody has heard its end."""
    broken = [(0.5, STARTED), (0.7, LOUD), (1.8, media.TurnEnded(2, "agent", "lost"))]
    again: Script = [(2.0, media.TurnStarted(3, "agent")), (2.0, LOUD)]
    one = await heard([*broken, *again, (3.1, media.TurnEnded(3, "agent", "lost"))], answer_s=2.0)
    assert (one.end, one.code) == ("told", "lost")
    whole = await heard(
        [*broken, *again, (3.1, LOUD), (4.2, media.TurnEnded(3, "agent", "completed"))], answer_s=2.0
    )
    assert (whole.end, whole.is_part) == ("answered", False)


async def test_the_rest_of_an_earlier_answer_is_none() -> None:
    """Its loudspeaker still plays what was said before the question."""
    listener = Listener(20, lambda since_s: 0.0)
    listener.speaker.turn = 2
    call = cast(Conversation, ScriptedCall([(0.1, LOUD), (1.2, ENDED)], listener.speaker))
    await listener.talk(call, ("type hello",))
    assert [one.end for one in listener.heard] == ["silent"]


async def test_half_an_answer_without_an_end_is_silence() -> None:
    assert (await heard([(0.5, STARTED), (0.7, LOUD)], answer_s=4.0)).end == "silent"


async def test_nothing_is_silence() -> None:
    assert (await heard([])).silence_s == pytest.approx(20, abs=0.2)
