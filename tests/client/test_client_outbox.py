"""What waits for the socket stays bounded, and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from protocol.audio import decode_uplink, encode_audio
from protocol.client import ClientSession
from protocol.codec import client_messages, encode
from protocol.media import Agent, ClientMessage, Context, EndCall, Live, LiveLimits, Ping, Pong, Text
from vivavoce import Quality
from vivavoce.events import EventQueue
from vivavoce.outbox import MESSAGES, Numbered, Outbox
from vivavoce.reactions import Reactions, Silence
from vivavoce.tools import Toolbox

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
        outbox.open(session.resend(0.0))

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


class NarrowLine:
    """A way up of `kbps` behind the outbox, where what is written waits unseen, and the relay's pongs."""

    ENVELOPE_BYTES = 46  #: of WebSocket, TCP and IP around a message

    def __init__(self, outbox: Outbox, hear: Callable[[Pong], object] | None = None) -> None:
        self.outbox = outbox
        self.hear = hear or outbox.answered
        self.kbps = 1e6
        self.spoken_at: list[float] = []  #: of each frame, by its number
        self.late_s: list[float] = []  #: of each frame that arrived
        self._free_at = 0.0

    async def carry(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            item = await self.outbox.take()
            bits = (len(item) + self.ENVELOPE_BYTES) * 8
            self._free_at = max(self._free_at, loop.time()) + bits / self.kbps / 1000
            loop.call_at(self._free_at, self._arrived, item)

    def _arrived(self, item: str | bytes) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(item, bytes):
            self.late_s.append(now - self.spoken_at[decode_uplink(item).seq])
        else:
            ping = client_messages.decode(item)
            assert isinstance(ping, Ping)
            self.hear(Pong(ping.t, round(now * 1000) + 5_000))

    async def speak(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            await asyncio.sleep(0.02)
            self.outbox.audio(frame(len(self.spoken_at)))
            self.spoken_at.append(asyncio.get_running_loop().time())


@pytest.mark.parametrize(("kbps", "limit_s"), [(200, 2), (128, 2.5), (64, 4.25)])
async def test_speech_on_a_narrow_line_is_not_heard_later_and_later(kbps: float, limit_s: float) -> None:
    outbox = Outbox(ClientSession())
    line = NarrowLine(outbox)
    outbox.open([])
    async with asyncio.TaskGroup() as tasks:
        carrying = tasks.create_task(line.carry())
        await line.speak(5)
        assert outbox.dropped_ms == 0 and not outbox.is_narrow
        line.kbps = kbps
        await line.speak(120)
        assert max(line.late_s) < limit_s
        assert outbox.is_narrow
        too_much = 1 - kbps / 283  # the share of speech, with its envelopes, that cannot get through
        assert 0.9 * too_much < outbox.dropped_ms / 120_000 < 1.1 * too_much
        line.kbps = 1000
        await line.speak(20)
        dropped_ms = outbox.dropped_ms
        await line.speak(20)
        assert outbox.dropped_ms == dropped_ms and not outbox.is_narrow
        assert max(line.late_s[-1000:]) < 0.05
        carrying.cancel()


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


async def test_the_reader_is_told_of_a_narrow_line_and_when_it_is_wide_again() -> None:
    outbox, events = Outbox(ClientSession()), EventQueue()
    reactions = Reactions(ClientSession(), outbox, events, Toolbox({}, outbox.message), Silence())
    outbox.open([])
    async with asyncio.TaskGroup() as tasks:
        line = NarrowLine(outbox, lambda pong: tasks.create_task(reactions.receive(pong)))
        carrying = tasks.create_task(line.carry())
        line.kbps = 128
        await line.speak(20)
        line.kbps = 1000
        await line.speak(20)
        carrying.cancel()
    events.close(None)
    told = [event async for event in events.read()]
    assert [type(event) for event in told] == [Quality, Quality]
    narrow, good = told
    assert isinstance(narrow, Quality) and narrow.quality == "narrow" and narrow.dropped_ms > 0
    assert isinstance(good, Quality) and good.quality == "good" and good.uplink_delay_s < 0.05
