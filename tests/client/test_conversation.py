"""A conversation from start to end on real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from client.python import Conversation, ConversationEvent, Options, Tool, VoiceError
from protocol.audio import AudioFrame
from protocol.codec import control_error
from protocol.control import Config, ControlEnded, End, Start, Starting
from protocol.limits import UPLINK_FRAME_BYTES
from protocol.media import EndCall, Ended, Live, Mic, Text, Transcript, TurnEnded, TurnStarted
from tests.client.fake_server import Door, FakeServer, Peer

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
