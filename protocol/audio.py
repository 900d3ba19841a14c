"""Audio frames of the media road: an 8-byte header, then PCM, or on the uplink a block of ADPCM.

    0      1       2        4                8
    | kind | flags | turn   | seq            | pcm s16le mono ...
      u8     u8      u16 BE   u32 BE

`turn` is 0 on the uplink. On the downlink it settles barge-in: a frame whose turn is at or below the last
interrupted turn is dropped, by one comparison, at both ends.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from . import adpcm
from .errors import RemoteProtocolError
from .limits import (
    DOWNLINK_FRAME_MS,
    DOWNLINK_HZ,
    FRAME_MAX_MS,
    FRAME_MIN_MS,
    SAMPLE_BYTES,
    UPLINK_HZ,
)

AUDIO = 1  #: frame kind: PCM
ADPCM = 2  #: frame kind: what a client may send instead, to a server with the capability `adpcm`
HEADER = struct.Struct(">BBHI")  #: kind, flags, turn, seq
HEADER_BYTES = HEADER.size
UPLINK_MIN_BYTES = UPLINK_HZ * SAMPLE_BYTES * FRAME_MIN_MS // 1000
UPLINK_MAX_BYTES = UPLINK_HZ * SAMPLE_BYTES * FRAME_MAX_MS // 1000
DOWNLINK_MAX_BYTES = DOWNLINK_HZ * SAMPLE_BYTES * DOWNLINK_FRAME_MS // 1000

_unpack_header = HEADER.unpack_from
_pack_header = HEADER.pack


class AudioFrame(NamedTuple):
    """One binary message."""

    turn: int  #: agent turn, 0 on the uplink
    seq: int  #: counts frames of one direction within an epoch, from 0
    pcm: bytes  #: mono s16le, 16 kHz up, 24 kHz down


def encode_audio(turn: int, seq: int, pcm: bytes) -> bytes:
    """One binary message. `turn` wraps at 2^16 and `seq` at 2^32, which no session reaches."""
    return _pack_header(AUDIO, 0, turn & 0xFFFF, seq & 0xFFFFFFFF) + pcm


def decode_audio(data: bytes) -> AudioFrame:
    """The frame in `data`; unknown flags are ignored, they may be a newer peer's.

    Raises RemoteProtocolError("bad_frame") for a short header, another kind, or half a sample.
    """
    if len(data) < HEADER_BYTES or data[0] != AUDIO or len(data) % SAMPLE_BYTES:
        raise RemoteProtocolError("bad_frame")
    _, _, turn, seq = _unpack_header(data)
    return AudioFrame(turn, seq, data[HEADER_BYTES:])


def encode_adpcm(frame: bytes, encoder: adpcm.Encoder) -> bytes:
    """Return a binary message of PCM as one of ADPCM, with the same turn and number."""
    return bytes([ADPCM]) + frame[1:HEADER_BYTES] + encoder.block(frame[HEADER_BYTES:])


def check_uplink(data: bytes) -> int:
    """Return the number of what a client sends: 10 to 100 ms of 16 kHz audio, in either form, not decoded.

    Raises RemoteProtocolError("bad_frame") for everything else; what passes, `decode_uplink` takes.
    """
    is_pcm = data[:1] != bytes([ADPCM])
    if not UPLINK_MIN_BYTES <= uplink_bytes(data) <= UPLINK_MAX_BYTES or (is_pcm and data[0] != AUDIO):
        raise RemoteProtocolError("bad_frame")
    if len(data) % SAMPLE_BYTES if is_pcm else not adpcm.is_block(data[HEADER_BYTES:]):
        raise RemoteProtocolError("bad_frame")
    return int(_unpack_header(data)[3])


def decode_uplink(data: bytes) -> AudioFrame:
    """Return the frame that a client sends, as PCM. Raises RemoteProtocolError("bad_frame")."""
    check_uplink(data)
    kind, _, turn, seq = _unpack_header(data)
    content = data[HEADER_BYTES:]
    return AudioFrame(turn, seq, adpcm.decode(content) if kind == ADPCM else content)


def uplink_bytes(data: bytes) -> int:
    """Bytes of PCM in what a client sends, in either form."""
    content = len(data) - HEADER_BYTES
    return (content - adpcm.HEADER_BYTES) * adpcm.RATIO if data[:1] == bytes([ADPCM]) else content


def uplink_ms(pcm_bytes: int) -> float:
    """Milliseconds that so many bytes of microphone audio last."""
    return pcm_bytes * 1000 / (UPLINK_HZ * SAMPLE_BYTES)


def downlink_ms(pcm_bytes: int) -> float:
    """Milliseconds that so many bytes of agent audio last."""
    return pcm_bytes * 1000 / (DOWNLINK_HZ * SAMPLE_BYTES)
