"""Codec of the Live API: client bytes to typed messages, server messages to bytes.

Client messages are JSON with exactly one field; the server sends JSON in binary
frames. Anything malformed is a Refusal with the close code Google uses.
"""

import binascii
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from simulator.audio import pcm as audio
from simulator.wire.fields import MESSAGE, conform
from simulator.wire.refusal import invalid

_URL_SAFE = str.maketrans("-_", "+/")
_RATE = re.compile(r"rate=(\d{1,6})(?!\d)")


@dataclass(frozen=True, slots=True)
class SetupSent:
    setup: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AudioSent:
    pcm: bytes  #: already at 16 kHz


@dataclass(frozen=True, slots=True)
class VideoSent:
    size_bytes: int


@dataclass(frozen=True, slots=True)
class TextSent:
    text: str


@dataclass(frozen=True, slots=True)
class ActivityMarked:
    is_start: bool


@dataclass(frozen=True, slots=True)
class AudioStreamEnded:
    pass


@dataclass(frozen=True, slots=True)
class ContentSent:
    turns: list[dict[str, Any]]
    turn_complete: bool


@dataclass(frozen=True, slots=True)
class ToolResponded:
    responses: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ContextUpdated:
    update: dict[str, Any]


ClientMessage = (
    SetupSent
    | AudioSent
    | VideoSent
    | TextSent
    | ActivityMarked
    | AudioStreamEnded
    | ContentSent
    | ToolResponded
    | ContextUpdated
)

REALTIME = (AudioSent, VideoSent, TextSent, ActivityMarked, AudioStreamEnded)


def decode(raw: str | bytes) -> ClientMessage:
    """One client message. Raises Refusal for everything Google would close the socket over."""
    try:
        message = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise invalid("Invalid JSON payload received.") from None
    if not isinstance(message, dict) or len(message) != 1:
        raise invalid()
    message = conform(message, MESSAGE)
    if not message:
        raise invalid()
    name, body = next(iter(message.items()))
    match name:
        case "realtimeInput":
            return _realtime(body)
        case "setup":
            return SetupSent(body)
        case "clientContent":
            return ContentSent(body.get("turns", []), body.get("turnComplete") is True)
        case "toolResponse":
            return ToolResponded(body.get("functionResponses", []))
        case _:
            return ContextUpdated(body)


def encode(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message)


_AUDIO_HEAD = (
    b'{"serverContent":{"modelTurn":{"role":"model","parts":[{"inlineData":'
    b'{"mimeType":"audio/pcm;rate=24000","data":"'
)
_AUDIO_TAIL = b'"}}]}}}'


def encode_audio(pcm: bytes) -> bytes:
    """A server message with one chunk of 24 kHz speech; a template, since these are nearly all messages."""
    return _AUDIO_HEAD + binascii.b2a_base64(pcm, newline=False) + _AUDIO_TAIL


def unbase64(data: Any) -> bytes:
    """Bytes of either base64 alphabet, padded or not.

    `a2b_base64` silently drops `-` and `_`, which would turn the Python SDK's audio into noise.
    """
    if not isinstance(data, str):
        raise invalid()
    if "-" in data or "_" in data:
        data = data.translate(_URL_SAFE)
    try:
        return binascii.a2b_base64(data + "=" * (-len(data) % 4), strict_mode=True)
    except (binascii.Error, ValueError):
        raise invalid("Invalid value at 'realtime_input.audio.data', Base64 decoding failed") from None


def _realtime(body: dict[str, Any]) -> ClientMessage:
    if len(body) != 1:
        raise invalid()
    name, value = next(iter(body.items()))
    match name:
        case "audio":
            return _audio(value)
        case "mediaChunks":  # deprecated, still sent by old clients: one blob at a time
            if len(value) != 1:
                raise invalid()
            is_audio = str(value[0].get("mimeType", "")).startswith("audio/")
            return _audio(value[0]) if is_audio else VideoSent(len(unbase64(value[0].get("data"))))
        case "video":
            return VideoSent(len(unbase64(value.get("data"))))
        case "text":
            return TextSent(_text(value))
        case "activityStart" | "activityEnd":
            return ActivityMarked(name == "activityStart")
        case _:
            if value is not True:
                raise invalid()
            return AudioStreamEnded()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise invalid()
    return value


def _audio(blob: dict[str, Any]) -> AudioSent:
    rate = _declared_rate(str(blob.get("mimeType", "")))
    return AudioSent(audio.resample(unbase64(blob.get("data", "")), rate, audio.IN_HZ))


@lru_cache(maxsize=64)
def _declared_rate(mime_type: str) -> int:
    """Samples a second of `audio/pcm;rate=N`; 16 kHz where no rate is given."""
    if not mime_type.startswith("audio/pcm"):
        raise invalid()
    declared = _RATE.search(mime_type)
    rate = int(declared[1]) if declared else audio.IN_HZ
    if not 8_000 <= rate <= 96_000:
        raise invalid()
    return rate
