"""The witness itself: every kind of leak is found when it is planted, and nothing when there is none."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.witness import CANARY, ROOT, Witness, prompts, spoken

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl"


def test_a_clean_run_has_no_findings() -> None:
    witness = Witness()
    witness.receives('{"type":"live","session":"s1"}')
    witness.receives(b"\1\0\0\1\0\0\0\0")
    witness.logs(['{"message":"call started","session_id":"s1"}'])
    assert witness.findings() == []


@pytest.mark.parametrize(
    "leak",
    [
        '{"type":"error","message":"Gemini closed"}',
        '{"serverContent":{}}',
        '{"token":"auth_tokens/0123456789abcdef"}',
        f'{{"x":"{CANARY}"}}',
        next(iter(prompts()), "a prompt").upper(),
    ],
)
def test_what_a_client_must_not_receive_is_found(leak: str) -> None:
    witness = Witness()
    witness.keeps(CANARY, "a key")
    witness.receives(leak)
    assert witness.findings()


@pytest.mark.parametrize(
    "leak",
    [
        f"connect {JWT}",
        "Sec-WebSocket-Protocol: vivavoce, vivavoce.ticket.AbCdEfGhIjKlMnOpQrStUv",
        '"name":"auth_tokens/0123456789abcdef"',
        '"resume_key":"AbCdEfGhIjKlMnOpQrStUv"',
        "{'ticket': 'AbCdEfGhIjKlMnOpQrStUvWxYz'}",
        base64.b64encode(bytes(range(256))).decode(),
        repr(bytes(640)),
        CANARY,
        *spoken(),
    ],
)
def test_what_a_log_must_not_hold_is_found(leak: str) -> None:
    witness = Witness()
    witness.keeps(CANARY, "a key")
    witness.logs([f'{{"message":"{leak}"}}'])
    assert witness.findings()


@pytest.mark.parametrize(
    "given",
    [
        '{"type":"ready","media":{"url":"ws://x","ticket":"AbCdEfGhIjKlMnOpQrStUvWxYz"}}',
        '{"type":"starting","session":"s","resume_key":"AbCdEfGhIjKlMnOpQrStUvWxYz"}',
        '{"type":"transcript","message":"a1","turn":1,"role":"agent","text":" AbCdEfGhIjKlMnOpQrStUvWxYz"}',
    ],
)
def test_what_a_client_is_given_is_found_in_a_log_under_any_name(given: str) -> None:
    witness = Witness()
    witness.receives(given)
    assert witness.findings() == []
    witness.logs(["{'credential': 'AbCdEfGhIjKlMnOpQrStUvWxYz'}"])
    assert len(witness.findings()) == 1


def test_a_single_word_of_a_transcript_is_found_as_a_logged_value() -> None:
    witness = Witness()
    witness.receives('{"type":"transcript","message":"a1","turn":1,"role":"agent","text":" you"}')
    witness.logs(['{"message":"thank you","you":1}'])
    assert witness.findings() == []
    witness.logs(['{"message":"said","text":" you"}'])
    assert len(witness.findings()) == 1


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_suite_with_a_leak_fails(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_leak.py").write_text(f"def test_leak(witness): witness.logs(['{JWT}'])\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = ["-m", "pytest", "-p", "tests.conftest", "-p", "xdist", "-n", workers, str(tmp_path)]
    environment = os.environ | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"
    }  # the others take as long as all the rest
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 passed" in done.stdout and "LEAK: a log holds a JWT" in done.stdout
