"""What tests read from PROTOCOL.md and REFERENCE.md."""

from __future__ import annotations

import re
from pathlib import Path

import protocol

HERE = Path(protocol.__file__).parent
PROTOCOL = (HERE / "PROTOCOL.md").read_text(encoding="utf-8")
REFERENCE = (HERE / "REFERENCE.md").read_text(encoding="utf-8")


def client_source() -> str:
    """Return the client that opens PROTOCOL.md: its first block of Python."""
    found = re.search(r"^```python\n(.*?)^```$", PROTOCOL, re.MULTILINE | re.DOTALL)
    assert found, "PROTOCOL.md opens with a client"
    return found[1]
