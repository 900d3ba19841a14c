"""A conversation from start to end on real sockets."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

import vivavoce
from protocol.audio import AudioFrame
from protocol.codec import control_error
from protocol.control import ClientTool, Config, ControlEnded, End, OpenSession, Start, Starting
from protocol.limits import UPLINK_FRAME_BYTES
from protocol.media import (
    Context,
    EndCall,
    Ended,
    Interrupt,
    Mic,
    Text,
    Transcript,
    TurnEnded,
    TurnInterrupted,
    TurnStarted,
)
from tests.client.fake_server import Door, FakeServer, Peer, admit, converse
from vivavoce import Conversation, ConversationEvent, Options, VoiceError
from vivavoce.tools import Tool

FRAME = b"\x01\x00" * (UPLINK_FRAME_BYTES // 2)
VOICE = b"\x02\x00" * 480  #: 20 ms of agent audio


async def read_all(call: Conversation) -> list[ConversationEvent]:
    return [event async for event in call.events()]


def kinds(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]


async def answer_and_end(peer: Peer) -> None:
    await peer.live()
    await peer.heard_frames(2)
    await peer.send(TurnStarted(1, "agent"), Transcript("m1", 1, "agent", "Hello.", True))
    await peer.audio(1, VOICE)
    await peer.send(TurnEnded(1, "agent"), Ended("client"))


async def test_a_conversation_goes_from_start_to_live_to_audio_to_ended(server: FakeServer) -> None:
    server.peers = [answer_and_end]
    async with Conversation(server.url, "a.jwt", agent="guide") as call:
        assert call.session == "s-1"
        await call.send_audio(FRAME)
        await call.send_audio(FRAME)
        events = await read_all(call)
    assert kinds(events) == ["Live", "TurnStarted", "Transcript", "AudioFrame", "TurnEnded", "Ended"]
    assert [event.pcm for event in events if isinstance(event, AudioFrame)] == [VOICE]
    start = server.requests[0]
    assert isinstance(start, Start) and start.agent == "guide" and start.versions == [1]
    assert server.tokens == ["a.jwt"] and call.reconnects == 0


async def test_stages_are_told_while_entering_and_are_the_first_events(server: FakeServer) -> None:
    async def slowly(door: Door) -> None:
        await door.starting("admitted", 1)
        await door.starting("relay", 2)
        await door.starting("model", 3)
        await door.ready(4)

    server.doors = [slowly]
    told: list[Starting] = []
    async with Conversation(server.url, "a.jwt", options=Options(on_starting=told.append)) as call:
        assert [stage.stage for stage in told] == ["admitted", "relay", "model"]
        assert told[0].eta_ms == 100
        await call.end()
        events = await read_all(call)
    assert kinds(events) == ["Starting", "Starting", "Starting", "Live", "Ended"]


async def test_replies_that_were_overtaken_are_ignored(server: FakeServer) -> None:
    async def shuffled(door: Door) -> None:
        await door.starting("relay", 2)
        await door.starting("admitted", 1)
        await door.ready(3)
        await door.starting("model", 2)

    server.doors = [shuffled]
    told: list[Starting] = []
    async with Conversation(server.url, "a.jwt", options=Options(on_starting=told.append)):
        pass
    assert [stage.stage for stage in told] == ["relay"]


async def test_start_carries_what_was_asked_for(server: FakeServer) -> None:
    async def weather(args: dict[str, Any]) -> str:
        """Tells the weather.

        Not for the model: this line.
        """
        return "rain"

    options = Options(config=Config(voice="Kore", turns="manual"), metadata={"order": "7"})
    async with Conversation(server.url, "a.jwt", tools={"weather": weather}, options=options):
        pass
    start = server.requests[0]
    assert isinstance(start, Start)
    assert start.config == Config(voice="Kore", turns="manual") and start.metadata == {"order": "7"}
    assert start.tools == [ClientTool("weather", "Tells the weather.")]
    assert start.client.name == "vivavoce-python"


@pytest.mark.parametrize(
    ("code", "retryable", "retry_after_ms"),
    [
        ("auth_expired", False, 0),  # with a fixed token
        ("quota_sessions", True, 7_000),
        ("protocol_mismatch", False, 0),
        ("agent_unknown", False, 0),
        ("capacity", True, 2_000),
    ],
)
async def test_a_refusal_is_a_typed_error(
    server: FakeServer, code: str, retryable: bool, retry_after_ms: int
) -> None:
    async def refuse(door: Door) -> None:
        await door.reply(control_error(code, retry_after_ms=retry_after_ms))

    server.doors = [refuse]
    with pytest.raises(VoiceError) as caught:
        async with Conversation(server.url, "a.jwt"):
            pass
    error = caught.value
    assert (error.code, error.retryable, error.retry_after_ms) == (code, retryable, retry_after_ms)
    assert error.message and len(server.requests) == 1


async def test_an_expired_token_is_fetched_anew_once(server: FakeServer) -> None:
    async def refuse(door: Door) -> None:
        await door.reply(control_error("auth_expired"))

    tokens = iter(["old.jwt", "new.jwt"])

    async def fetch() -> str:
        return next(tokens)

    server.doors = [refuse]
    async with Conversation(server.url, fetch):
        pass
    assert server.tokens == ["old.jwt", "new.jwt"]


async def test_the_open_sessions_that_keep_a_start_out_are_listed_and_can_be_ended(
    server: FakeServer,
) -> None:
    left = OpenSession("s-left", "assistant", 1_700_000_000_000)

    async def refuse(door: Door) -> None:
        await door.reply(control_error("quota_sessions", retry_after_ms=90_000, sessions=[left]))

    async def end(door: Door) -> None:
        assert door.request == End("s-left")
        await door.reply(ControlEnded("s-left", 1))

    server.doors = [refuse, end]
    with pytest.raises(VoiceError) as caught:
        async with Conversation(server.url, "a.jwt"):
            pass
    assert (caught.value.sessions, caught.value.retry_after_ms) == ((left,), 90_000)
    await vivavoce.end_session(server.url, "a.jwt", caught.value.sessions[0].session)
    assert server.requests[-1] == End("s-left")


async def test_a_token_that_cannot_be_fetched_is_a_typed_error(server: FakeServer) -> None:
    async def fetch() -> str:
        raise OSError("identity provider down")

    with pytest.raises(VoiceError) as caught:
        async with Conversation(server.url, fetch):
            pass
    assert caught.value.code == "token_failed" and isinstance(caught.value.__cause__, OSError)
    assert "identity" not in str(caught.value) and not server.requests


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "auth_invalid"), (403, "origin_refused"), (404, "connect_failed"), (503, "connect_failed")],
)
async def test_a_refused_handshake_is_a_typed_error(server: FakeServer, status: int, code: str) -> None:
    server.refuse_status = status
    with pytest.raises(VoiceError, match=f"HTTP {status}") as caught:
        async with Conversation(server.url, "a.jwt"):
            pass
    assert caught.value.code == code


async def test_nobody_listening_is_connect_failed_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(VoiceError) as caught:
            async with Conversation(url, "a.jwt"):
                pass
    assert caught.value.code == "connect_failed" and caught.value.retryable


@pytest.mark.parametrize(("token", "code"), [("not a token", "auth_invalid"), ("x" * 7000, "too_large")])
async def test_a_token_that_no_header_can_hold_is_refused_here(
    server: FakeServer, token: str, code: str
) -> None:
    with pytest.raises(VoiceError) as caught:
        async with Conversation(server.url, token):
            pass
    assert caught.value.code == code and not server.requests


async def test_a_start_above_32_kib_is_refused_before_it_is_sent(server: FakeServer) -> None:
    """At the gateway it would end the connection, without a word of why."""

    async def run(args: object) -> None: ...

    tools = {f"tool_{number}": Tool(run, "x" * 1024) for number in range(32)}
    with pytest.raises(VoiceError, match=r"start has \d+ bytes, at most 32768 may") as caught:
        async with Conversation(server.url, "a.jwt", tools=tools):
            pass
    assert caught.value.code == "too_large" and not caught.value.retryable
    assert not server.tokens


async def test_a_start_that_was_cut_off_is_sent_again_as_the_same_request(server: FakeServer) -> None:
    async def cut(door: Door) -> None:
        await door.starting("admitted", 1)
        door.wire.transport.abort()

    server.doors = [cut, admit]
    async with Conversation(server.url, "a.jwt"):
        pass
    first, second = server.requests[:2]
    assert isinstance(first, Start) and first == second


async def test_a_server_that_answers_nothing_is_asked_three_times(server: FakeServer) -> None:
    async def hang_up(door: Door) -> None:
        door.wire.transport.abort()

    server.doors = [hang_up] * 5
    with pytest.raises(VoiceError) as caught:
        async with Conversation(server.url, "a.jwt"):
            pass
    assert caught.value.code == "connection_lost" and len(server.requests) == 3


async def test_giving_up_while_the_session_starts_cancels_it(server: FakeServer) -> None:
    is_admitted, is_ended = asyncio.Event(), asyncio.Event()

    async def never_ready(door: Door) -> None:
        await door.starting("relay", 1)

    async def end(door: Door) -> None:
        assert door.request == End("s-1")
        await door.reply(ControlEnded("s-1"))
        is_ended.set()

    server.doors = [never_ready, end]
    call = Conversation(server.url, "a.jwt", options=Options(on_starting=lambda stage: is_admitted.set()))
    entering = asyncio.ensure_future(call.__aenter__())
    await is_admitted.wait()
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert is_ended.is_set()


async def test_messages_arrive_in_order_and_leaving_ends_the_session(server: FakeServer) -> None:
    said: list[Any] = []

    async def listen(peer: Peer) -> None:
        await converse(peer)
        said.extend(peer.said[1:])

    server.peers = [listen]
    async with Conversation(server.url, "a.jwt") as call:
        await call.send_text("Hello.", respond=False)
        await call.send(Context("It rains."))
        await call.mic("paused")
    assert said == [Text("Hello.", False, n=1), Context("It rains.", n=2), Mic("paused"), EndCall()]
    with pytest.raises(VoiceError) as caught:
        await call.send_text("Too late.")
    assert caught.value.code == "closed"


async def test_audio_of_the_wrong_length_is_refused_here(server: FakeServer) -> None:
    async with Conversation(server.url, "a.jwt") as call:
        for pcm in (b"", bytes(318), bytes(3202), bytes(641)):
            with pytest.raises(ValueError, match="not 10 to 100 ms"):
                await call.send_audio(pcm)


async def test_an_exception_of_the_body_comes_out_as_it_is(server: FakeServer) -> None:
    with pytest.raises(KeyError):
        async with Conversation(server.url, "a.jwt"):
            raise KeyError("mine")


async def test_audio_of_an_interrupted_turn_is_not_delivered(server: FakeServer) -> None:
    async def barge_in(peer: Peer) -> None:
        await peer.live()
        await peer.send(TurnStarted(1, "agent"))
        for _ in range(5):
            await peer.audio(1, VOICE)
        await peer.send(TurnInterrupted(1, "user"), TurnStarted(2, "agent"))
        await peer.audio(2, VOICE)
        await peer.send(Ended("client"))

    server.peers = [barge_in]
    async with Conversation(server.url, "a.jwt") as call:
        with pytest.raises(VoiceError):
            while True:  # until it is over: all has arrived before anything is read
                await call.send_text("?")
                await asyncio.sleep(0.01)
        events = await read_all(call)
    assert [event.turn for event in events if isinstance(event, AudioFrame)] == [2]


async def test_interrupt_silences_here_and_tells_the_server(server: FakeServer) -> None:
    async def go_on_speaking(peer: Peer) -> None:
        await peer.live()
        await peer.send(TurnStarted(1, "agent"))
        await peer.audio(1, VOICE)
        assert await peer.heard(Interrupt) == Interrupt(1, 0)
        await peer.audio(1, VOICE)  # was on its way
        await peer.send(Ended("client"))

    server.peers = [go_on_speaking]
    async with Conversation(server.url, "a.jwt") as call:
        frames = 0
        async for event in call.events():
            if isinstance(event, AudioFrame):
                frames += 1
                await call.interrupt()
    assert frames == 1 and call.counters.interrupted_frames == 1


async def test_events_of_a_newer_server_are_ignored_and_counted(server: FakeServer) -> None:
    async def newer(peer: Peer) -> None:
        await peer.live()
        await peer.wire.send('{"type": "mood", "e": 1, "n": 0}')
        await peer.send(Ended("client"))

    server.peers = [newer]
    async with Conversation(server.url, "a.jwt") as call:
        assert kinds(await read_all(call)) == ["Live", "Ended"]
    assert call.counters.unknown_types == 1


async def test_the_example_of_the_readme_runs(
    server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reply(peer: Peer) -> None:
        await peer.live()
        await peer.heard(Text)
        await peer.send(
            TurnStarted(1, "agent"), Transcript("m1", 1, "agent", "It rains.", True), Ended("client")
        )

    server.peers = [reply]
    readme = (Path(vivavoce.__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    example = readme.split("```python\n")[1].split("```")[0].replace("ws://127.0.0.1:8787/v1", server.url)
    monkeypatch.setattr(asyncio, "run", lambda main: main.close())  # a loop runs already
    names: dict[str, Any] = {}
    exec(example, names)
    await names["main"]()
    assert capsys.readouterr().out == "It rains."
