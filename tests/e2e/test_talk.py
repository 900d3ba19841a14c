"""What a newcomer types: `vivavoce dev` in one terminal, `vivavoce talk` in another. Real processes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from simulator.audio import tones
from simulator.audio.similarity import similarity
from simulator.speech.samples import SHIPPED
from tests.e2e.dev import VIVAVOCE, dev, spoken_code
from vivavoce.wavefile import read_wav


@pytest.mark.timeout(120)
def test_two_terminals(tmp_path: Path) -> None:
    question, out = SHIPPED / "question.wav", tmp_path / "out.wav"
    with dev() as urls:
        talk = [*VIVAVOCE, "talk", "--url", urls["page"], "--wav", str(question), "--out", str(out), "--json"]
        done = subprocess.run(talk, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        code = spoken_code(urls["simulator"])
    said = json.loads(done.stdout)
    heard = read_wav(out)  # comes back at 16 kHz
    assert tones.decode(heard, 16_000) == code
    assert similarity(read_wav(question), heard, 16_000, 16_000) > 0.9
    assert said["transcripts"]["user"] == ["Could you tell me when the next train leaves?"]
    assert "train" in said["transcripts"]["agent"][0]
    assert said["first_audio_ms"] > 0 and said["session"]
    routes = {made["route_key"]: made["request_id"] for made in said["record"]["admitted_by"]}
    assert routes.keys() == {"$connect", "start"} and all(routes.values())
    (turn,) = said["record"]["turns"]
    assert (turn["user_text"], turn["agent_text"]) == (
        said["transcripts"]["user"][0],
        said["transcripts"]["agent"][0],
    )
    told = done.stderr.splitlines()
    assert any(line.startswith("starting: admitted") for line in told)
