"""`vivavoce talk` against a scripted server."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cli.talk.dialogue import Outcome
from cli.talk.report import lines, summarise
from protocol.codec import control_error, media_error
from protocol.media import (
    Ended,
    Metrics,
    Playback,
    Text,
    Transcript,
    TurnAudioEnd,
    TurnEnded,
    TurnInterrupted,
    TurnStarted,
)
from tests.cli.conftest import Run, page
from tests.client.fake_server import Door, FakeServer, Peer

Talk = Callable[..., Awaitable[Run]]
VOICE = b"\x00\x10" * 480  #: 20 ms
SPEECH_FRAMES = 10  #: of the `speech` fixture


async def answer(peer: Peer, turn: int, frames: int, text: str) -> None:
    """One whole turn of the agent."""
    await peer.send(TurnStarted(turn, "agent"))
    for _ in range(frames):
        await peer.audio(turn, VOICE)
    await peer.send(
        Transcript(f"a{turn}", turn, "agent", text, True),
        Metrics(turn, first_audio_ms=321),
        TurnAudioEnd(turn),
        TurnEnded(turn, "agent"),
    )


async def answer_speech(peer: Peer) -> None:
    await peer.live()
    await peer.heard_frames(SPEECH_FRAMES + 2)  # two frames of silence
    await peer.send(TurnStarted(1, "user"), Transcript("u1", 1, "user", "Hello", True), TurnEnded(1, "user"))
    await answer(peer, 1, 10, "Good day.")
    await peer.end()


async def test_it_speaks_a_wav_and_saves_the_answer(
    talk: Talk, server: FakeServer, speech: Path, tmp_path: Path
) -> None:
    server.peers = [answer_speech]
    run = await talk("--wav", speech, "--out", tmp_path / "out.wav", "--json")
    assert run.code == 0, run.err
    latency = run.json.pop("first_audio_ms")
    assert 0 <= latency < 2000
    assert run.json | {"first_audio_ms": 0} == {
        "session": "s-1",
        "transcripts": {"user": ["Hello"], "agent": ["Good day."]},
        "turns": 1,
        "interruptions": 0,
        "first_audio_ms": 0,
        "server_first_audio_ms": 321,
        "audio_ms": 200,
        "out": str(tmp_path / "out.wav"),
        "events": {
            "audio": 10,
            "ended": 1,
            "live": 1,
            "metrics": 1,
            "transcript": 2,
            "turn.audio_end": 1,
            "turn.ended": 2,
            "turn.started": 2,
        },
        "reconnects": 0,
        "close_reason": "client",
        "error": None,
        "record": None,
    }
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert file.getframerate() == 24_000 and file.readframes(9_999) == VOICE * 10


async def test_it_says_that_an_answer_did_not_come(talk: Talk, server: FakeServer, speech: Path) -> None:
    async def be_empty(peer: Peer) -> None:
        await peer.live()
        await peer.heard_frames(SPEECH_FRAMES + 2)
        await peer.send(TurnStarted(1, "user"), TurnEnded(1, "user"), TurnEnded(1, "agent", "empty"))
        await peer.end()

    server.peers = [be_empty]
    run = await talk("--wav", speech)
    assert "-- no full answer (empty)" in run.err.splitlines()


async def test_it_tells_a_person_what_happens(talk: Talk, server: FakeServer, speech: Path) -> None:
    async def slowly(door: Door) -> None:
        await door.starting("relay", 1)
        await door.ready(2)

    server.doors, server.peers = [slowly], [answer_speech]
    run = await talk("--wav", speech)
    assert run.code == 0 and run.out == ""
    lines = run.err.splitlines()
    for line in (
        "starting: relay (about 1 s)…",
        "live: session s-1, agent assistant",
        "you: Hello",
        "agent: Good day.",
    ):
        assert line in lines
    assert (
        "speaking in.wav (0.2 s)…" in lines and "heard          0.2 s, not saved (--out FILE does)" in lines
    )


def outcome(**made: Any) -> Outcome:
    """One whose first answer took as long as is said."""
    made = {"spoken": True, "total_s": None, "server_ms": None} | made
    result = Outcome(is_spoken=made["spoken"])
    result.tally.server_first_audio_ms = made["server_ms"]
    prompt = result.answers.begin()
    prompt.ended_at, prompt.first_audio_at = 0.0, made["total_s"]
    return result


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            {"total_s": 1.119, "server_ms": 307},
            [
                "first audio    1119 ms after your last word",
                "  of which     812 ms until your turn was over: a pause ends it (silence_ms of the agent)",
                "               307 ms from there to the first sound, as the server measured it",
            ],
        ),
        ({"total_s": 1.119}, ["first audio    1119 ms after your last word"]),
        ({"total_s": 0.2, "server_ms": 307}, ["first audio    200 ms after your last word"]),
        ({"total_s": -2.998}, ["first audio    while you spoke, 2998 ms before your last word"]),
        ({"total_s": 0.4, "spoken": False}, ["first audio    400 ms after the text was sent"]),
        ({}, ["first audio    none"]),
    ],
)
def test_the_latency_says_what_the_silence_that_ends_a_turn_costs(
    made: dict[str, Any], told: list[str]
) -> None:
    result = outcome(**made)
    assert lines(result, summarise(result))[2 : 2 + len(told)] == told


def test_what_the_stack_has_kept_is_told_in_words_of_a_newcomer() -> None:
    result = outcome()
    turn = {"number": 1, "user_text": "Hi", "agent_text": "Hello there", "heard": "Hello"}
    record = {"turns": [turn], "admitted_by": [{"route_key": "$connect", "request_id": "r-1"}]}
    assert lines(result, summarise(result) | {"record": record})[-2:] == [
        "recorded       turn 1: you 'Hi', agent 'Hello there', of which was heard: 'Hello'",
        "requests       $connect r-1 (as the functions log them)",
    ]


async def test_a_local_stack_that_is_stopped_ends_the_wait(
    vivavoce: Callable[..., Run], server: FakeServer
) -> None:
    is_starting = asyncio.Event()

    async def hang(door: Door) -> None:
        await door.starting("relay", 1)
        is_starting.set()
        await door.wire.wait_closed()

    server.doors = [hang]
    with page({"url": server.url, "token": "t"}) as address:
        talking = asyncio.create_task(asyncio.to_thread(vivavoce, "talk", "--url", address, "--text", "Hi"))
        await is_starting.wait()
    run = await talking
    assert run.code == 1 and "the local stack was stopped. Start it again" in run.complaint


async def test_a_connection_that_does_not_come_back_is_named(talk: Talk, server: FakeServer) -> None:
    async def break_off(peer: Peer) -> None:
        await peer.live()
        peer.wire.transport.abort()

    async def hang(door: Door) -> None:
        await door.wire.wait_closed()

    server.doors, server.peers = [lambda door: door.ready(1), hang], [break_off]
    run = await talk("--text", "Hi", "--seconds", 1)
    assert run.code == 1 and "there was no connection to the conversation when 1 s were over" in run.complaint


def test_where_there_is_no_sound_it_is_one_line_with_what_to_do(
    vivavoce: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with page({"url": "ws://127.0.0.1:1/v1", "token": "t"}) as address:
        run = vivavoce("talk", "--mic", "--url", address)
    assert run.code == 1 and run.complaint == (
        "vivavoce talk: there is no talking by microphone: the package sounddevice is not here. "
        "Install it: pip install sounddevice. (--wav speaks a file.)"
    )


async def test_a_start_that_is_made_again_is_said_with_where_to_look(talk: Talk, server: FakeServer) -> None:
    async def give_up(door: Door) -> None:
        await door.starting("relay", 1, session="s-0")
        await door.reply(control_error("capacity", retry_after_ms=1))

    async def begin(door: Door) -> None:
        await door.starting("relay", 1)
        await door.ready(2)

    async def hang_up(peer: Peer) -> None:
        await peer.live()
        await peer.send(Ended("idle"))

    server.doors, server.peers = [give_up, begin], [hang_up]
    run = await talk("--text", "Hi")
    assert run.err.count("-- no relay came up; starting again. A local stack's terminal says why") == 1


def test_a_file_that_cannot_be_written_is_said_before_anything_is(
    vivavoce: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "open", refuse)  # root may write everywhere
    run = vivavoce("talk", "--text", "x", "--out", "answer.wav")
    assert run.code == 2 and "cannot write answer.wav: Permission denied." in run.complaint


def test_asking_whether_a_file_can_be_written_changes_nothing(
    vivavoce: Callable[..., Run], tmp_path: Path
) -> None:
    kept, new = tmp_path / "kept.wav", tmp_path / "new.wav"
    kept.write_bytes(b"of yesterday")
    for path in (kept, new):
        assert vivavoce("talk", "--text", "x", "--out", path, "--url", "http://127.0.0.1:1").code == 1
    assert kept.read_bytes() == b"of yesterday" and not new.exists()


async def test_a_disk_that_fills_up_is_said_and_ends_nothing_else(
    talk: Talk, server: FakeServer, speech: Path
) -> None:
    server.peers = [answer_speech]
    run = await talk("--wav", speech, "--out", "/dev/full", "--json")
    assert run.code == 1 and "cannot write /dev/full: No space left on device." in run.complaint
    assert run.json["audio_ms"] == 200 and run.json["out"] is None


@pytest.mark.parametrize(
    ("samples", "what"), [(0, "it holds no sound"), (16_000, "all 1.0 s of it are silent")]
)
def test_a_recording_without_sound_is_named(
    vivavoce: Callable[..., Run], tmp_path: Path, samples: int, what: str
) -> None:
    path = tmp_path / "in.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * samples))
    run = vivavoce("talk", "--wav", path)
    assert run.code == 2 and f"cannot speak {path}: {what}." in run.complaint


async def test_texts_are_written_one_after_the_other_s_answer(talk: Talk, server: FakeServer) -> None:
    async def answer_both(peer: Peer) -> None:
        await peer.live()
        for turn in (1, 2):
            assert (await peer.heard(Text, count=turn)).text == f"Question {turn}"
            await answer(peer, turn, 1, f"Answer {turn}")
            playback = await peer.until(
                lambda turn=turn: [p for p in peer.said if isinstance(p, Playback) and p.state == "drained"][
                    turn - 1 :
                ]
            )
            assert playback[0].turn == turn
        await peer.end()

    server.peers = [answer_both]
    run = await talk("--text", "Question 1", "--text", "Question 2", "--json")
    assert run.code == 0 and run.json["transcripts"]["agent"] == ["Answer 1", "Answer 2"]
    assert run.json["turns"] == 2 and run.json["audio_ms"] == 40


async def test_it_can_interrupt_the_answer(
    talk: Talk, server: FakeServer, speech: Path, tmp_path: Path
) -> None:
    async def be_interrupted(peer: Peer) -> None:
        await peer.live()
        await peer.heard_frames(SPEECH_FRAMES)
        await peer.send(TurnStarted(1, "agent"), Transcript("a1", 1, "agent", "A long story that"))
        for _ in range(500):
            await peer.audio(1, VOICE)
        quiet = len(peer.frames)
        await peer.until(
            lambda: any(any(frame.pcm) for frame in peer.frames[quiet:])
        )  # the user speaks again
        peer.call.interrupt(1)
        await peer.send(TurnInterrupted(1, "user"), Transcript("a1", 1, "agent", heard="A long"))
        flushed = await peer.until(
            lambda: [p for p in peer.said if isinstance(p, Playback) and p.state == "flushed"]
        )
        assert 100 <= flushed[0].played_ms < 2000
        await peer.until(lambda: not any(peer.frames[-1].pcm))  # and has finished
        await answer(peer, 2, 3, "As you like.")
        await peer.end()

    server.peers = [be_interrupted]
    run = await talk(
        "--wav",
        speech,
        "--interrupt-at",
        0.1,
        "--interrupt-wav",
        speech,
        "--out",
        tmp_path / "o.wav",
        "--json",
    )
    assert run.code == 0, run.err
    assert run.json["interruptions"] == 1 and run.json["turns"] == 2
    assert run.json["transcripts"]["agent"] == ["A long", "As you like."]
    assert 160 <= run.json["audio_ms"] < 2100  # what was heard, not the ten seconds that were sent
    assert "-- interrupted (user)" in run.err


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("auth_expired", "vivavoce token"),
        ("quota_minutes", "Try again in 90 s."),
        ("agent_unknown", "--agent"),
        ("key_refused", "GEMINI_API_KEY"),
        ("protocol_mismatch", "Update this package"),
        ("config_refused", "protocol/ERRORS.md"),
    ],
)
async def test_a_refusal_is_one_line_with_what_to_do(
    talk: Talk, server: FakeServer, speech: Path, code: str, advice: str
) -> None:
    async def refuse(door: Door) -> None:
        await door.reply(control_error(code, retry_after_ms=90_000 if code.startswith("quota") else 0))

    server.doors = [refuse]
    run = await talk("--wav", speech, "--json")
    assert run.code == 1
    assert run.complaint.startswith(f"vivavoce talk: {code}: ") and advice in run.complaint
    assert run.json["error"] == code and run.json["session"] == ""


async def test_a_failure_in_mid_conversation_keeps_what_was_heard(
    talk: Talk, server: FakeServer, tmp_path: Path
) -> None:
    async def fail(peer: Peer) -> None:
        await peer.live()
        await peer.send(TurnStarted(1, "agent"))
        await peer.audio(1, VOICE)
        await peer.until(lambda: [p for p in peer.said if isinstance(p, Playback) and p.played_ms])
        await peer.send(media_error("upstream_overload", fatal=True, retry_after_ms=1500))
        peer.call.end(Ended("upstream_overload"), code="upstream_overload")
        await peer.flush()

    server.peers = [fail]
    run = await talk("--text", "Hi", "--out", tmp_path / "out.wav", "--json")
    assert run.code == 1 and "upstream_overload" in run.complaint and "Try again in 2 s." in run.complaint
    assert run.json["close_reason"] == "upstream_overload" and run.json["audio_ms"] == 20
    assert (tmp_path / "out.wav").exists()


async def test_an_answer_that_does_not_come_is_a_failure(talk: Talk, server: FakeServer) -> None:
    async def stay_silent(peer: Peer) -> None:
        await peer.live()
        await peer.end()

    server.peers = [stay_silent]
    run = await talk("--text", "Hi", "--seconds", 0.3)
    assert run.code == 1 and "no complete answer came within 0.3 s" in run.complaint


async def test_a_session_that_the_server_ends_early_is_a_failure(talk: Talk, server: FakeServer) -> None:
    async def hang_up(peer: Peer) -> None:
        await peer.live()
        await peer.heard(Text)
        await peer.send(Ended("idle"))

    server.peers = [hang_up]
    run = await talk("--text", "Hi", "--json")
    assert run.code == 1 and "the server ended the session (idle)" in run.complaint
    assert run.json["close_reason"] == "idle"


async def test_a_page_says_where_to_go_and_admits(vivavoce: Any, server: FakeServer, talk: Talk) -> None:
    async def reply(peer: Peer) -> None:
        await peer.live()
        await peer.heard(Text)
        await answer(peer, 1, 1, "Yes.")
        await peer.end()

    server.peers = [reply]
    with page({"url": server.url, "token": "from.the.page"}) as address:
        run = await asyncio.to_thread(vivavoce, "talk", "--url", address, "--text", "Hi")
    assert run.code == 0, run.err
    assert server.tokens == ["from.the.page"]


@pytest.mark.parametrize(
    ("answer", "status", "complaint"),
    [
        ({}, 404, "answered HTTP 404"),
        (b"<html>", 200, "not a local stack's page"),
        ([], 200, "not a local stack's"),
    ],
)
def test_a_page_of_something_else_is_refused(vivavoce: Any, answer: Any, status: int, complaint: str) -> None:
    with page(answer, status) as address:
        run = vivavoce("talk", "--url", address, "--text", "Hi")
    assert run.code == 1 and complaint in run.complaint
