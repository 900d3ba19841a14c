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
from tests import dialect

SPLITS = dialect.profile().splits_replies.value
SDK = Path(__file__).parents[1] / "sdk"
WAV = samples.SHIPPED / "question.wav"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (SDK / "node_modules" / "@google" / "genai").is_dir(),
    reason="needs node and `make tests/sdk/node_modules/ready`",
)


async def test_the_javascript_sdk_holds_a_conversation() -> None:
    async with serve(Config(time_scale=40)) as running:
        seen = await run_scenes(running.url)
        answers = running.ledger.where("answer.begun")
    question = samples.load(WAV)
    thought, (answer, *_) = ("", answers) if not SPLITS else (answers[0]["text"], answers[1:])
    spoken = base64.b64decode(seen["spokenTurn"]["audio"])[-48 * round(1000 * answer["duration_s"]) :]
    assert seen["spokenTurn"]["input"] == answer["text"] == question.text
    assert seen["spokenTurn"]["output"] == thought + answer["text"]
    assert seen["spokenTurn"]["usage"]["totalTokenCount"] > 0
    assert tones.decode(spoken) == answer["code"]
    assert similarity(question.pcm, tones.strip(spoken)) > 0.95
    assert seen["toolCall"]["args"] == {"city": "Oslo"}
    assert seen["toolCall"]["output"].endswith("get_weather says rain")
    assert seen["resumption"] == {"sameSession": True}
    assert seen["goAway"] == {"timeLeft": "10s", "closed": {"code": 1000, "reason": "server reset"}}
    assert seen["lockedToken"]["tool"] == "get_weather"
    for refused, text in [
        (seen["lockedToken"]["spent"], "Token has been used too many times"),
        (seen["expiredToken"]["refused"], "Token has expired"),
    ]:
        assert "1011" in refused and text in refused


def habits() -> dict[str, Any]:
    """What the model's profile says of what these scenes do."""
    profile = dialect.profile()
    level = {"thinkingConfig": {"thinkingLevel": "LOW"}} if profile.thinking.value == "level" else {}
    behavior = {"behavior": "NON_BLOCKING"} if profile.schedules_results else {}
    return {"model": dialect.model(), "setup": level, "tool": behavior, "text": profile.text.value}


async def run_scenes(url: str) -> dict[str, Any]:
    node = await asyncio.create_subprocess_exec(
        "node",
        "live.mjs",
        url,
        str(WAV),
        json.dumps(habits()),
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
