"""Google's JavaScript SDK, unmodified, over plain ws: `tests/sdk/live.mjs` talks, this file judges."""

import asyncio
import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from simulator import Config, serve
from simulator.audio import tones
from simulator.audio.similarity import similarity
from simulator.speech import samples

SDK = Path(__file__).parents[1] / "sdk"
WAV = samples.SHIPPED / "question.wav"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (SDK / "node_modules" / "@google" / "genai").is_dir(),
    reason="needs node and `make tests/sdk/node_modules/ready`",
)


async def test_the_javascript_sdk_holds_a_conversation() -> None:
    async with serve(Config(time_scale=40)) as running:
        seen = await run_scenes(running.url)
        codes = [line["code"] for line in running.ledger.where("answer.begun")]
    question = samples.load(WAV)
    spoken = base64.b64decode(seen["spokenTurn"]["audio"])
    assert seen["spokenTurn"]["input"] == seen["spokenTurn"]["output"] == question.text
    assert seen["spokenTurn"]["usage"]["totalTokenCount"] > 0
    assert tones.decode(spoken) == codes[0]
    assert similarity(question.pcm, tones.strip(spoken)) > 0.95
    assert seen["toolCall"] == {"args": {"city": "Oslo"}, "output": "get_weather says rain"}
    assert seen["resumption"] == {"sameSession": True}
    assert seen["goAway"] == {"timeLeft": "10s", "closed": {"code": 1000, "reason": "server reset"}}
    assert seen["lockedToken"]["tool"] == "get_weather"
    for refused, text in [
        (seen["lockedToken"]["spent"], "Token has been used too many times"),
        (seen["expiredToken"]["refused"], "Token has expired"),
    ]:
        assert "1011" in refused and text in refused


async def run_scenes(url: str) -> dict[str, Any]:
    node = await asyncio.create_subprocess_exec(
        "node",
        "live.mjs",
        url,
        str(WAV),
        cwd=SDK,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, complaints = await asyncio.wait_for(node.communicate(), 60)
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
    assert node.returncode == 0, complaints.decode()
    seen: dict[str, Any] = json.loads(out)
    return seen
