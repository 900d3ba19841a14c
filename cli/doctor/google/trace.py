"""A trace: the recording of a first contact as JSON lines, without words and secrets."""

from __future__ import annotations

import json
from pathlib import Path

from gemini.contact.recording import Recording
from gemini.contact.redaction import Redactor


def write(path: Path, recording: Recording) -> None:
    """Write it, in the order of time. Raises OSError."""
    redactor = Redactor()
    lines = [json.dumps(redactor.line(line), separators=(",", ":")) for line in recording.lines]
    path.write_text("\n".join(lines) + "\n", "utf-8")
