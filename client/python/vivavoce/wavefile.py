"""WAV files in and out: any PCM to the microphone's 16 kHz, the agent's 24 kHz to a file."""

from __future__ import annotations

import struct
import sys
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path

from ._protocol.limits import DOWNLINK_HZ, SAMPLE_BYTES, UPLINK_HZ
from .resample import resample

_PCM, _EXTENSIBLE = 1, 0xFFFE
_FORMAT = struct.Struct("<HHIIHH")  #: format tag, channels, sample rate, bytes/s, block, bits
_RATES_HZ = range(1_000, 400_001)


class WavError(ValueError):
    """File that this module cannot read as WAV. The text says why, without the file's name."""


@dataclass(frozen=True, slots=True)
class _Format:
    channels: int
    rate_hz: int
    sample_bytes: int


def read_wav(path: Path) -> bytes:
    """The file as mono s16le at 16 kHz, whatever PCM it holds: 8 to 32 bits, any rate, any channels.

    Raises OSError, and WavError for what is no PCM WAV. A file cut short gives what is there.
    """
    form, data = _parse(path.read_bytes())
    mono = _mix(_samples(data, form.sample_bytes), form.channels)
    return _to_s16le(resample(mono, form.rate_hz, UPLINK_HZ))


def write_wav(path: Path, pcm: bytes) -> None:
    """The agent's audio (24 kHz mono s16le) as a WAV file. Raises OSError."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(DOWNLINK_HZ)
        file.writeframes(pcm)


def _parse(raw: bytes) -> tuple[_Format, bytes]:
    """The `fmt ` and `data` chunks. Lengths are not trusted: streaming encoders leave 0 or -1 there."""
    if len(raw) < 12 or raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise WavError("it has no RIFF/WAVE header")
    form, at = None, 12
    while at + 8 <= len(raw):
        name, size = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
        body = raw[at + 8 : at + 8 + size]
        if name == b"fmt ":
            form = _parse_format(body)
        elif name == b"data":
            if form is None:
                raise WavError("its audio comes before its format")
            is_open_ended = size in (0, 0xFFFFFFFF)
            return form, raw[at + 8 :] if is_open_ended else body
        at += 8 + size + size % 2  # chunks are padded to even lengths
    raise WavError("it holds no audio")


def _parse_format(body: bytes) -> _Format:
    if len(body) < _FORMAT.size:
        raise WavError("its format chunk is cut short")
    tag, channels, rate_hz, _, _, bits = _FORMAT.unpack_from(body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = int.from_bytes(body[24:26], "little")  # the sub-format's GUID begins with the plain tag
    if tag != _PCM:
        raise WavError(f"it is not PCM (format {tag}); convert it: ffmpeg -i IN -c:a pcm_s16le OUT.wav")
    if bits not in (8, 16, 24, 32) or not channels or rate_hz not in _RATES_HZ:
        raise WavError(f"{bits} bits, {channels} channels, {rate_hz} Hz is not a format to be heard")
    return _Format(channels, rate_hz, bits // 8)


def _samples(data: bytes, sample_bytes: int) -> array[float]:
    """Samples in the range of 16 bits, all channels interleaved."""
    data = data[: len(data) - len(data) % sample_bytes]
    if sample_bytes == 1:  # the one unsigned format
        return array("d", [(value - 128) * 256.0 for value in data])
    if sample_bytes == 3:
        # each sample in the upper three bytes of a 32-bit one
        wide = bytearray(len(data) // 3 * 4)
        wide[1::4], wide[2::4], wide[3::4] = data[0::3], data[1::3], data[2::3]
        data, sample_bytes = bytes(wide), 4
    values = array("h" if sample_bytes == 2 else "i", data)
    if sys.byteorder == "big":
        values.byteswap()
    scale = 1.0 if sample_bytes == 2 else 1 / 65536
    return array("d", [value * scale for value in values])


def _mix(samples: array[float], channels: int) -> array[float]:
    """All channels as one, at their mean."""
    if channels == 1:
        return samples
    return array("d", [sum(frame) / channels for frame in zip(*[iter(samples)] * channels, strict=False)])


def _to_s16le(samples: array[float]) -> bytes:
    pcm = array("h", [max(-32768, min(32767, round(value))) for value in samples])
    if sys.byteorder == "big":
        pcm.byteswap()
    return pcm.tobytes()
