"""ADPCM as a microphone's frames: what speech loses by it, and that no frame needs another."""

from __future__ import annotations

import math
import struct

import pytest

from protocol.adpcm import STEPS, Encoder
from protocol.audio import decode_uplink, encode_adpcm, encode_audio
from protocol.limits import UPLINK_FRAME_BYTES
from simulator.speech import samples
from tests.protocol.players import VECTORS

SAMPLES = samples.load_all()
LEAST_DB = 20  #: of the signal above what is added to it


def frames_of(pcm: bytes) -> list[bytes]:
    """20 ms each, as a client has them; the last one is filled up with silence."""
    starts = range(0, len(pcm), UPLINK_FRAME_BYTES)
    pieces = [pcm[at : at + UPLINK_FRAME_BYTES].ljust(UPLINK_FRAME_BYTES, b"\0") for at in starts]
    return [encode_audio(0, seq, piece) for seq, piece in enumerate(pieces)]


def leaner(frames: list[bytes]) -> list[bytes]:
    encoder = Encoder()
    return [encode_adpcm(frame, encoder) for frame in frames]


def ratio_db(pcm: bytes, heard: bytes) -> float:
    """Return how far the signal is above what was added to it."""
    said, got = (struct.unpack(f"<{len(one) // 2}h", one) for one in (pcm, heard))
    noise = sum((a - b) ** 2 for a, b in zip(said, got, strict=True))
    return 10 * math.log10(sum(a * a for a in said) / noise)


@pytest.mark.parametrize("name", [sample.name for sample in SAMPLES])
def test_speech_is_clear_and_understood_at_a_quarter_of_its_size(name: str) -> None:
    said = next(sample for sample in SAMPLES if sample.name == name).pcm
    frames = frames_of(said)
    blocks = leaner(frames)
    heard = b"".join(decode_uplink(block).pcm for block in blocks)
    above_db = ratio_db(said.ljust(len(heard), b"\0"), heard)
    print(f"{name}: {above_db:.1f} dB, {len(blocks[0])} bytes of {len(frames[0])} in each frame")
    assert above_db > LEAST_DB
    recognised = samples.recognise(heard, SAMPLES)
    assert recognised is not None and recognised.name == name


def test_frames_keep_their_numbers_and_need_no_other_frame() -> None:
    frames = frames_of(SAMPLES[0].pcm)
    blocks = leaner(frames)
    alone = [decode_uplink(block) for block in reversed(blocks)]
    assert [frame.seq for frame in alone] == list(reversed(range(len(frames))))
    assert all(len(frame.pcm) == UPLINK_FRAME_BYTES for frame in alone)


def test_a_microphone_that_begins_in_mid_speech_is_clear_after_some_samples() -> None:
    loud = max(frames_of(SAMPLES[0].pcm), key=lambda frame: sum(map(abs, memoryview(frame[8:]).cast("h"))))
    heard = decode_uplink(encode_adpcm(loud, Encoder())).pcm
    assert ratio_db(loud[-320:], heard[-320:]) > LEAST_DB


def test_the_steps_are_on_the_page() -> None:
    page = (VECTORS / "README.md").read_text(encoding="utf-8")
    listed = page.partition("## adpcm.json")[2].partition("```\n")[2].partition("```")[0]
    assert tuple(map(int, listed.split())) == STEPS
