"""WAV files in and out: any PCM to the microphone's 16 kHz, the agent's 24 kHz to a file."""

from __future__ import annotations

import os
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ._protocol.limits import DOWNLINK_HZ, SAMPLE_BYTES, UPLINK_HZ
from .resample import Resampler

_PCM, _EXTENSIBLE = 1, 0xFFFE
_FORMAT = struct.Struct("<HHIIHH")  #: format tag, channels, sample rate, bytes/s, block, bits
_RATES_HZ = range(1_000, 400_001)
_CONVERT = "convert it: ffmpeg -i IN -c:a pcm_s16le OUT.wav"
_FORMAT_MOST_BYTES = 64  #: more of a format chunk is not looked at
PIECE_S = 0.1  #: of audio that is converted at once: a few milliseconds of work
SILENT = 32  #: of 32768: 60 dB below the loudest that there is


class WavError(ValueError):
    """File that this module cannot read as WAV. The text says why, without the file's name."""


@dataclass(frozen=True, slots=True)
class _Format:
    channels: int
    rate_hz: int
    sample_bytes: int

    @property
    def block_bytes(self) -> int:
        """A sample of each channel."""
        return self.channels * self.sample_bytes


_OURS = _Format(1, UPLINK_HZ, SAMPLE_BYTES)  #: needs no conversion


def read_wav(path: Path) -> bytes:
    """The file as mono s16le at 16 kHz, whatever PCM it holds: 8 to 32 bits, any rate, any channels.

    Raises OSError, and WavError for what is no PCM WAV. A file cut short gives what is there.
    """
    return b"".join(WavFile(path).pieces())


class WavFile:
    """A WAV file that is read as it is needed: an hour takes no more memory than a second.

    Raises OSError, and WavError for what is no PCM WAV.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            self._form, self._data_at, self._data_bytes = _find_data(file, path.stat().st_size)

    @property
    def seconds(self) -> float:
        """Its length."""
        return self._data_bytes / self._form.block_bytes / self._form.rate_hz

    def pieces(self) -> Iterator[bytes]:
        """Its sound from the beginning as mono s16le at 16 kHz, PIECE_S at a time. Raises OSError."""
        form, left = self._form, self._data_bytes
        resampler = Resampler(form.rate_hz, UPLINK_HZ)
        size = max(1, int(form.rate_hz * PIECE_S)) * form.block_bytes
        with self._path.open("rb") as file:
            file.seek(self._data_at)
            while data := file.read(min(size, left)):
                left -= len(data)
                yield data if form == _OURS else _to_s16le(resampler.feed(_mixed(data, form)))
        yield _to_s16le(resampler.flush())


def is_silent(pieces: Iterable[bytes]) -> bool:
    """Whether nothing in this PCM (s16le) is as loud as the softest word."""
    return not any(piece and max(map(abs, array("h", piece))) > SILENT for piece in pieces)


def write_wav(path: Path, pcm: bytes) -> None:
    """The agent's audio (24 kHz mono s16le) as a WAV file. Raises OSError."""
    file = WavWriter(path)
    try:
        file.write(pcm)
    finally:
        file.close()


class WavWriter:
    """A WAV file of the agent's audio that grows; its header is right after every `write`.

    Raises OSError, from each method.
    """

    def __init__(self, path: Path) -> None:
        self._raw = path.open("wb", buffering=0)  # what cannot be written fails at once
        self._bytes = 0
        try:
            self.write(b"")
        except OSError:
            self.close()
            raise

    def write(self, pcm: bytes) -> None:
        """24 kHz mono s16le."""
        self._bytes += len(pcm)
        self._raw.seek(0)
        self._raw.write(self._header())
        self._raw.seek(0, os.SEEK_END)
        self._raw.write(pcm)

    def close(self) -> None:
        """Nothing is left to be written."""
        self._raw.close()

    def _header(self) -> bytes:
        form = _FORMAT.pack(_PCM, 1, DOWNLINK_HZ, DOWNLINK_HZ * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
        chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", self._bytes)
        return b"RIFF" + struct.pack("<I", len(chunks) + self._bytes) + chunks


def _find_data(file: BinaryIO, file_bytes: int) -> tuple[_Format, int, int]:
    """Format, position and length of the audio, by the `fmt ` and `data` chunks.

    Lengths are not trusted: streaming encoders leave 0 or -1 there.
    """
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise WavError(f"it has no RIFF/WAVE header; {_CONVERT}")
    form, at = None, 12
    while len(chunk := file.read(8)) == 8:
        name, size = chunk[:4], int.from_bytes(chunk[4:], "little")
        at += 8
        if name == b"fmt ":
            form = _parse_format(file.read(min(size, _FORMAT_MOST_BYTES)))
        elif name == b"data":
            if form is None:
                raise WavError("its audio comes before its format")
            there = file_bytes - at
            size = there if size in (0, 0xFFFFFFFF) else min(size, there)
            return form, at, size - size % form.block_bytes
        at += size + size % 2  # chunks are padded to even lengths
        file.seek(at)
    raise WavError("it holds no audio")


def _parse_format(body: bytes) -> _Format:
    if len(body) < _FORMAT.size:
        raise WavError("its format chunk is cut short")
    tag, channels, rate_hz, _, _, bits = _FORMAT.unpack_from(body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = int.from_bytes(body[24:26], "little")  # the sub-format's GUID begins with the plain tag
    if tag != _PCM:
        raise WavError(f"it is not PCM (format {tag}); {_CONVERT}")
    if bits not in (8, 16, 24, 32) or not channels or rate_hz not in _RATES_HZ:
        raise WavError(f"{bits} bits, {channels} channels, {rate_hz} Hz is not a format to be heard")
    return _Format(channels, rate_hz, bits // 8)


def _mixed(data: bytes, form: _Format) -> array[float]:
    """Samples in the range of 16 bits, all channels as one, at their mean."""
    samples, channels = _samples(data, form.sample_bytes), form.channels
    if channels == 1:
        return samples
    return array("d", [sum(frame) / channels for frame in zip(*[iter(samples)] * channels, strict=False)])


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


def _to_s16le(samples: array[float]) -> bytes:
    pcm = array("h", [max(-32768, min(32767, round(value))) for value in samples])
    if sys.byteorder == "big":
        pcm.byteswap()
    return pcm.tobytes()
