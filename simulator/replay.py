"""Wire traces that are played back: what a server once said, at the same distance from what it answered.

A trace is JSON lines, as `vivavoce doctor --google --trace FILE` writes them. Of each connection the server's
messages follow the client's last cue: its setup, any message but audio, or speech after quiet audio. On
playback they wait for the same cue. Audio and words were masked; they come as a tone and as syllables of the
same length.
"""

import json
import math
from array import array
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.audio import pcm as audio
from simulator.audio.pcm import OUT_HZ, SAMPLE_BYTES

LOUD = 300.0  #: RMS above which audio is speech
QUIET_S = 0.5  #: of audio below that, after which speech is a cue
TONE_HZ = 220
SYLLABLES = "la le lo "


class TraceError(ValueError):
    """No trace; the text says why in one line."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message or a close, `after_s` after the cue."""

    cue: int  #: number of the client's cue that it follows, from 1: the setup
    after_s: float
    message: dict[str, Any] | None  #: None: the close
    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Take:
    """One recorded connection. `status`: its handshake was refused with that."""

    name: str
    spoken: tuple[Spoken, ...]
    status: int | None = None


class Cues:
    """Counts the client's cues. Time is that of the audio, so a burst counts as it would have been spoken."""

    def __init__(self) -> None:
        self.count = 0
        self._quiet_s = QUIET_S

    def message(self) -> bool:
        """A message that is no audio. Returns whether it is a cue, as it always is."""
        self.count += 1
        return True

    def audio(self, loudness: float, duration_s: float) -> bool:
        """A stretch of audio. Returns whether it is a cue: speech after quiet."""
        begins = loudness >= LOUD and self._quiet_s >= QUIET_S
        self._quiet_s = 0.0 if loudness >= LOUD else self._quiet_s + duration_s
        self.count += begins
        return begins


def read(path: Path) -> tuple[Take, ...]:
    """The connections of a trace, in the order in which they were opened. Raises TraceError."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TraceError(f"{path}: not UTF-8 text") from None
    by_name: dict[str, list[dict[str, Any]]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            given = json.loads(line)
            by_name.setdefault(given["connection"], []).append(given)
            given["t"] + 0.0, given["message"].keys(), given["way"]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise TraceError(f"{path}, line {number}: no line of a trace") from None
    takes = [_take(name, lines) for name, lines in by_name.items()]
    played = tuple(take for take in takes if take.spoken or take.status)
    if not played:
        raise TraceError(f"{path}: no connection in it")
    return played


def _take(name: str, lines: list[dict[str, Any]]) -> Take:
    cues, cue_at, spoken, status = Cues(), 0.0, [], None
    for line in lines:
        message, at_s = line["message"], float(line["t"])
        match line["way"]:
            case "up" if _is_cue(message, cues):
                cue_at = at_s
            case "down":
                spoken.append(Spoken(cues.count, at_s - cue_at, _unmasked(message)))
            case "close":
                code, reason = int(message["code"]), str(message["reason"])
                spoken.append(Spoken(cues.count, at_s - cue_at, None, code=code, reason=reason))
            case "refused" if 400 <= int(message["code"]) < 600:
                status = int(message["code"])
    return Take(name, tuple(spoken), status)


def _is_cue(message: dict[str, Any], cues: Cues) -> bool:
    blob = message.get("realtimeInput", {}).get("audio")
    if blob is None:
        return cues.message()
    return cues.audio(float(blob.get("loudness", 0)), int(blob.get("length", 0)) / SAMPLE_BYTES / audio.IN_HZ)


def _unmasked(value: Any) -> Any:
    """A masked message as one that can be sent: something of the same size stands for what is masked."""
    if isinstance(value, list):
        return [_unmasked(held) for held in value]
    if not isinstance(value, dict):
        return value
    length = int(value.get("length", 0))
    match value.get("masked"):
        case "text":
            return (SYLLABLES * (length // len(SYLLABLES) + 1))[:length]
        case "secret":
            return f"masked-{value.get('number', 0)}".ljust(length, "x")
        case "audio":
            return _blob(value, tone(length, float(value.get("loudness", 0))))
        case "data":
            return _blob(value, bytes(length))
    return {name: _unmasked(held) for name, held in value.items()}


def _blob(masked: dict[str, Any], data: bytes) -> dict[str, str]:
    return {"mimeType": str(masked.get("mimeType", "")), "data": b64encode(data).decode()}


def tone(length: int, loudness: float) -> bytes:
    """A tone of so many bytes at 24 kHz, with that RMS."""
    peak = min(32_767.0, loudness * math.sqrt(2))
    step = 2 * math.pi * TONE_HZ / OUT_HZ
    samples = array("h", (round(peak * math.sin(step * at)) for at in range(length // SAMPLE_BYTES)))
    return samples.tobytes() + bytes(length % SAMPLE_BYTES)
