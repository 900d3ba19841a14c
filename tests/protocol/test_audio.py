"""Audio frames, beyond the vectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import audio
from protocol.audio import AudioFrame, decode_audio, decode_uplink, downlink_ms, encode_audio, uplink_ms
from protocol.limits import FRAME_MS, UPLINK_FRAME_BYTES
from tests.protocol.search import searched

PCM = st.binary(max_size=64).map(lambda data: data[: len(data) // 2 * 2])


@searched(100)
@given(turn=st.integers(0, 0xFFFF), seq=st.integers(0, 0xFFFFFFFF), pcm=PCM)
def test_a_frame_comes_back_as_it_was(turn: int, seq: int, pcm: bytes) -> None:
    assert decode_audio(encode_audio(turn, seq, pcm)) == AudioFrame(turn, seq, pcm)


def test_numbers_wrap_and_do_not_overflow() -> None:
    assert decode_audio(encode_audio(0x1_0001, 0x1_0000_0002, b"")) == AudioFrame(1, 2, b"")


def test_the_header_has_eight_bytes_big_endian() -> None:
    assert audio.HEADER_BYTES == 8
    assert encode_audio(0x0102, 0x03040506, b"\x07\x08") == bytes([1, 0, 1, 2, 3, 4, 5, 6, 7, 8])


def test_bytes_and_milliseconds_agree_with_the_rates() -> None:
    assert uplink_ms(UPLINK_FRAME_BYTES) == FRAME_MS
    assert uplink_ms(32_000) == downlink_ms(48_000) == 1000.0
    assert decode_uplink(encode_audio(0, 0, bytes(UPLINK_FRAME_BYTES))).pcm == bytes(UPLINK_FRAME_BYTES)


@pytest.mark.parametrize("kind", [0, 2, 255])
def test_frames_of_another_kind_are_refused(kind: int) -> None:
    with pytest.raises(audio.RemoteProtocolError, match="bad_frame"):
        decode_audio(bytes([kind]) + encode_audio(1, 1, b"")[1:])
