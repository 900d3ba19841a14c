"""WAV files checked by what is heard in them."""

from __future__ import annotations

import math
import struct
import tracemalloc
import wave
from array import array
from pathlib import Path

import pytest

from vivavoce.resample import Resampler, resample
from vivavoce.wavefile import WavError, WavFile, is_silent, read_wav, write_wav

AMPLITUDE = 0.5
TONE_HZ = 1000


def tone(rate_hz: int, seconds: float = 0.5, hz: float = TONE_HZ) -> list[float]:
    return [
        AMPLITUDE * math.sin(2 * math.pi * hz * index / rate_hz) for index in range(int(rate_hz * seconds))
    ]


def encode(samples: list[float], bits: int, channels: int = 1) -> bytes:
    """PCM of the same sound on every channel."""
    full = 2 ** (bits - 1)
    values = [round(sample * (full - 1)) for sample in samples for _ in range(channels)]
    if bits == 8:
        return bytes(value + 128 for value in values)
    return b"".join(value.to_bytes(bits // 8, "little", signed=True) for value in values)


def riff(
    pcm: bytes,
    rate_hz: int,
    bits: int,
    channels: int = 1,
    *,
    tag: int = 1,
    size: int | None = None,
    extra: bytes = b"",
) -> bytes:
    """A WAV file by hand. `extra` is a chunk between format and data."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * block, block, bits)
    if tag == 0xFFFE:  # WAVE_FORMAT_EXTENSIBLE with the sub-format PCM
        guid = b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
        form += struct.pack("<HHI", 22, bits, 0) + guid
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + extra
    body += b"data" + struct.pack("<I", len(pcm) if size is None else size) + pcm
    return b"RIFF" + struct.pack("<I", len(body)) + body


def snr_db(pcm: bytes, hz: float = TONE_HZ, rate_hz: int = 16_000) -> float:
    """How far the tone stands above everything else: the sine is fitted, the rest is noise."""
    samples = array("h", pcm)[800:-800]
    angles = [2 * math.pi * hz * index / rate_hz for index in range(len(samples))]
    a = 2 * sum(s * math.sin(x) for s, x in zip(samples, angles, strict=True)) / len(samples)
    b = 2 * sum(s * math.cos(x) for s, x in zip(samples, angles, strict=True)) / len(samples)
    assert math.hypot(a, b) == pytest.approx(AMPLITUDE * 32767, rel=0.01)  # as loud as before
    rest = [s - a * math.sin(x) - b * math.cos(x) for s, x in zip(samples, angles, strict=True)]
    noise = sum(value * value for value in rest) / len(rest)
    return 10 * math.log10((a * a + b * b) / 2 / max(noise, 1e-9))


@pytest.mark.parametrize(
    ("rate_hz", "bits", "channels", "least_db"),
    [
        (16_000, 16, 1, 80),
        (48_000, 16, 2, 75),
        (44_100, 16, 1, 75),
        (44_100, 24, 2, 75),
        (24_000, 32, 1, 75),
        (22_050, 16, 1, 75),
        (8_000, 16, 1, 75),
        (8_000, 8, 1, 40),  # eight bits cannot do better
        (96_000, 24, 6, 75),
        (11_025, 16, 1, 75),
    ],
)
def test_any_pcm_becomes_16_khz_mono_of_the_same_sound(
    tmp_path: Path, rate_hz: int, bits: int, channels: int, least_db: float
) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(riff(encode(tone(rate_hz), bits, channels), rate_hz, bits, channels))
    pcm = read_wav(path)
    assert len(pcm) == pytest.approx(16_000, abs=4)  # half a second, two bytes each
    assert snr_db(pcm) > least_db


def test_channels_are_mixed_at_their_mean(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(riff(struct.pack("<hh", 1000, -500) * 100, 16_000, 16, 2))
    assert set(array("h", read_wav(path))) == {250}


def test_a_tone_that_16_khz_cannot_hold_vanishes() -> None:
    """It must not fold back as another tone: 11 kHz would be heard at 5 kHz."""
    heard = resample(array("d", tone(48_000, hz=11_000)), 48_000, 16_000)[200:-200]
    assert max(map(abs, heard)) < AMPLITUDE * 10 ** (-80 / 20)


def test_speech_up_to_seven_khz_keeps_its_level() -> None:
    heard = resample(array("d", tone(48_000, hz=6_900)), 48_000, 16_000)[200:-200]
    assert max(heard) == pytest.approx(AMPLITUDE, rel=0.1)


def test_silence_and_nothing_stay_what_they_are() -> None:
    assert list(resample(array("d", [0.0] * 480), 48_000, 16_000)) == [0.0] * 160
    assert len(resample(array("d"), 48_000, 16_000)) == 0


def test_full_scale_does_not_wrap_around(tmp_path: Path) -> None:
    square = [1.0 if index // 24 % 2 else -1.0 for index in range(24_000)]
    path = tmp_path / "in.wav"
    path.write_bytes(riff(encode(square, 16), 48_000, 16))
    samples = array("h", read_wav(path))
    assert max(samples) == 32767 and min(samples) == -32768  # overshoot is cut off, not turned around


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 48_000])
def test_pieces_together_are_what_one_piece_would_be(rate_hz: int) -> None:
    samples = array("d", tone(rate_hz, 0.3))
    resampler, pieces = Resampler(rate_hz, 16_000), array("d")
    for at in range(0, len(samples), 777):
        pieces += resampler.feed(samples[at : at + 777])
    assert pieces + resampler.flush() == resample(samples, rate_hz, 16_000)


def test_an_hour_takes_no_more_memory_than_a_second(tmp_path: Path) -> None:
    path, hour = tmp_path / "in.wav", 3600 * 32_000
    path.write_bytes(riff(b"", 16_000, 16, size=hour))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + hour)
    tracemalloc.start()
    recording = WavFile(path)
    spoken = sum(len(piece) for piece in recording.pieces())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (spoken, recording.seconds) == (hour, 3600.0)
    assert peak < 1_000_000


def test_silence_is_told_from_the_softest_word() -> None:
    assert is_silent([]) and is_silent([b"", bytes(640), b"\x10\x00\xf0\xff" * 10])
    assert not is_silent([bytes(640), b"\x00\xff"])


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_streamed_file_without_a_length_is_read_to_its_end(tmp_path: Path, size: int) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(riff(encode(tone(16_000), 16), 16_000, 16, size=size))
    assert len(read_wav(path)) == 16_000


def test_a_file_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(riff(encode(tone(16_000), 16), 16_000, 16)[:-7001])
    assert len(read_wav(path)) == 8_998


def test_other_chunks_and_extensible_headers_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\x00"
    path.write_bytes(riff(encode(tone(16_000), 24), 16_000, 24, tag=0xFFFE, extra=odd))
    assert snr_db(read_wav(path)) > 75


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no RIFF/WAVE header"),
        (b"ID3\x04 this is an MP3 file", "no RIFF/WAVE header; convert it: ffmpeg -i IN"),
        (riff(b"", 16_000, 16)[:36], "holds no audio"),
        (riff(bytes(8), 16_000, 32, tag=3), "not PCM .*; convert it: ffmpeg -i IN"),
        (riff(bytes(8), 16_000, 12), "12 bits"),
        (riff(bytes(8), 0, 16), "0 Hz"),
        (riff(bytes(8), 16_000, 16, 0), "0 channels"),
        (b"RIFF\x00\x00\x00\x00WAVEdata\x04\x00\x00\x00\x00\x00\x00\x00", "before its format"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt \x04\x00\x00\x00\x01\x00\x01\x00", "cut short"),
    ],
)
def test_what_is_no_pcm_wav_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(content)
    with pytest.raises(WavError, match=reason):
        read_wav(path)


def test_the_answer_is_written_as_24_khz_mono(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    write_wav(path, b"\x01\x00\x02\x00")
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert file.readframes(9) == b"\x01\x00\x02\x00"
