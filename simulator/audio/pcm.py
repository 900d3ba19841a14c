"""Mono s16le samples: resampling, loudness, envelopes.

Plain Python on `array` and slices: one simulator serves dozens of sessions in a
benchmark without a numeric library, which would be its largest dependency.
"""

import math
from array import array
from operator import mul

IN_HZ = 16_000  #: what Gemini Live hears natively
OUT_HZ = 24_000  #: what it speaks
SAMPLE_BYTES = 2


def samples(pcm: bytes) -> "array[int]":
    """The samples of `pcm`; an odd last byte is dropped."""
    out = array("h")
    out.frombytes(pcm[: len(pcm) - len(pcm) % SAMPLE_BYTES])
    return out


def seconds(pcm: bytes, rate: int) -> float:
    return len(pcm) / (SAMPLE_BYTES * rate)


def silence(duration_s: float, rate: int) -> bytes:
    return bytes(SAMPLE_BYTES * round(duration_s * rate))


def rms(frame: bytes) -> float:
    """Loudness of a frame, from every second sample: half the work, same answer for speech."""
    thin = samples(frame)[::2]
    return math.sqrt(sum(map(mul, thin, thin)) / len(thin)) if thin else 0.0


def envelope(pcm: bytes, rate: int, frame_s: float = 0.02) -> list[float]:
    """Loudness of every full frame of `frame_s` seconds."""
    step = SAMPLE_BYTES * round(rate * frame_s)
    return [rms(pcm[at : at + step]) for at in range(0, len(pcm) - step + 1, step)]


def resample(pcm: bytes, src_hz: int, dst_hz: int) -> bytes:
    """Mono s16le in, mono s16le out, by linear interpolation; length scales by dst/src."""
    if src_hz == dst_hz:
        return pcm
    source = samples(pcm)
    if not source:
        return b""
    if src_hz * 3 == dst_hz * 2:
        return _three_for_two(source).tobytes()
    if src_hz % dst_hz == 0:
        return _averaged(source, src_hz // dst_hz).tobytes()
    return _interpolated(source, src_hz, dst_hz).tobytes()


def _three_for_two(source: "array[int]") -> "array[int]":
    """16 kHz to 24 kHz, the one conversion on the hot path: three samples for every two."""
    if len(source) % 2:
        source = source[:-1]
    first, second = source[::2], source[1::2]
    third = first[1:] + first[-1:]
    out = array("h", bytes(SAMPLE_BYTES * 3 * len(first)))
    out[::3] = first
    out[1::3] = array("h", [(a + b + b) // 3 for a, b in zip(first, second, strict=True)])
    out[2::3] = array("h", [(b + b + c) // 3 for b, c in zip(second, third, strict=True)])
    return out


def _averaged(source: "array[int]", factor: int) -> "array[int]":
    """One sample for every `factor`: the mean, which also keeps the worst aliases out."""
    whole = len(source) - len(source) % factor
    lanes = [source[lane:whole:factor] for lane in range(factor)]
    return array("h", [sum(group) // factor for group in zip(*lanes, strict=True)])


def _interpolated(source: "array[int]", src_hz: int, dst_hz: int) -> "array[int]":
    out = array("h", bytes(SAMPLE_BYTES * (len(source) * dst_hz // src_hz)))
    last = len(source) - 1
    for index in range(len(out)):
        whole, part = divmod(index * src_hz, dst_hz)
        here = source[whole]
        after = source[min(whole + 1, last)]
        out[index] = here + (after - here) * part // dst_hz
    return out


def trimmed(pcm: bytes, rate: int, threshold: float, margin_s: float = 0.0) -> bytes:
    """`pcm` without the quiet before the first and after the last loud 20 ms, save for `margin_s`."""
    loud = [index for index, level in enumerate(envelope(pcm, rate)) if level >= threshold]
    if not loud:
        return b""
    step = SAMPLE_BYTES * rate // 50
    margin = SAMPLE_BYTES * round(margin_s * rate)
    return pcm[max(0, loud[0] * step - margin) : (loud[-1] + 1) * step + margin]
