"""A recording without what is anybody's: words, audio, keys, tokens and handles become their sizes. Pure.

Field names, types, numbers, times, Google's own constants and the words of its refusals (scrubbed) stay.
"""

from __future__ import annotations

import re
from array import array
from typing import Any

from gemini import refusals
from gemini.contact.kit import OTHER_TOOL, TOOL
from gemini.contact.recording import Line, pcm_of

_CONSTANT = r"[A-Z][A-Z_]{0,60}"
_SECONDS = r"\d{1,9}(\.\d{1,9})?s"
_LANGUAGE = r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}"

#: text of these fields stays if it has the form: of constants, and of what is no secret and no words
_PLAIN = {
    field: re.compile(form)
    for form, fields in (
        (_CONSTANT, "modality interactionStatus turnCompleteReason scheduling behavior serviceTier method"),
        (_CONSTANT, "thinkingLevel responseModalities activityHandling"),
        (rf"{_CONSTANT}|[a-z]{{1,10}}", "type role key"),
        (_SECONDS, "timeLeft audioOffset startOffset endOffset"),
        (_LANGUAGE, "languageCode languageCodes"),
        (r"[a-z]{1,20}/[a-z0-9.+-]{1,30}(; ?rate=\d{1,6})?", "mimeType"),
        (r"(models/)?(gemini-[a-z0-9.-]{1,60}|no-such-model)", "model"),
        (rf"{TOOL}|{OTHER_TOOL}", "name"),
        (r"[A-Za-z]{1,40}([.,][A-Za-z]{1,40}){0,40}", "fieldMask"),
        (r"[a-z.]{1,20}", "step"),
    )
    for field in fields.split()
}
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
        if name in _PLAIN and _PLAIN[name].fullmatch(text):
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
