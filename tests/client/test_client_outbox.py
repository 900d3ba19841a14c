"""What waits for the socket stays bounded, and in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from protocol.audio import encode_audio
from protocol.client import ClientSession
from protocol.codec import client_messages, encode
from protocol.media import Agent, ClientMessage, Context, EndCall, Live, LiveLimits, Pong, Text
from vivavoce.outbox import MESSAGES, Numbered, Outbox

pytestmark = pytest.mark.looptime


def frame(seq: int) -> bytes:
    """20 ms of microphone audio."""
    return encode_audio(0, seq, bytes(640))


def is_ping(item: str | bytes) -> bool:
    return isinstance(item, str) and '"ping"' in item


async def take_all(outbox: Outbox) -> list[str | bytes]:
    """All that may be written now, but for pings: frames, and the words of messages."""
    taken: list[str | bytes] = []
    try:
        async with asyncio.timeout(1):
            while True:
                if not is_ping(item := await outbox.take()):
                    taken.append(_brief(item))
    except TimeoutError:
        return taken


def _brief(data: str | bytes) -> str | bytes:
    if isinstance(data, bytes) or not data.startswith("{"):
        return data
    message = client_messages.decode(str(data))
    return str(message.reason if isinstance(message, EndCall) else message.text)


async def test_order_is_kept_between_audio_and_messages() -> None:
    outbox = Outbox(ClientSession())
    outbox.open([])
    outbox.audio(frame(0))
    await outbox.message(EndCall("end of speech"))
    outbox.audio(frame(1))
    assert await take_all(outbox) == [frame(0), "end of speech", frame(1)]
    assert outbox.queued_ms == 0


async def test_only_the_newest_second_of_audio_waits() -> None:
    outbox = Outbox(ClientSession())
    outbox.open([])
    await outbox.message(EndCall("hello"))
    for seq in range(100):
        outbox.audio(frame(seq))
    assert outbox.queued_ms == 1000 and outbox.dropped_ms == 1000
    outbox.tell("what goes before it does not wait for pongs")
    taken = await take_all(outbox)
    assert taken[:-1] == ["hello"] + [frame(seq) for seq in range(50, 100)]


async def test_what_is_said_while_the_line_takes_what_is_said_again_waits_and_is_not_dropped() -> None:
    outbox = Outbox(ClientSession())
    outbox.open([frame(seq) for seq in range(500)])
    taken: list[bytes] = []
    for seq in range(500, 750):
        outbox.audio(frame(seq))
        for _ in range(3):  # the line takes it faster than it is spoken
            if isinstance(item := await outbox.take(), bytes):
                taken.append(item)
            else:
                outbox.answered(Pong(json.loads(item)["t"], 0))
        await asyncio.sleep(0.02)
    assert taken == [frame(seq) for seq in range(len(taken))] and len(taken) > 600
    assert outbox.dropped_ms == 0 and outbox.queued_ms < 5_000
    for seq in range(750, 1_250):  # and now takes nothing
        outbox.audio(frame(seq))
    assert outbox.queued_ms <= 5_000 and outbox.dropped_ms > 5_000


async def test_a_break_keeps_messages_and_leaves_audio_to_the_session() -> None:
    outbox = Outbox(ClientSession())
    await outbox.message(EndCall("early"))
    assert await take_all(outbox) == []
    outbox.open([])
    outbox.audio(frame(0))
    outbox.close()
    outbox.audio(frame(1))
    outbox.report("how things stand")
    await outbox.message(EndCall("late"))
    outbox.open([frame(0), frame(1)])
    assert await take_all(outbox) == [frame(0), frame(1), "early", "late"]


async def test_what_could_not_be_written_is_the_first_of_the_next_connection() -> None:
    outbox = Outbox(ClientSession())
    outbox.open([])
    await outbox.message(EndCall("first"))
    await outbox.message(EndCall("second"))
    outbox.put_back(await outbox.take())
    outbox.put_back(frame(0))
    outbox.put_back(Numbered("the session has it"))
    assert await take_all(outbox) == ["first", "second"]


async def test_what_the_session_keeps_goes_out_once_on_the_next_connection() -> None:
    session = ClientSession()
    outbox = Outbox(session)
    await outbox.message(Text("early"))

    def go_live() -> None:
        session.hello()
        session.receive(encode(Live("s", 1, Agent("a"), LiveLimits(1, 1), capabilities=["acks"], e=1)))
        outbox.open(session.resend())

    go_live()
    assert await take_all(outbox) == ["early"]
    await outbox.message(EndCall("not kept"))
    await outbox.message(Text("second"))
    session.lost()
    outbox.close()
    await outbox.message(Text("third"))
    go_live()
    assert await take_all(outbox) == ["early", "second", "third", "not kept"]  # none is acked


@pytest.mark.parametrize("kind", [EndCall, Context], ids=["unnumbered", "numbered"])
async def test_too_many_messages_make_their_sender_wait(kind: Callable[[str], ClientMessage]) -> None:
    outbox = Outbox(ClientSession())
    for number in range(MESSAGES):
        await outbox.message(kind(str(number)))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(outbox.message(kind("one more")))
        done, _ = await asyncio.wait({waiting}, timeout=60)
        assert not done
        outbox.open([])
        if kind is EndCall:
            assert _brief(await outbox.take()) == "0"
    assert (await take_all(outbox))[-1] == "one more"


async def test_a_message_waits_for_no_room_nor_does_what_was_said_before_it() -> None:
    outbox = Outbox(ClientSession())
    outbox.open([])
    for seq in range(50):
        outbox.audio(frame(seq))
    taken = await take_all(outbox)
    assert frame(24) in taken and frame(25) not in taken  # half a second, and no pong
    outbox.report("played")
    assert await take_all(outbox) == ["played"]
    outbox.tell("paused")
    assert await take_all(outbox) == [*(frame(seq) for seq in range(25, 50)), "paused"]
