"""Playing back a trace: the same messages, at the same distance from the same cues."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from simulator import Config, serve
from simulator.__main__ import greeting, main
from simulator.audio import pcm as audio
from simulator.replay import TraceError, read, tone
from tests.simulator.live_client import live, speech_in, transcript

SPEECH = tone(6_400, 2_000)  #: 200 ms of 16 kHz
QUIET = bytes(19_200)


def line(t: float, way: str, message: dict[str, Any], connection: str = "a.1") -> dict[str, Any]:
    return {"t": t, "connection": connection, "way": way, "message": message}


def heard(loudness: int, length: int = 3_200) -> dict[str, Any]:
    blob = {"mimeType": "audio/pcm;rate=16000", "masked": "audio", "length": length, "loudness": loudness}
    return {"realtimeInput": {"audio": blob}}


SOUND = {"mimeType": "audio/pcm;rate=24000", "masked": "audio", "length": 1_921, "loudness": 1_000}
TRACE = [
    line(1.0, "up", {"setup": {"model": "models/m"}}),
    line(1.2, "down", {"setupComplete": {"sessionId": {"masked": "secret", "number": 1, "length": 12}}}),
    *(line(2.0 + at / 10, "up", heard(0)) for at in range(5)),
    line(3.0, "up", heard(2_000)),
    line(3.1, "up", heard(2_000)),
    line(3.5, "down", {"serverContent": {"modelTurn": {"parts": [{"inlineData": SOUND}]}}}),
    line(3.6, "down", {"serverContent": {"outputTranscription": {"text": {"masked": "text", "length": 11}}}}),
    line(4.0, "up", {"clientContent": {"turns": [], "turnComplete": True}}),
    line(4.4, "close", {"code": 1011, "reason": "Internal error encountered."}),
    line(0.0, "refused", {"code": 503, "reason": "The service is currently unavailable."}, "b.1"),
    line(0.0, "asked", {"code": 200}, "c.1"),
]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in TRACE))
    return path


def test_a_trace_is_its_connections_with_what_was_masked_of_the_same_size(trace: Path) -> None:
    first, second = read(trace)
    assert (first.name, first.status, second.name, second.status) == ("a.1", None, "b.1", 503)
    assert [(each.cue, round(each.after_s, 3)) for each in first.spoken] == [
        *((1, 0.2), (2, 0.5), (2, 0.6), (3, 0.4))
    ]
    ready, voice, words, close = first.spoken
    assert ready.message == {"setupComplete": {"sessionId": "masked-1xxxx"}}
    blob = (voice.message or {})["serverContent"]["modelTurn"]["parts"][0]["inlineData"]
    pcm = base64.b64decode(blob["data"])
    assert len(pcm) == 1_921 and 900 < audio.rms(pcm) < 1_100
    assert words.message == {"serverContent": {"outputTranscription": {"text": "la le lo la"}}}
    assert (close.message, close.code, close.reason) == (None, 1011, "Internal error encountered.")


async def test_a_client_hears_it_again_after_the_same_cues(trace: Path) -> None:
    async with serve(Config(time_scale=10, replay=trace)) as running:
        clock = running.world.clock
        async with live(running) as client:
            await client.say(QUIET, 0)
            assert client.seen[1:] == [], "nothing before the cue"
            spoke_at = clock.now()
            await client.say(SPEECH, 0)
            said = [await client.receive(), await client.receive()]
            assert clock.now() - spoke_at >= 0.6
            assert len(speech_in(said)) == 1_921 and transcript(said) == "la le lo la"
            typed_at = clock.now()
            await client.send(clientContent={"turns": [], "turnComplete": True})
            assert await client.closed() == (1011, "Internal error encountered.")
            assert clock.now() - typed_at >= 0.4
        with pytest.raises(InvalidStatus, match="503"):
            async with live(running):
                raise AssertionError("the second connection of the trace was refused")
        async with live(running) as client:  # and the first one again
            assert client.seen[0]["setupComplete"]["sessionId"] == "masked-1xxxx"
        assert [each["take"] for each in running.ledger.where("take.begun")] == ["a.1", "b.1", "a.1"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no connection in it"),
        ("{}", "line 1: no line of a trace"),
        ("no JSON", "line 1: no line of a trace"),
        (json.dumps(line(0, "asked", {"code": 200})), "no connection in it"),
    ],
)
def test_what_is_no_trace_is_one_line(
    tmp_path: Path, text: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(text)
    with pytest.raises(TraceError, match=complaint):
        read(path)
    assert main(["--port", "0", "--replay", str(path)]) == 2
    assert complaint in capsys.readouterr().err
    assert main(["--port", "0", "--replay", str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_trace_and_a_scenario_do_not_go_together(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "0", "--replay", str(trace), "--scenario", "weather"]) == 2
    assert "--replay plays what was recorded, and no --scenario" in capsys.readouterr().err


async def test_it_says_that_it_plays_back(trace: Path) -> None:
    async with serve(Config(replay=trace)) as running:
        assert "plays back 2 recorded connections, one for each client in turn" in greeting(running)
