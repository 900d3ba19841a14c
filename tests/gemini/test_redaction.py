"""A trace is shown to strangers: it holds no secret, whatever form Google gives it next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gemini.contact.kit import TOOL
from gemini.contact.recording import Line
from gemini.contact.redaction import Redactor

SECRET = "AQ.Ab8RN6Jk-secret_0123456789"


@pytest.mark.parametrize(
    "message",
    [
        {"answer": {"name": SECRET}},
        {"answer": {"name": f"auth_tokens/{SECRET}"}},
        {"answer": {"name": f"tokens/{SECRET}", "token": {"name": SECRET}}},
        {"sessionResumptionUpdate": {"newHandle": SECRET}},
        {"toolCall": {"functionCalls": [{"id": SECRET, "name": SECRET, "args": {"city": SECRET}}]}},
        {"setup": {"model": SECRET}},
        {"serverContent": {"inputTranscription": {"text": SECRET, "languageCode": SECRET}}},
        {"request": {"fieldMask": SECRET}},
    ],
)
def test_no_field_of_a_message_brings_a_secret_out(message: dict[str, Any]) -> None:
    line = Redactor().line(Line(0.0, "speech.1", "down", message))
    assert SECRET not in json.dumps(line)


def test_what_tells_of_the_wire_stays() -> None:
    message = {
        "setup": {"model": "models/gemini-3.8-live", "generationConfig": {"responseModalities": ["AUDIO"]}},
        "toolCall": {"functionCalls": [{"id": "7", "name": TOOL}]},
        "serverContent": {"inputTranscription": {"languageCode": "pt-BR"}, "interactionStatus": "IDLE"},
        "fieldMask": "model,generationConfig.responseModalities",
        "goAway": {"timeLeft": "9.5s"},
    }
    masked = {"masked": "secret", "number": 1, "length": 1}
    kept = Redactor().line(Line(0.0, "tool.1", "down", message))["message"]
    assert kept == {**message, "toolCall": {"functionCalls": [{"id": masked, "name": TOOL}]}}
