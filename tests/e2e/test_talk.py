"""What a newcomer types: `vivavoce dev` in one terminal, `vivavoce talk` in another. Real processes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

import aiohttp
import pytest

from infra.faults.link import Link
from simulator.audio import tones
from simulator.audio.similarity import similarity
from simulator.speech.samples import SHIPPED
from tests.e2e.dev import VIVAVOCE, dev, spoken_codes
from tests.witness import WITNESS
from vivavoce.wavefile import read_wav


@pytest.mark.timeout(120)
def test_two_terminals(tmp_path: Path) -> None:
    question, out = SHIPPED / "question.wav", tmp_path / "out.wav"
    with dev() as urls:
        talk = [*VIVAVOCE, "talk", "--url", urls["page"], "--wav", str(question), "--out", str(out), "--json"]
        done = subprocess.run(talk, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        codes = spoken_codes(urls["simulator"])
    said = json.loads(done.stdout)
    heard = read_wav(out)  # comes back at 16 kHz
    assert [code for code, _ in tones.find(heard, 16_000)] == codes
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


#: as companies set it, with nothing behind it, and no list of exceptions
PROXIED = {
    name: "http://127.0.0.1:1"
    for kind in ("http_proxy", "https_proxy", "all_proxy")
    for name in (kind, kind.upper())
} | {"NO_PROXY": "", "no_proxy": ""}


@pytest.mark.timeout(120)
def test_a_proxy_is_never_asked_for_this_machine() -> None:
    with dev(**PROXIED) as urls:
        for command in (["talk", "--text", "Good morning.", "--json"], ["token", "--local"], ["drain"]):
            done = subprocess.run(
                [*VIVAVOCE, *command, "--url", urls["page"]],
                env=os.environ | PROXIED,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr


@pytest.mark.timeout(120)
async def test_one_forwarded_port_is_all_that_a_conversation_needs() -> None:
    """As through SSH: a port of another number, and nothing else of the stack can be reached by its name."""
    with dev() as urls:
        async with Link("ssh") as forwarded:
            forwarded.target = urls["page"].removeprefix("http://")
            page = f"http://localhost:{forwarded.address.rpartition(':')[2]}"
            talk = [*VIVAVOCE, "talk", "--url", page, "--text", "Good morning.", "--json"]
            done = await asyncio.to_thread(
                subprocess.run, talk, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
            assert len(forwarded.connections) == 0 and forwarded.carried_bytes > 10_000, "sound came this way"
    assert json.loads(done.stdout)["audio_ms"] > 100


@pytest.mark.timeout(120)
async def test_a_page_behind_an_https_forwarder_gets_its_call() -> None:
    """As in an editor's web page: a name of its own, TLS ends there, and `Host` is this machine's."""
    name = "me-8787.example"
    asked = {"X-Forwarded-Host": name, "X-Forwarded-Proto": "https"}
    own = asked | {"Origin": f"https://{name}"}
    with dev() as urls:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{urls['page']}/dev/session.json", headers=asked) as answer:
                session = await answer.json()
            WITNESS.keeps(session["token"], "a JWT")
            assert session["url"] == f"wss://{name}/v1"
            here = urls["page"].replace("http:", "ws:")
            offered = ["vivavoce", f"vivavoce.jwt.{session['token']}"]
            async with http.ws_connect(f"{here}/v1", protocols=offered, headers=own) as control:
                await control.send_json({"type": "start", "request": "r1", "versions": [1]})
                while (ready := await control.receive_json())["type"] != "ready":
                    pass
            url, ticket = ready["media"]["url"], ready["media"]["ticket"]
            assert url.startswith(f"wss://{name}/r/")
            offered = ["vivavoce", f"vivavoce.ticket.{ticket}"]
            media = here + url.removeprefix(f"wss://{name}")
            async with http.ws_connect(media, protocols=offered, headers=own) as call:
                hello = {"type": "hello", "versions": [1], "after": [0, 0], "last_turn": 0, "next_seq": 0}
                await call.send_json(hello)
                assert (await call.receive_json())["type"] == "live"
