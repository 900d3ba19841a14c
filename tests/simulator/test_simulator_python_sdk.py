"""Google's Python SDK, unmodified, over TLS: by key and by ephemeral token."""

import ssl
import warnings
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator import Config, Running, serve
from simulator.audio import tones
from simulator.audio.similarity import similarity
from simulator.faults import GoAway
from simulator.speech.samples import Sample
from tests import dialect

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from google import genai
    from google.genai import errors, types

# The SDK warns of its own deprecations, and of tokens outside v1alpha.
pytestmark = pytest.mark.filterwarnings("ignore")

MODEL = dialect.model()
PROFILE = dialect.profile()
BEHAVIOR = {"behavior": "NON_BLOCKING"} if PROFILE.schedules_results else {}
LEVEL = {"thinking_config": {"thinking_level": "LOW"}} if PROFILE.thinking.value == "level" else {}
CONFIG: dict[str, Any] = {
    "response_modalities": ["AUDIO"],
    **LEVEL,
    "system_instruction": "Be brief.",
    "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Puck"}}},
    "tools": [
        {"function_declarations": [{"name": "get_weather", **BEHAVIOR}]},
    ],
    "input_audio_transcription": {},
    "output_audio_transcription": {},
    "session_resumption": {},
    "context_window_compression": {"trigger_tokens": 25_600, "sliding_window": {"target_tokens": 12_800}},
    "realtime_input_config": {"automatic_activity_detection": {"silence_duration_ms": 500}},
}


@pytest.fixture
async def secure() -> AsyncIterator[Running]:
    async with serve(Config(time_scale=40, tls=True)) as up:
        yield up


def client_of(running: Running, key: str = "any", version: str = "v1beta") -> genai.Client:
    trust = ssl.create_default_context(cafile=running.certificate)
    options = types.HttpOptions(
        base_url=running.url,
        api_version=version,
        async_client_args={"ssl": trust},
        client_args={"verify": trust},
    )
    return genai.Client(api_key=key, http_options=options)


async def turn_of(session: Any) -> list[Any]:
    return [message async for message in session.receive()]


def heard_in(messages: list[Any]) -> bytes:
    contents = [message.server_content for message in messages if message.server_content]
    parts = [part for one in contents if one.model_turn for part in one.model_turn.parts]
    return b"".join(part.inline_data.data for part in parts)


def said_in(messages: list[Any], side: str) -> str:
    contents = [message.server_content for message in messages if message.server_content]
    pieces = [getattr(one, f"{side}_transcription") for one in contents]
    return "".join(piece.text for piece in pieces if piece and piece.text)


async def speak(session: Any, pcm: bytes) -> None:
    for at in range(0, len(pcm), 3_200):
        blob = types.Blob(data=pcm[at : at + 3_200], mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=blob)


async def write(session: Any, text: str) -> None:
    """Typed words, by the way that the model takes them."""
    if PROFILE.text.value == "realtime":
        await session.send_realtime_input(text=text)
    else:
        await session.send_client_content(turns={"role": "user", "parts": [{"text": text}]})


@pytest.mark.parametrize("version", ["v1beta", "v1alpha", "v1"])
async def test_a_spoken_turn(secure: Running, known: dict[str, Sample], version: str) -> None:
    question = known["question"]
    client = client_of(secure, version=version)
    async with client.aio.live.connect(model=MODEL, config=CONFIG) as session:
        await speak(session, question.pcm + bytes(32_000))
        messages = await turn_of(session)
    answers = secure.ledger.where("answer.begun")  # a model that thinks says so in one of its own
    spoken = heard_in(messages)[-48 * round(1000 * answers[-1]["duration_s"]) :]
    assert tones.decode(spoken) == answers[-1]["code"]
    assert similarity(question.pcm, tones.strip(spoken)) > 0.95
    assert said_in(messages, "input") == answers[-1]["text"] == question.text
    assert said_in(messages, "output") == "".join(answer["text"] for answer in answers)
    assert len(answers) == 1 + PROFILE.splits_replies.value
    assert any(message.usage_metadata for message in messages)
    assert messages[-1].server_content.turn_complete


async def test_a_tool_call(secure: Running) -> None:
    async with client_of(secure).aio.live.connect(model=MODEL, config=CONFIG) as session:
        await session.send_realtime_input(text='call get_weather {"city": "Oslo"}')
        answered: list[Any] = []
        # `receive` goes on past a turnComplete only where a status says that the interaction is in progress.
        while not said_in(answered, "output").endswith("get_weather says rain"):
            async for message in session.receive():
                answered.append(message)
                if message.tool_call:
                    [call] = message.tool_call.function_calls
                    assert call.args == {"city": "Oslo"}
                    reply = types.FunctionResponse(id=call.id, name=call.name, response={"output": "rain"})
                    await session.send_tool_response(function_responses=[reply])
    answers = secure.ledger.where("answer.begun")
    assert said_in(answered, "output") == "".join(answer["text"] for answer in answers)


async def test_go_away_then_close(secure: Running) -> None:
    async with client_of(secure).aio.live.connect(model=MODEL, config=CONFIG) as session:
        secure.inject(GoAway(time_left_s=5, code=1011, reason="Deadline expired"))
        seen = []
        with pytest.raises(errors.APIError) as closed:
            while True:
                seen.append(await session._receive())
        assert [message.go_away.time_left for message in seen if message.go_away] == ["5s"]
        assert closed.value.code == 1011


async def handle_of(session: Any) -> str:
    while True:
        message = await session._receive()
        update = message.session_resumption_update
        if update and update.resumable:
            return str(update.new_handle)


async def test_resumption(secure: Running) -> None:
    client = client_of(secure)
    async with client.aio.live.connect(model=MODEL, config=CONFIG) as session:
        await write(session, "first")
        await turn_of(session)
        handle = await handle_of(session)
    resumed = {**CONFIG, "session_resumption": {"handle": handle}}
    async with client.aio.live.connect(model=MODEL, config=resumed) as session:
        await write(session, "second")
        await turn_of(session)
    opened = secure.ledger.where("session.opened")
    assert opened[0]["session"] == opened[1]["session"]
    assert [line["text"] for line in secure.ledger.where("answer.begun")][-1] == "You wrote: second"


async def test_a_setup_with_text_is_refused(secure: Running) -> None:
    text = {"response_modalities": ["TEXT"]}
    with pytest.raises(errors.APIError, match=r"modalities \(TEXT\) is not supported") as refused:
        async with client_of(secure).aio.live.connect(model=MODEL, config=text):
            pass
    assert refused.value.code == 1007


async def mint(running: Running, version: str = "v1alpha", **more: Any) -> str:
    """An ephemeral token that locks CONFIG, one use."""
    now = datetime.now(UTC)
    config: dict[str, Any] = {
        "uses": 1,
        "expire_time": now + timedelta(minutes=30),
        "new_session_expire_time": now + timedelta(minutes=1),
        "live_connect_constraints": {"model": MODEL, "config": CONFIG},
        **more,
    }
    token = await client_of(running, version=version).aio.auth_tokens.create(config=config)
    assert token.name and token.name.startswith("auth_tokens/")
    return token.name


@pytest.mark.parametrize("version", ["v1beta", "v1alpha"])
async def test_a_locked_token_ignores_the_clients_setup(secure: Running, version: str) -> None:
    token = await mint(secure, version)
    client = client_of(secure, token, version)
    own: Any = {"response_modalities": ["TEXT"], "system_instruction": "Be rude."}
    async with client.aio.live.connect(model="gemini-0-not-there", config=own) as session:
        await session.send_realtime_input(text="call get_weather")
        message = await session._receive()
        while not message.tool_call:
            message = await session._receive()
    assert secure.ledger.where("session.opened")[0]["model"] == MODEL


async def refused_with(running: Running, token: str) -> tuple[int, str]:
    with pytest.raises(errors.APIError) as refused:
        async with client_of(running, token, "v1alpha").aio.live.connect(model=MODEL, config=CONFIG):
            pass
    return refused.value.code, str(refused.value)


async def test_a_spent_token_is_refused(secure: Running) -> None:
    token = await mint(secure)
    async with client_of(secure, token, "v1alpha").aio.live.connect(model=MODEL, config=CONFIG):
        pass
    code, text = await refused_with(secure, token)
    assert code == 1011 and "Token has been used too many times" in text


async def test_an_expired_token_is_refused(secure: Running) -> None:
    token = await mint(secure, expire_time=datetime.now(UTC) + timedelta(seconds=2))
    await secure.world.clock.sleep(2)
    code, text = await refused_with(secure, token)
    assert code == 1011 and "Token has expired" in text


async def test_an_expiring_token_ends_its_running_session(secure: Running) -> None:
    token = await mint(secure, expire_time=datetime.now(UTC) + timedelta(seconds=80))
    async with client_of(secure, token, "v1alpha").aio.live.connect(model=MODEL, config=CONFIG) as session:
        with pytest.raises(errors.APIError, match="auth token has expired") as closed:
            while True:
                await session._receive()
    assert closed.value.code == 1011


async def test_a_handle_inside_the_lock_resumes(secure: Running) -> None:
    async with client_of(secure).aio.live.connect(model=MODEL, config=CONFIG) as session:
        handle = await handle_of(session)
    inside = {"model": MODEL, "config": {**CONFIG, "session_resumption": {"handle": handle}}}
    token = await mint(secure, live_connect_constraints=inside)
    async with client_of(secure, token, "v1alpha").aio.live.connect(model=MODEL, config=CONFIG):
        pass
    assert secure.ledger.where("session.opened")[-1]["resumed"] is True


async def test_a_handle_outside_the_lock_is_silently_lost(secure: Running) -> None:
    async with client_of(secure).aio.live.connect(model=MODEL, config=CONFIG) as session:
        handle = await handle_of(session)
    token = await mint(secure)
    outside: Any = {**CONFIG, "session_resumption": {"handle": handle}}
    async with client_of(secure, token, "v1alpha").aio.live.connect(model=MODEL, config=outside):
        pass
    assert secure.ledger.where("session.opened")[-1]["resumed"] is False
