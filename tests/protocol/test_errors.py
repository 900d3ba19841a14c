"""The error registry, and ERRORS.md, which has a paragraph for every code."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

import protocol
from protocol.errors import REGISTRY, LocalProtocolError, ProtocolError, RemoteProtocolError, Retry

TEXT = (Path(protocol.__file__).parent / "ERRORS.md").read_text(encoding="utf-8")
PARAGRAPHS = {
    found[1]: found
    for found in re.finditer(
        r"^### `(\w+)`\n\n\*(.+?)\*  \nretry: `(\w+)` · close: (\w+) · seen: ([^\n]+)\n\n(.+?)\n(?=\n|\Z)",
        TEXT,
        re.MULTILINE | re.DOTALL,
    )
}


def test_the_registry_and_the_text_have_the_same_codes() -> None:
    headings = re.findall(r"^### `(\w+)`", TEXT, re.MULTILINE)
    assert headings == list(dict.fromkeys(headings))
    assert set(headings) - set(REGISTRY) == set()
    assert set(REGISTRY) - set(headings) == set()
    assert set(PARAGRAPHS) == set(headings)


@pytest.mark.parametrize("code", REGISTRY)
def test_the_text_says_what_the_registry_says(code: str) -> None:
    row, found = REGISTRY[code], PARAGRAPHS[code]
    assert found[2] == row.message
    assert found[3] == row.retry
    assert found[4] == (str(row.close) if row.close else "none")
    assert len(found[6].split()) >= 20


def test_close_codes_are_ours_and_tell_errors_apart() -> None:
    closes = Counter(row.close for row in REGISTRY.values() if row.close is not None)
    assert all(4400 <= close <= 4499 for close in closes)
    shared = {close for close, times in closes.items() if times > 1}
    assert shared == {4400, 4401}


def test_codes_that_share_a_close_code_share_what_to_do_or_say_it_first() -> None:
    """4401 is refresh or resume: a client that lost the message tries to resume, and is told on control."""
    assert {row.retry for row in REGISTRY.values() if row.close == 4400} == {"never"}
    assert {row.retry for row in REGISTRY.values() if row.close == 4401} == {"refresh", "resume"}


@pytest.mark.parametrize("code", REGISTRY)
def test_each_row_is_sound(code: str) -> None:
    row = REGISTRY[code]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert row.retry in get_args(Retry)
    assert row.retryable == (row.retry != "never")
    assert row.message.endswith(".")


def test_errors_say_whose_fault_it_was() -> None:
    for kind in (RemoteProtocolError, LocalProtocolError):
        error = kind("bad_message", ref="mic")
        assert isinstance(error, ProtocolError)
        assert (str(error), error.code, error.ref) == ("bad_message", "bad_message", "mic")
