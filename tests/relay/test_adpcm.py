"""A microphone in ADPCM: the model hears PCM, and all that counts audio counts its time, not its bytes."""

from __future__ import annotations

import asyncio

import pytest

from gemini import messages as model
from protocol import media
from protocol.adpcm import Encoder
from protocol.audio import decode_uplink, encode_adpcm, uplink_ms
from protocol.codec import encode
from protocol.limits import UPLINK_BURST_MS, UPLINK_HELD_MS, UPLINK_MS_PER_S
from tests.relay.fakes import House, Visitor, house, voice
from tests.relay.test_server import until

TONE = (b"\0\x20" * 8 + b"\0\xe0" * 8) * 20  #: 20 ms


def _heard(here: House) -> bytes:
    return b"".join(bytes(leg.pcm) for leg in here.model.legs)


async def test_the_model_hears_frames_of_both_forms_in_order_and_once() -> None:
    async with house() as here:
        visitor, encoder = Visitor(), Encoder()
        plain = [visitor.session.audio(TONE) for _ in range(10)]
        lean = [encode_adpcm(frame, encoder) for frame in plain]
        forms = [(lean if seq % 3 else plain)[seq] for seq in range(10)]
        async with here.connect(here.book.ticket()) as wire:
            live = await visitor.join(wire)
            assert "adpcm" in live.capabilities
            for data in forms:
                await wire.send(data)
            for data in (plain[4], lean[6]):  # said again, in the other form and in the same
                await wire.send(data)
            await until(lambda: len(_heard(here)) >= 10 * len(TONE))
            await wire.send(encode(media.Ping(1.0)))
            await visitor.until(media.Pong)
            assert _heard(here) == b"".join(decode_uplink(data).pcm for data in forms)


async def test_a_block_that_is_none_is_answered_and_the_conversation_goes_on() -> None:
    async with house() as here:
        visitor = Visitor()
        good = encode_adpcm(visitor.session.audio(TONE), Encoder())
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            for bad in (good[:8], good[:11], good[:40], good + bytes(1000), good[:10] + b"\xff" + good[11:]):
                await wire.send(bad)
                error = await visitor.until(media.Error)
                assert isinstance(error, media.Error)
                assert (error.code, error.fatal) == ("bad_frame", False)
            await wire.send(good)
            await until(lambda: _heard(here) == decode_uplink(good).pcm)


async def test_audio_reaches_the_model_no_faster_than_it_can_have_been_spoken() -> None:
    """Fifty seconds at once, more than a megabyte of PCM, in the bytes of twelve."""
    loop = asyncio.get_running_loop()
    async with house() as here:
        visitor, encoder = Visitor(), Encoder()
        began_at = loop.time()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            for _ in range(500):
                await wire.send(encode_adpcm(visitor.session.audio(TONE * 5), encoder))
            await wire.send(encode(media.Text("and now?", n=1)))  # goes behind the audio that waits
            await until(lambda: here.model.leg.commands)
            spoken_ms = uplink_ms(len(_heard(here)))
            allowed_ms = UPLINK_BURST_MS + UPLINK_HELD_MS + UPLINK_MS_PER_S * (loop.time() - began_at)
            assert UPLINK_BURST_MS + UPLINK_HELD_MS <= spoken_ms <= allowed_ms
            here.model.leg.say(model.Audio(voice(960)), model.TurnCompleted(idle=True))
            metrics = await visitor.until(media.Metrics)
        assert isinstance(metrics, media.Metrics)
        assert metrics.uplink_dropped_ms == pytest.approx(50_000 - spoken_ms, abs=1)
