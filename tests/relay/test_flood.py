"""A client that says too much or reads too little: both are bounded, and its session is not lost."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from protocol import media
from protocol.audio import uplink_ms
from protocol.codec import encode, json_codec
from protocol.limits import (
    TEXT_CHARS_BURST,
    TEXT_CHARS_PER_S,
    UPLINK_BURST_MS,
    UPLINK_HELD_MS,
    UPLINK_MS_PER_S,
)
from protocol.media import Agent, Live, LiveLimits
from protocol.server import ServerSession
from relay.call.conversation import Conversation
from relay.call.registry import PACES_KEPT, Paces
from tests.relay.fakes import House, Visitor, house, voice
from tests.relay.test_server import until

TEXT = encode(media.Text("y" * 8_000, respond=False))
LAST = b"\1\0" * 320  #: 20 ms that can be told from silence


def _join(session: ServerSession, now: float) -> None:
    session.attached(now)
    session.receive_text(encode(media.Hello([1])), now)
    session.go_live(Live("s", 1, Agent("a"), LiveLimits(1, 1)))


def test_what_waits_for_a_client_that_never_reads_is_bounded_over_reconnects() -> None:
    session = ServerSession(1, 0.0)
    talk = Conversation(session, [])
    now = 0.0
    for _ in range(4):
        _join(session, now)
        for _ in range(1_000):
            now += 0.0055  # below the rate of messages
            message = session.receive_text(TEXT, now)
            if message is not None:
                talk.client_said(message, now)
        session.client_lost()
    _join(session, now)
    assert sum(len(json_codec.encode(said)) for said in iter(session.data_to_send, None)) < 3_000_000


async def test_a_client_for_which_too_much_waits_is_cut_at_once_and_may_come_back() -> None:
    async with house() as here:
        visitor = Visitor()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            wire.transport.pause_reading()  # type: ignore[attr-defined]
            call = here.calls["s1"]
            for number in range(1, 401):
                call.session.send(media.Transcript(f"a{number}", number, "agent", "x" * 50_000))
            call.go_away(1_000)  # which wakes the writer, long before a single message is 30 s old
            await until(lambda: call.troubles["slow_client"])
            wire.transport.abort()
        visitor.session.lost()
        async with here.connect(here.book.ticket()) as wire:
            live = await visitor.join(wire)
            assert live.resumed
            await visitor.until(media.GoingAway)
            assert here.calls["s1"] is call


@pytest.mark.parametrize("size", [1, 60_000], ids=["messages", "bytes"])
def test_a_connection_that_is_made_anew_fills_no_budget(size: int) -> None:
    session, said = ServerSession(1, 0.0), encode(media.Ping(1.0)) + " " * size
    _join(session, 0.0)
    sent = 0
    while session.close_code is None:
        session.receive_text(said, 0.0)
        sent += 1
    assert session.close_code == 4429 and sent > 100
    session.client_lost()
    session.attached(0.0)
    session.receive_text(encode(media.Hello([1])) + " " * size, 0.0)
    assert session.close_code == 4429
    session.client_lost()
    _join(session, 1.0)
    for _ in range(10):
        session.receive_text(said, 1.0)
    assert session.close_code is None, "a second later there is what comes in a second"


def _spoken_ms(here: House) -> float:
    return uplink_ms(sum(len(leg.pcm) for leg in here.model.legs))


async def test_audio_reaches_the_model_no_faster_than_it_can_have_been_spoken() -> None:
    """Over all connections of a call: six seconds at once on each of four, and the end of speech arrives."""
    loop = asyncio.get_running_loop()
    async with house() as here:
        visitor = Visitor()
        began_at = loop.time()
        for frames in (60, 60, 60, 59):
            async with here.connect(here.book.ticket()) as wire:
                await visitor.join(wire)
                for _ in range(frames):
                    await wire.send(visitor.session.audio(bytes(3200)))
                if frames == 59:
                    await wire.send(visitor.session.audio(LAST))
                await wire.send(encode(media.Ping(1.0)))
                await visitor.until(media.Pong)  # all of it has been taken in
            visitor.session.lost()
        await until(lambda: here.model.leg.pcm.endswith(LAST))
        allowed_ms = UPLINK_BURST_MS + UPLINK_HELD_MS + UPLINK_MS_PER_S * (loop.time() - began_at)
        assert _spoken_ms(here) <= allowed_ms
        here.model.leg.say(model.Audio(voice(960)), model.TurnCompleted(idle=True))
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            metrics = await visitor.until(media.Metrics)
        assert isinstance(metrics, media.Metrics)
        assert metrics.uplink_dropped_ms == pytest.approx(23_920 - _spoken_ms(here), abs=1)


async def test_text_over_its_rate_is_refused_and_the_conversation_goes_on() -> None:
    loop = asyncio.get_running_loop()
    async with house() as here:
        visitor = Visitor()
        began_at = loop.time()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            for _ in range(40):
                await wire.send(TEXT)
            error = await visitor.until(media.Error)
            assert isinstance(error, media.Error)
            assert (error.code, error.ref, error.fatal) == ("rate_limited", "text", False)
            assert error.retry_after_ms > 0
            await wire.send(encode(media.Ping(1.0)))
            await visitor.until(media.Pong)
            said = [one.text for one in here.model.leg.commands if isinstance(one, model.SayText)]
            allowed = TEXT_CHARS_BURST + TEXT_CHARS_PER_S * (loop.time() - began_at)
            assert 0 < sum(map(len, said)) <= allowed
            await wire.send(visitor.session.audio(LAST))
            await until(lambda: here.model.leg.pcm.endswith(LAST))


@pytest.mark.looptime
async def test_a_users_next_call_goes_on_at_the_pace_of_the_last_one() -> None:
    paces = Paces()
    first, stranger = paces.of("ada"), paces.of("grace")
    assert paces.of("ada") is first and stranger is not first and first.calls == 2
    paces.left("ada")
    paces.left("ada")
    for number in range(PACES_KEPT + 10):
        paces.of(f"user-{number}")
        paces.left(f"user-{number}")
    assert paces.of("grace") is stranger, "a user who is here is not forgotten"
    assert paces.of("ada") is not first
