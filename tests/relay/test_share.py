"""However much comes or goes at once, the other calls of the relay go on beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from gemini import messages as model
from protocol import media
from protocol.codec import encode
from protocol.limits import FRAME_MS, KEPT_AUDIO_MS, UPLINK_FRAME_BYTES
from relay.client.guard import READ_BYTES, GuardedConnection
from relay.model.replay_buffer import ReplayBuffer
from relay.model.sender import Sender
from relay.model.uplink_queue import UplinkQueue
from relay.share import MESSAGE_BYTES, PACE_S, SHARE_BYTES
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import ScriptedLeg, Visitor, house

AT_ONCE = 600
IN_A_ROW = 16  #: messages that may pass without anybody else


async def longest_row(done: Callable[[], int], total: int) -> int:
    """How many of `total` were done at most while another task of the loop was kept waiting."""
    longest = rounds = before = 0
    async with asyncio.timeout(60):
        while before < total:
            await asyncio.sleep(0 if rounds < 20 else 0.001)
            now = done()
            longest, rounds, before = max(longest, now - before), 0 if now > before else rounds + 1, now
    return longest


TEXTS = [media.Text("y" * 10, respond=False)] * AT_ONCE
PINGS = [media.Ping(1.0)] * AT_ONCE


@pytest.mark.parametrize("said", [TEXTS, PINGS], ids=["texts", "pings"])
async def test_a_client_that_says_a_thousand_things_at_once(said: list[media.ClientMessage]) -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.01)
        told, written = len(here.leg.commands), len(listener.connection.written)
        for message in said:
            listener.say(message)
        connection = listener.connection
        assert await longest_row(lambda: AT_ONCE - connection.unread, AT_ONCE) <= IN_A_ROW
        await asyncio.sleep(0.1)
        assert len(here.leg.commands) - told + len(listener.connection.written) - written >= AT_ONCE


async def test_a_model_that_says_a_thousand_things_at_once() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        await asyncio.sleep(0.01)
        here.leg.say(*[model.Said("word ") for _ in range(AT_ONCE)])
        leg = here.leg
        assert await longest_row(lambda: AT_ONCE - leg.unread, AT_ONCE) <= IN_A_ROW
        assert listener.of(media.Transcript)


async def test_a_client_that_is_told_a_thousand_things_at_once() -> None:
    async with lone_call() as (call, _):
        listener = Listener(call)
        await asyncio.sleep(0.01)
        for number in range(AT_ONCE):
            call.session.send(media.Transcript(f"a{number}", 1, "agent", "word"))
        call.go_away(1_000)  # which wakes the writer
        written = listener.connection.written
        assert await longest_row(lambda: len(written), AT_ONCE) <= IN_A_ROW


async def test_a_model_that_is_told_a_thousand_things_at_once() -> None:
    leg, uplink = ScriptedLeg(None), UplinkQueue()
    for number in range(AT_ONCE):
        uplink.put_command(model.SayText(f"{number}", respond=False))
    sending = asyncio.create_task(Sender(leg, 0, uplink, ReplayBuffer()).run(lambda item: None))
    assert await longest_row(lambda: len(leg.commands), AT_ONCE) <= IN_A_ROW
    sending.cancel()


async def test_frames_that_come_at_once_are_not_parsed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed, parse = list[object](), GuardedConnection.process_event

    def note(connection: GuardedConnection, event: Frame | Request | Response) -> None:
        parsed.append(event)
        parse(connection, event)

    monkeypatch.setattr(GuardedConnection, "process_event", note)
    async with house() as here, here.connect(here.book.ticket()) as wire:
        await Visitor().join(wire)
        said = Frame(Opcode.TEXT, encode(media.Ping(1.0)).encode()).serialize(mask=True)
        wire.transport.pause_reading()  # type: ignore[attr-defined]
        wire.transport.write(said * 3_000)
        assert await longest_row(lambda: len(parsed), 3_000) <= 2 * READ_BYTES / len(said)
        wire.transport.resume_reading()  # type: ignore[attr-defined]


def test_half_a_minute_that_a_client_says_again_is_read_in_seconds() -> None:
    frames = KEPT_AUDIO_MS / FRAME_MS
    shares = frames * (MESSAGE_BYTES + UPLINK_FRAME_BYTES) / SHARE_BYTES
    assert shares * PACE_S < 2


async def test_a_microphone_in_real_time_is_never_waited_for() -> None:
    async with lone_call() as (call, _):
        listener = Listener(call)
        for number in range(200):
            listener.speak(number)
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            assert listener.connection.unread == 0
            await asyncio.sleep(0.019)
