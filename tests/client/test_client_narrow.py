"""A way up that is narrower than speech: how late it is heard stays bounded, and the reader is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from statistics import median

import pytest

from protocol.audio import ADPCM, AUDIO, decode_uplink, encode_audio
from protocol.client import ClientSession
from protocol.codec import client_messages, encode
from protocol.limits import ADPCM_S, NARROW_S
from protocol.media import Agent, Live, LiveLimits, Ping, Pong
from vivavoce import Quality
from vivavoce.events import EventQueue
from vivavoce.outbox import Outbox
from vivavoce.reactions import Reactions, Silence
from vivavoce.tools import Toolbox

pytestmark = pytest.mark.looptime


def live_session(*capabilities: str) -> ClientSession:
    """The server has answered the hello, with these."""
    session = ClientSession()
    session.hello()
    session.receive(encode(Live("s", 1, Agent("a"), LiveLimits(1, 1), capabilities=list(capabilities), e=1)))
    return session


class NarrowLine:
    """A way up of `kbps` behind the outbox, where what is written waits unseen, and the relay's pongs."""

    ENVELOPE_BYTES = 46  #: of WebSocket, TCP and IP around a message

    def __init__(self, outbox: Outbox, hear: Callable[[Pong], object] | None = None) -> None:
        self.outbox = outbox
        self.hear = hear or outbox.answered
        self.kbps = 1e6
        self.spoken_at: list[float] = []  #: of each frame, by its number
        self.late_s: list[float] = []  #: of each frame that arrived
        self.forms: list[int] = []  #: kind of each
        self._free_at = 0.0

    def stop(self, seconds: float) -> None:
        """Nothing passes for so long, and nothing is lost: as with a peer that is asleep."""
        self._free_at = asyncio.get_running_loop().time() + seconds

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
            self.forms.append(item[0])
        else:
            ping = client_messages.decode(item)
            assert isinstance(ping, Ping)
            self.hear(Pong(ping.t, round(now * 1000) + 5_000))

    async def speak(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            await asyncio.sleep(0.02)
            self.outbox.audio(encode_audio(0, len(self.spoken_at), bytes(640)))
            self.spoken_at.append(asyncio.get_running_loop().time())


@asynccontextmanager
async def line_of(*capabilities: str) -> AsyncIterator[tuple[NarrowLine, Outbox]]:
    """A live connection to such a server, over a line that is wide at first."""
    outbox = Outbox(live_session(*capabilities))
    line = NarrowLine(outbox)
    outbox.open([])
    async with asyncio.TaskGroup() as tasks:
        carrying = tasks.create_task(line.carry())
        yield line, outbox
        carrying.cancel()


@pytest.mark.parametrize(("kbps", "limit_s"), [(200, 2), (128, 2.5), (64, 4.25)])
async def test_speech_on_a_narrow_line_is_not_heard_later_and_later(kbps: float, limit_s: float) -> None:
    async with line_of() as (line, outbox):  # to a server that takes PCM only
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
        assert set(line.forms) == {AUDIO}


@pytest.mark.parametrize(
    ("kbps", "limit_s", "try_s", "try_ms"), [(200, 2, 1.1, 0), (128, 2.5, 1.5, 0), (100, 3, 1.75, 100)]
)
async def test_adpcm_brings_speech_over_a_narrow_line(
    kbps: float, limit_s: float, try_s: float, try_ms: float
) -> None:
    """At first late by `limit_s`, with a gap; then by `try_s`, with `try_ms` lost, when PCM is tried."""
    async with line_of("adpcm") as (line, outbox):
        await line.speak(5)
        assert set(line.forms) == {AUDIO} and not outbox.is_narrow
        line.kbps = kbps
        await line.speak(15)
        at_first_ms, worst_s = outbox.dropped_ms, max(line.late_s)
        assert 0 < at_first_ms < 1500 and worst_s < limit_s
        line.late_s.clear()
        await line.speak(105)
        print(f"{kbps} kbit/s: {at_first_ms:.0f} ms dropped and {worst_s:.2f} s late at first,", end=" ")
        print(f"{max(line.late_s):.2f} s at a try, {median(line.late_s):.3f} s in the middle")
        tries = 2  # after 20 s, and 40 s after that
        assert outbox.dropped_ms - at_first_ms <= tries * try_ms and max(line.late_s) < try_s
        assert median(line.late_s) < 0.03
        assert outbox.is_narrow and line.forms[-1] == ADPCM
        line.kbps = 1000
        await line.speak(ADPCM_S * 4 + NARROW_S)
        assert not outbox.is_narrow and set(line.forms[-500:]) == {AUDIO}
        assert max(line.late_s[-1000:]) < 0.05


@pytest.mark.parametrize("silent_s", [0.5, 1.2, 1.5, 2, 4, 9])
@pytest.mark.parametrize("kbps", [400, 1000])
async def test_a_line_that_is_silent_for_a_while_and_goes_on_loses_nothing(
    silent_s: float, kbps: float
) -> None:
    """All but its last second was given up, and the rest went as ADPCM for twenty seconds."""
    async with line_of("adpcm") as (line, outbox):
        line.kbps = kbps
        await line.speak(5)
        line.stop(silent_s)
        await line.speak(silent_s + 30)
        assert outbox.dropped_ms == 0 and not outbox.is_narrow
        assert len(line.late_s) > 50 * (silent_s + 30)
        assert set(line.forms) == {AUDIO}


async def test_each_of_two_silences_is_waited_out() -> None:
    async with line_of("adpcm") as (line, outbox):
        line.kbps = 400
        await line.speak(2)
        for _ in range(2):
            line.stop(5)
            await line.speak(25)  # until what waited has gone
        assert outbox.dropped_ms == 0 and max(line.late_s[-100:]) < 0.1


async def test_a_line_that_is_narrow_after_its_silence_is_late_no_longer_than_that_and_told_so() -> None:
    async with line_of("adpcm") as (line, outbox):
        await line.speak(5)
        line.stop(6)
        line.kbps = 128
        await line.speak(60)
        assert outbox.dropped_ms > 0 and outbox.is_narrow and set(line.forms[-500:]) == {ADPCM}
        assert max(line.late_s) < 6 + 3 and max(line.late_s[-1000:]) < 1


async def test_a_line_below_adpcm_gets_what_it_can_carry_in_time() -> None:
    async with line_of("adpcm") as (line, outbox):
        line.kbps = 64
        await line.speak(120)
        assert max(line.late_s) < 4.25
        assert outbox.dropped_ms / 120_000 == pytest.approx(1 - 64 / 88, abs=0.05)
        assert set(line.forms[-1000:]) == {ADPCM}


async def test_a_relay_without_adpcm_gets_pcm_again() -> None:
    session = live_session("adpcm")
    outbox = Outbox(session)
    line = NarrowLine(outbox)
    outbox.open([])
    async with asyncio.TaskGroup() as tasks:
        carrying = tasks.create_task(line.carry())
        line.kbps = 128
        await line.speak(10)
        assert line.forms[-1] == ADPCM
        session.lost()
        session.hello()
        session.receive(encode(Live("s", 1, Agent("a"), LiveLimits(1, 1), e=2)))
        line.forms.clear()
        await line.speak(3)
        assert line.forms[-1] == AUDIO
        carrying.cancel()


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
