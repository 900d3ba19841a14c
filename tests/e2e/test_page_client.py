"""The client that opens PROTOCOL.md runs as it is printed: it asks, is cut off once, and hears the answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from infra.faults.link import Way
from infra.faults.toxics import Reset
from simulator.audio import tones
from simulator.audio.similarity import similarity
from tests import dialect
from tests.e2e.conftest import System
from tests.e2e.talk import QUESTION
from tests.e2e.test_java_client import write_numbered
from tests.protocol.page import client_source
from tests.witness import WITNESS

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    ("way", "after_bytes"), [("up", 50_000), ("down", 60_000)], ids=["in the question", "in the answer"]
)
async def test_the_client_on_the_page_loses_nothing_to_a_cut(
    system: System, way: Way, after_bytes: int, tmp_path: Path
) -> None:
    client, question, answer = (tmp_path / name for name in ("client.py", "question.wav", "answer.pcm"))
    client.write_text(client_source(), encoding="utf-8")
    frames = write_numbered(question, QUESTION)
    stack, link, ledger = system.stack, system.media, system.simulator.ledger
    assert link is not None
    token = stack.user().token()
    WITNESS.keeps(token, "a JWT")
    command = [sys.executable, str(client), stack.urls.control, token, str(question), str(answer)]
    invoked, noted = list(stack.invocations), list(ledger.lines)
    with link.injected(Reset(after_bytes=after_bytes), ways=(way,), most=1) as cut:
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=90, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert cut.has_fired.is_set()
    resumes = [one for one in stack.invocations if one.route_key == "resume" and one not in invoked]
    (heard,), begun = (
        [line for line in ledger.where(kind) if line not in noted]
        for kind in ("utterance.heard", "answer.begun")
    )
    assert len(resumes) == 1
    assert heard["planted"] == [(0, frames - 1)]
    assert [code for code, _ in tones.find(answer.read_bytes())] == [each["code"] for each in begun]
    assert len(begun) == dialect.turns()
    assert similarity(QUESTION, answer.read_bytes()) > 0.9
    assert "user Could you tell me" in done.stdout and "agent" in done.stdout
