"""A recording without what is anybody's: words, audio, keys, tokens and handles become their sizes. Pure.

Field names, types, numbers, times, Google's own constants and the words of its refusals (scrubbed) stay.
"""

from __future__ import annotations

import re
from array import array
from typing import Any

from gemini import refusals
from gemini.contact.recording import Line, pcm_of

#: fields whose text is one of Google's constants, or a form that nobody's words have
_PLAIN = {
    *(
        "mimeType",
        "modality",
        "type",
        "interactionStatus",
        "turnCompleteReason",
        "scheduling",
        "behavior",
        "role",
    ),
    *(
        "timeLeft",
        "audioOffset",
        "startOffset",
        "endOffset",
        "serviceTier",
        "languageCode",
        "step",
        "method",
        "key",
    ),
    *(
        "model",
        "thinkingLevel",
        "responseModalities",
        "languageCodes",
        "name",
        "fieldMask",
        "activityHandling",
    ),
}
_CONSTANT = re.compile(r"[A-Za-z0-9_./;=:+-]{1,80}")
_SECRET = re.compile(r"auth_tokens/|AIza")
_HANDLES = {"newHandle", "handle"}


class Redactor:
    """Masks lines; the same handle or id gets the same number throughout."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def line(self, line: Line) -> dict[str, Any]:
        """One line of a trace."""
        message = line.message
        if line.way in ("close", "refused"):
            message = {"code": message["code"], "reason": refusals.scrub(str(message["reason"]))}
        elif line.way in ("up", "down", "asked"):
            message = self._masked(message)
        return {
            "t": round(line.at_s, 3),
            "connection": line.connection,
            "way": line.way,
            "message": message,
            **({"binary": True} if line.is_binary else {}),
        }

    def _masked(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            if isinstance(value.get("data"), str):
                return _blob(value)
            return {key: self._masked(held, key) for key, held in value.items()}
        if isinstance(value, list):
            return [self._masked(held, name) for held in value]
        return self._text(value, name) if isinstance(value, str) else value

    def _text(self, text: str, name: str) -> Any:
        if name in _HANDLES or name in ("id", "ids", "sessionId") or _SECRET.search(text):
            number = self._numbers.setdefault(text, len(self._numbers) + 1)
            return {"masked": "secret", "number": number, "length": len(text)} if text else ""
        if name == "message":  # of an API error
            return refusals.scrub(text)
        if name in _PLAIN and _CONSTANT.fullmatch(text):
            return text
        return {"masked": "text", "length": len(text)}


def _blob(blob: dict[str, Any]) -> dict[str, Any]:
    """Audio by its length and loudness; any other data by its length."""
    kept = {"mimeType": str(blob.get("mimeType", ""))}
    pcm = pcm_of(blob)
    if not kept["mimeType"].startswith("audio/"):
        return {**kept, "masked": "data", "length": len(pcm)}
    samples = array("h", pcm[: len(pcm) & ~1])
    loudness = round((sum(each * each for each in samples) / max(1, len(samples))) ** 0.5)
    return {**kept, "masked": "audio", "length": len(pcm), "loudness": loudness}
