"""The page has words of its own for whatever the server may say. Needs no browser."""

from __future__ import annotations

import re

from protocol.errors import REGISTRY
from tests.browser.drive import CONSOLE

#: About a message or a moment, never the reason that a call failed.
NEVER_SHOWN = {
    "bad_frame",
    "bad_message",
    "call_unknown",
    "hello_timeout",
    "mode_refused",
    "out_of_order",
    "unknown_type",
}


def test_every_error_that_can_end_a_call_has_its_own_sentence_on_the_page() -> None:
    text = (CONSOLE / "src" / "sentences.ts").read_text()
    known = set(re.findall(r"^  (\w+): \{", text, re.MULTILINE))
    assert set(REGISTRY) - NEVER_SHOWN <= known
