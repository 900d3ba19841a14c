"""The Gemini leg on real sockets: how it connects, and what it says of a refusal."""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import ssl
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal

import aiohttp
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

import simulator
from gemini.messages import (
    SILENCE_MS,
    Audio,
    Credential,
    FlushAudio,
    ModelEvent,
    SayText,
    SpeechEnded,
    SpeechStarted,
    TurnCompleted,
)
from protocol.audio import AudioFrame
from relay.logs import name_session
from relay.model import gemini
from relay.model.port import UpstreamError
from relay.model.replay_buffer import ReplayBuffer
from relay.model.sender import Sender
from relay.model.uplink_queue import UplinkQueue
from simulator.audio import tones
from simulator.scenario import Behaviour, Scenario
from simulator.server import certificate
from tests.relay.fakes import Visitor, house
from tests.witness import CANARY

AUDIO_OUT = {"generationConfig": {"responseModalities": ["AUDIO"]}}
LOUD = array("h", [9_000, -9_000] * 800).tobytes()  #: 100 ms of a microphone that somebody speaks into
CREDENTIAL = Credential("auth_tokens/x", "m", 0, "full")
Script = Callable[[ServerConnection], Awaitable[None]]


async def set_up(connection: ServerConnection) -> None:
    """What Google says to a setup it takes; then it listens."""
    await connection.recv()
    await connection.send(json.dumps({"setupComplete": {}}))
    await connection.wait_closed()


@contextlib.asynccontextmanager
async def google(script: Script, tls: ssl.SSLContext | None = None, **options: object) -> AsyncIterator[str]:
    """A server on loopback that speaks as `script` does. Yields its base URL."""
    async with serve(script, "127.0.0.1", 0, ssl=tls, **options) as server:  # type: ignore[arg-type]
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"


async def test_all_legs_share_one_tls_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection made its own: 20 ms of a blocked loop and 0.9 MB."""
    made, make = [], ssl.create_default_context

    def counted(*args: object, **named: object) -> ssl.SSLContext:
        made.append(make(*args, **named))  # type: ignore[arg-type]
        return made[-1]

    server_side, trusted = certificate.make(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    monkeypatch.setattr(ssl, "create_default_context", counted)
    gemini.tls_context.cache_clear()
    async with google(set_up, server_side) as url:
        legs = [await gemini.open_leg(url, CREDENTIAL, None) for _ in range(3)]
        for leg in legs:
            await leg.close()
    assert len(made) == 1
    gemini.tls_context.cache_clear()


async def test_a_certificate_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    server_side, _ = certificate.make(tmp_path, "127.0.0.1")
    async with google(set_up, server_side) as url:
        with pytest.raises(gemini.UpstreamError, match="upstream_unavailable"):
            await gemini.open_leg(url, CREDENTIAL, None)


@pytest.mark.parametrize(
    ("close", "reason", "logged"),
    [
        (1000, "server reset", "server reset"),
        (1001, "", ""),
        (1008, "The operation was aborted.", "The operation was aborted."),
        (1011, f"{CANARY}: auth_tokens/0123456789ab has expired", "…-…: auth_tokens/… has expired"),
        (None, "", ""),
    ],
)
async def test_whatever_a_connection_ends_with_is_logged_and_nothing_secret_of_it(
    close: int | None, reason: str, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def end(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(json.dumps({"setupComplete": {}}))
        if close is None:
            connection.transport.abort()
        else:
            await connection.close(close, reason)

    async with google(end) as url:
        leg = await gemini.open_leg(url, CREDENTIAL, None)
        with pytest.raises(gemini.UpstreamError):
            [event async for event in leg.events()]
        await leg.close()
    (line,) = [record for record in caplog.records if record.message == "model closed the connection"]
    assert (line.close_code, line.reason) == (close or 1006, logged)  # type: ignore[attr-defined]


async def test_a_refused_handshake_is_logged_with_its_status(caplog: pytest.LogCaptureFixture) -> None:
    body = json.dumps({"error": {"code": 403, "message": "Permission denied: 'api_key:AIza0' Rosalind"}})

    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(http.HTTPStatus.FORBIDDEN, body)

    async with google(set_up, process_request=refuse) as url:
        with pytest.raises(gemini.UpstreamError, match="key_refused"):
            await gemini.open_leg(url, CREDENTIAL, None)
    (line,) = [record for record in caplog.records if record.message == "model refused the connection"]
    assert (line.http_status, line.reason) == (403, "Permission denied: …")  # type: ignore[attr-defined]


async def test_what_a_leg_logs_names_its_session(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(name_session)
    try:
        async with house() as here, here.connect(here.book.ticket()) as wire:
            await Visitor().join(wire)
            here.model.opened.clear()
            here.model.leg.say(UpstreamError("upstream_overload"))
            await here.model.opened.wait()
    finally:
        caplog.handler.removeFilter(name_session)
    (line,) = [record for record in caplog.records if record.message == "model leg lost"]
    assert line.session_id == "s1"  # type: ignore[attr-defined]


@pytest.mark.parametrize("stream_end", ["honour", "ignore"])
@pytest.mark.parametrize("voice_activity", ["sent", "absent"])
async def test_push_to_talk_is_answered_whether_the_model_heeds_the_end_of_the_stream_or_not(
    stream_end: Literal["honour", "ignore"], voice_activity: Literal["sent", "absent"]
) -> None:
    handed: list[object] = []
    behaviour = Behaviour(stream_end=stream_end, voice_activity=voice_activity, voice="synthetic")
    scenario = Scenario(settings=behaviour)
    async with simulator.serve(simulator.Config(time_scale=10, scenario=scenario)) as model:
        leg = await gemini.open_leg(model.url, await minted(model.url), None)
        uplink = UplinkQueue()
        for number in range(15):
            uplink.put_audio(AudioFrame(0, number, LOUD))
        uplink.put_command(FlushAudio())
        sending = asyncio.create_task(Sender(leg, SILENCE_MS, uplink, ReplayBuffer()).run(handed.append))
        async with asyncio.timeout(20):
            answered = [event async for event in until_answered(leg)]
        sending.cancel()
        await leg.close()
    assert sum(isinstance(event, Audio) for event in answered) > 0
    told = {type(event) for event in answered} & {SpeechStarted, SpeechEnded}
    assert bool(told) is (voice_activity == "sent")


@pytest.mark.parametrize("chunk_ms", [5, 40, 1000])
async def test_an_answer_that_is_cut_in_the_middle_of_samples_is_heard_whole(chunk_ms: int) -> None:
    behaviour = Behaviour(chunk_ms=chunk_ms, chunk_cut="byte", voice="synthetic", pace=50)
    config = simulator.Config(time_scale=10, scenario=Scenario(settings=behaviour))
    async with simulator.serve(config) as model:
        leg = await gemini.open_leg(model.url, await minted(model.url), None)
        await leg.send(SayText("Say something, please.", respond=True))
        async with asyncio.timeout(20):
            answered = [event async for event in until_answered(leg)]
        await leg.close()
        begun = await model.ledger.wait_for("answer.begun")
    heard = b"".join(event.pcm for event in answered if isinstance(event, Audio))
    assert all(len(event.pcm) % 2 == 0 for event in answered if isinstance(event, Audio))
    assert tones.decode(heard) == begun["code"]
    assert len(heard) / 48_000 == pytest.approx(begun["duration_s"], abs=0.001)


async def until_answered(leg: gemini.GeminiLeg) -> AsyncIterator[ModelEvent]:
    async for event in leg.events():
        yield event
        if isinstance(event, TurnCompleted):
            return


async def minted(url: str) -> Credential:
    """A token of the simulator's, as `mint` would have it."""
    asked = {"uses": 1, "bidiGenerateContentSetup": {"model": "models/gemini-3.8-live", **AUDIO_OUT}}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/v1beta/auth_tokens", json=asked, headers={"x-goog-api-key": "k"}) as answer,
    ):
        return Credential((await answer.json())["name"], "gemini-3.8-live", 0, "full")
