"""A client in Java that was written from PROTOCOL.md holds a call with this server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import wave
from pathlib import Path

import pytest

from simulator.audio import tones, watermark
from simulator.audio.similarity import similarity
from tests import dialect
from tests.e2e.conftest import System
from tests.e2e.talk import QUESTION
from tests.java.build import PROTOCOL, build

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

FRAME_BYTES = 640  #: 20 ms at 16 kHz


def write_numbered(path: Path, pcm: bytes) -> int:
    """Write `pcm` as a WAV whose every 20 ms carry a number from 0 on; return how many there are."""
    frames = [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)]
    with wave.open(str(path), "wb") as wav:
        wav.setparams((1, 2, 16_000, 0, "NONE", ""))
        wav.writeframes(b"".join(watermark.embed(frame, number) for number, frame in enumerate(frames)))
    return len(frames)


async def test_a_client_written_from_the_specification_loses_nothing_to_two_cuts(
    system: System, tmp_path: Path
) -> None:
    question, answer = tmp_path / "question.wav", tmp_path / "answer.pcm"
    frames = write_numbered(question, QUESTION)
    java = await asyncio.to_thread(build, tmp_path / "classes")
    command = [*java, "Call", system.stack.urls.page, str(question), str(answer), str(PROTOCOL)]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    assert (told["ended"], told["close"], told.get("errors", [])) == ("client", 1000, [])
    assert told["stages"][0] == "admitted"
    assert told["resumed"] == [False, True, True]  # cut in the question, and again in the answer

    # Up: every frame of the question was heard once, in order.
    heard = system.simulator.ledger.where("utterance.heard")[-1]
    assert heard["planted"] == [(0, frames - 1)] and told["counters"]["resent_frames"] > 0

    # Down: the whole answer of this run, once, and every event.
    codes = dialect.codes(system.simulator.ledger.where("answer.begun"))
    assert [code for code, _ in tones.find(answer.read_bytes())] == codes
    assert similarity(QUESTION, answer.read_bytes()) > 0.9
    assert told["positions"] == [[1, n] for n in range(1, len(told["positions"]) + 1)]
    lost = ("missing_frames", "stale_uplink_ms", "bad", "unknown_types")
    assert [told["counters"][name] for name in lost] == [0, 0, 0, 0]

    # The record has what the client was told, and the client said what it played.
    (turn,) = await asyncio.to_thread(system.turns, told["session"])
    assert told["words"] == {"u1": turn.user_text, "a1": turn.agent_text}
    assert turn.user_text == "Could you tell me when the next train leaves?"
    assert told["playback"][0] == "started" and told["playback"][-1] == "drained"
