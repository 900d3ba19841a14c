"""Every kind of break, and the resume after it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from protocol import uplink
from protocol.audio import AudioFrame
from protocol.codec import control_error, encode, media_error
from protocol.control import End
from protocol.limits import UPLINK_FRAME_BYTES
from protocol.media import (
    EndCall,
    Ended,
    GoingAway,
    Hello,
    Live,
    Mic,
    Playback,
    Text,
    Tokens,
    Transcript,
    TurnEnded,
    TurnStarted,
)
from tests.client.fake_server import Door, FakeServer, Peer, admit
from vivavoce import Conversation, ConversationEvent, Reconnecting, VoiceError, control
from vivavoce.playback import VirtualSpeaker

FRAME = b"\x01\x00" * (UPLINK_FRAME_BYTES // 2)
VOICE = b"\x02\x00" * 480  #: 20 ms of agent audio


class Reader:
    """Reads a conversation's events beside the test."""

    def __init__(self, call: Conversation) -> None:
        self.events: list[ConversationEvent] = []
        self._changed = asyncio.Event()
        self.task = asyncio.ensure_future(self._read(call))

    async def _read(self, call: Conversation) -> None:
        async for event in call.events():
            self.events.append(event)
            self._changed.set()

    async def until(self, condition: Callable[[list[ConversationEvent]], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition(self.events):
                self._changed.clear()
                await self._changed.wait()


async def read_all(call: Conversation) -> list[ConversationEvent]:
    return [event async for event in call.events()]


async def end_at_once(peer: Peer) -> None:
    await peer.live()
    await peer.send(Ended("client"))


async def test_a_resume_without_a_reply_is_retried_soon(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "RESUME_TIMEOUT_S", 0.2)

    async def cut(peer: Peer) -> None:
        await peer.live()
        peer.cut()

    async def mute(door: Door) -> None:
        """The reply is lost."""

    server.doors, server.peers = [admit, mute], [cut, end_at_once]
    async with asyncio.timeout(10), Conversation(server.url, "jwt") as call:
        events = await read_all(call)
    assert isinstance(events[-1], Ended)
    assert len(server.resumes) == 2


FUNCTION_FAILED = '{"message": "Internal server error", "connectionId":"L0SM9cOFvHcCIhw=", "requestId":"x"}'


async def fails(door: Door) -> None:
    """The function has crashed, or taken too long: API Gateway says so in its own words."""
    await door.wire.send(FUNCTION_FAILED)
    await door.wire.wait_closed()


async def test_a_resume_whose_function_fails_is_made_again_at_once(server: FakeServer) -> None:
    async def cut(peer: Peer) -> None:
        await peer.live()
        peer.cut()

    server.doors, server.peers = [admit, fails], [cut, end_at_once]
    async with asyncio.timeout(5), Conversation(server.url, "jwt") as call:
        events = await read_all(call)
    assert [event for event in events if isinstance(event, Reconnecting)] == [Reconnecting("connection_lost")]
    assert len(server.resumes) == 2


async def test_a_start_whose_function_fails_is_made_again_three_times_at_most(server: FakeServer) -> None:
    server.doors, server.peers = [fails, fails], [end_at_once]
    async with asyncio.timeout(5), Conversation(server.url, "jwt") as call:
        await read_all(call)
    server.doors, server.peers = [fails, fails, fails], []
    with pytest.raises(VoiceError, match="connection_lost"):
        async with asyncio.timeout(5), Conversation(server.url, "jwt"):
            pass


async def test_a_cut_in_mid_answer_loses_nothing_and_repeats_nothing(server: FakeServer) -> None:
    hellos: list[Hello | None] = []

    async def cut(peer: Peer) -> None:
        await peer.live()
        await peer.send(TurnStarted(1, "agent"), Transcript("m", 1, "agent", "one "))
        await peer.audio(1, b"\x01\x00" * 480)
        await peer.heard(Text)  # the client has all so far
        peer.call.send(Transcript("m", 1, "agent", "two "))  # never written on this connection
        peer.call.send_audio(1, b"\x02\x00" * 480)
        peer.cut()

    async def go_on(peer: Peer) -> None:
        await peer.live(resumed=True)
        hellos.append(peer.call.hello)
        await peer.audio(1, b"\x03\x00" * 480)
        await peer.send(Transcript("m", 1, "agent", "three", True), TurnEnded(1, "agent"), Ended("client"))

    server.peers = [cut, go_on]
    async with Conversation(server.url, "a.jwt") as call:
        reader = Reader(call)
        await reader.until(lambda events: any(isinstance(event, AudioFrame) for event in events))
        await call.send_text("I am here.")
        await reader.task
    events = reader.events
    assert "".join(event.text for event in events if isinstance(event, Transcript)) == "one two three"
    assert [event.pcm[0] for event in events if isinstance(event, AudioFrame)] == [1, 2, 3]
    assert [event for event in events if isinstance(event, Reconnecting)] == [Reconnecting("connection_lost")]
    assert hellos == [Hello([1], after=(1, 2), last_turn=1, next_seq=1)]
    assert call.reconnects == 1 and server.resumes[0].media_failed is False


async def test_what_ready_asks_for_besides_is_offered_unread_on_every_media_connection(
    server: FakeServer,
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.live()
        peer.cut()

    server.protocols, server.peers = ["home", "home.token.a.b-c"], [cut]
    async with Conversation(server.url, "a.jwt") as call:
        await call.end("enough")
        async with asyncio.timeout(5):
            await read_all(call)
    assert [entries[2:] for entries in server.offered] == [["home", "home.token.a.b-c"]] * 2


async def test_an_end_that_was_lost_with_its_connection_is_sent_again(server: FakeServer) -> None:
    async def cut(peer: Peer) -> None:
        await peer.live()
        await peer.heard(EndCall)  # as far as the network's buffers: the relay never saw it
        peer.cut()

    server.peers = [cut]
    async with Conversation(server.url, "a.jwt") as call:
        await call.end("enough")
        async with asyncio.timeout(5):
            events = await read_all(call)
    assert isinstance(events[-1], Ended) and call.reconnects == 1


async def test_what_the_server_sends_twice_is_delivered_once(server: FakeServer) -> None:
    async def twice(peer: Peer) -> None:
        await peer.live()
        await peer.send(TurnStarted(1, "agent"))
        await peer.audio(1, VOICE)
        await peer.wire.send('{"type":"turn.started","turn":1,"role":"agent","e":1,"n":1}')
        await peer.send(Ended("client"))

    server.peers = [twice]
    async with Conversation(server.url, "a.jwt") as call:
        events = await read_all(call)
    assert sum(isinstance(event, TurnStarted) for event in events) == 1
    assert call.counters.duplicate_events == 1


async def test_unacknowledged_audio_is_sent_again(server: FakeServer) -> None:
    server.acknowledges = False
    heard: list[int] = []

    async def cut(peer: Peer) -> None:
        await peer.live()
        await peer.heard_frames(3)
        peer.cut()

    async def listen(peer: Peer) -> None:
        server.take_over()  # a relay that has heard nothing
        peer.call = server.call
        await peer.live(resumed=True)
        heard.extend(frame.seq for frame in await peer.heard_frames(4))
        await peer.send(Ended("client"))

    server.peers = [cut, listen]
    async with Conversation(server.url, "a.jwt") as call:
        for _ in range(3):
            await call.send_audio(FRAME)
        async for event in call.events():
            if isinstance(event, Reconnecting):
                await call.send_audio(FRAME)  # spoken into the gap
    assert heard == [0, 1, 2, 3] and call.counters.resent_frames == 4
    assert call.counters.stale_uplink_ms == 0


async def test_of_a_long_break_the_latest_audio_is_kept_and_the_rest_is_counted(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "KEPT_AUDIO_MS", 60)
    server.acknowledges = False
    heard: list[int] = []

    async def cut(peer: Peer) -> None:
        await peer.live()
        await peer.heard_frames(2)
        peer.cut()

    async def late(door: Door) -> None:
        for _ in range(3):
            await call.send_audio(FRAME)  # the user goes on speaking
        await door.ready()

    async def listen(peer: Peer) -> None:
        await peer.live(resumed=True)
        heard.extend(frame.seq for frame in await peer.heard_frames(3))
        await peer.send(Ended("client"))

    server.doors, server.peers = [admit, late], [cut, listen]
    async with Conversation(server.url, "a.jwt") as call:
        await call.send_audio(FRAME)
        await call.send_audio(FRAME)
        await read_all(call)
    assert heard == [2, 3, 4]
    assert call.counters.stale_uplink_ms == 40 and call.counters.resent_frames == 3


async def test_messages_of_the_gap_and_the_latest_states_arrive_after_it(server: FakeServer) -> None:
    said: list[object] = []

    async def cut(peer: Peer) -> None:
        await peer.live()
        await peer.heard(Mic)
        peer.cut()

    async def listen(peer: Peer) -> None:
        await peer.live(resumed=True)
        await converse_on(peer)
        said.extend(peer.said[1:-1])

    async def converse_on(peer: Peer) -> None:
        await peer.heard(Text)
        await peer.end()

    server.peers = [cut, listen]
    async with Conversation(server.url, "a.jwt") as call:
        await call.mic("paused")
        async for event in call.events():
            if isinstance(event, Reconnecting):
                await call.send_text("Are you there?")
            if isinstance(event, Live) and event.resumed:
                await call.end()
    assert said == [Text("Are you there?", n=1), Mic("paused")]


async def test_a_relay_that_cannot_be_reached_is_reported(server: FakeServer) -> None:
    async def dead_end(door: Door) -> None:
        await door.ready(url="ws://127.0.0.1:9/r/0")

    server.doors, server.peers = [dead_end], [end_at_once]
    async with Conversation(server.url, "a.jwt") as call:
        await read_all(call)
    assert [resume.media_failed for resume in server.resumes] == [True]
    assert call.reconnects == 0  # it had never been live


async def test_a_handshake_refused_on_the_way_to_a_relay_is_no_verdict_on_the_session(
    server: FakeServer,
) -> None:
    async def admit_and_refuse(door: Door) -> None:
        server.refuse_status = 429  # of the media handshake that comes next
        await door.ready()

    server.doors, server.peers = [admit_and_refuse], [end_at_once]
    async with Conversation(server.url, "a.jwt") as call:
        events = await read_all(call)
    assert Reconnecting("connect_failed") in events and server.resumes[0].media_failed


@pytest.mark.parametrize(("status", "is_failed"), [(401, False), (403, False), (502, True), (404, True)])
async def test_a_handshake_that_fails_is_the_relay_s_fault_unless_it_was_refused_for_its_ticket(
    server: FakeServer, status: int, is_failed: bool
) -> None:
    async def admit_and_refuse(door: Door) -> None:
        server.refuse_status = status  # of the media handshake that comes next
        await door.ready()

    server.doors, server.peers = [admit_and_refuse], [end_at_once]
    async with Conversation(server.url, "a.jwt") as call:
        await read_all(call)
    assert [resume.media_failed for resume in server.resumes] == [is_failed]


async def test_another_relay_takes_over_with_an_epoch_of_its_own(server: FakeServer) -> None:
    async def die(peer: Peer) -> None:
        await peer.live()
        await peer.send(TurnStarted(1, "agent"))
        for _ in range(3):
            await peer.audio(1, VOICE)
        server.take_over()
        peer.cut()

    async def go_on(peer: Peer) -> None:
        await peer.live(resumed=True, lost_turns=[1])
        await peer.send(TurnStarted(2, "agent"))
        await peer.audio(2, VOICE)
        await peer.heard(Playback, count=2)
        await peer.send(Ended("client"))

    server.peers = [die, go_on]
    speaker = VirtualSpeaker()
    async with Conversation(server.url, "a.jwt", speaker=speaker) as call:
        events = await read_all(call)
    lives = [event for event in events if isinstance(event, Live)]
    assert [(live.e, live.lost_turns) for live in lives] == [(1, []), (2, [1])]
    assert [event.turn for event in events if isinstance(event, TurnStarted)] == [1, 2]
    assert speaker.turn == 2  # the lost turn does not hold the speaker up


@pytest.mark.parametrize("code", ["session_ended", "resume_refused", "session_unknown"])
async def test_a_session_that_is_gone_fails_at_once(server: FakeServer, code: str) -> None:
    async def cut(peer: Peer) -> None:
        await peer.live()
        peer.cut()

    async def refuse(door: Door) -> None:
        await door.reply(control_error(code))

    server.doors, server.peers = [admit, refuse], [cut]
    async with Conversation(server.url, "a.jwt") as call:
        with pytest.raises(VoiceError) as caught:
            await read_all(call)
    assert caught.value.code == code and len(server.resumes) == 1


async def test_it_gives_up_when_the_server_has_stopped_waiting(server: FakeServer) -> None:
    async def cut(peer: Peer) -> None:
        await peer.live()
        peer.cut()

    async def refuse(door: Door) -> None:
        await door.reply(control_error("store_unavailable"))

    server.resume_ms = 300
    server.doors, server.peers = [admit] + [refuse] * 50, [cut]
    async with Conversation(server.url, "a.jwt") as call:
        with pytest.raises(VoiceError) as caught:
            await read_all(call)
    assert caught.value.code in ("store_unavailable", "connection_lost")
    assert caught.value.retryable and call.reconnects == 0


async def test_the_last_words_after_a_fatal_error_are_delivered_before_it_is_raised(
    server: FakeServer,
) -> None:
    async def fail(peer: Peer) -> None:
        await peer.live()
        await peer.send(media_error("session_limit", fatal=True))
        peer.call.end(Ended("session_limit", Tokens(total=7)), code="session_limit")
        await peer.flush()

    server.peers = [fail]
    async with Conversation(server.url, "a.jwt") as call:
        reader = Reader(call)
        with pytest.raises(VoiceError) as caught:
            await reader.task
    assert caught.value.code == "session_limit"
    assert isinstance(reader.events[-1], Ended) and reader.events[-1].usage.total == 7


async def test_a_relay_that_ends_its_part_does_not_end_the_conversation(server: FakeServer) -> None:
    async def retire(peer: Peer) -> None:
        await peer.live()
        await peer.send(media_error("going_away", fatal=True))
        server.take_over()
        peer.call.end(Ended("going_away"), code="going_away")
        await peer.flush()
        await peer.wire.close(4453)

    server.peers = [retire, end_at_once]
    async with Conversation(server.url, "a.jwt") as call:
        events = await read_all(call)
    assert [event.reason for event in events if isinstance(event, Ended)] == ["client"]
    assert Reconnecting("going_away") in events


@pytest.mark.parametrize("code", ["upstream_policy", "session_limit", "superseded", "upstream_overload"])
async def test_a_fatal_error_of_the_relay_ends_the_conversation(server: FakeServer, code: str) -> None:
    async def fail(peer: Peer) -> None:
        await peer.live()
        await peer.send(media_error(code, fatal=True, retry_after_ms=500))
        peer.call.end(Ended(code), code=code)
        await peer.flush()

    server.peers = [fail]
    async with Conversation(server.url, "a.jwt") as call:
        with pytest.raises(VoiceError) as caught:
            await read_all(call)
    assert caught.value.code == code and caught.value.retry_after_ms == 500 and not server.resumes


@pytest.mark.parametrize("code", ["going_away", "slow_client", "ticket_expired", "internal"])
async def test_a_fatal_error_that_a_resume_mends_is_mended(server: FakeServer, code: str) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.live()
        peer.call.refuse(code, fatal=True)
        await peer.flush()

    server.peers = [refuse, end_at_once]
    async with Conversation(server.url, "a.jwt") as call:
        events = await read_all(call)
    assert Reconnecting(code) in events and call.reconnects == 1


async def test_an_error_that_asks_to_come_later_without_an_end_is_a_break(server: FakeServer) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.wire.send(encode(media_error("store_unavailable", fatal=True, retry_after_ms=30)))
        await peer.wire.close(4451)

    server.peers = [refuse, end_at_once]
    async with Conversation(server.url, "a.jwt") as call:
        events = await read_all(call)
    assert Reconnecting("store_unavailable") in events and isinstance(events[-1], Ended)
    assert not server.resumes[0].media_failed  # the relay was reached, and said no


async def test_a_session_that_ended_with_its_relay_fails_for_the_relay_s_reason(server: FakeServer) -> None:
    async def fail(peer: Peer) -> None:
        await peer.live()
        await peer.send(media_error("internal", fatal=True))
        peer.call.end(Ended("internal"), code="internal")
        await peer.flush()

    async def refuse(door: Door) -> None:
        await door.reply(control_error("session_ended"))

    server.doors, server.peers = [admit, refuse], [fail]
    async with Conversation(server.url, "a.jwt") as call:
        with pytest.raises(VoiceError) as caught:
            await read_all(call)
    assert caught.value.code == "internal"


async def test_a_close_code_alone_is_understood(server: FakeServer) -> None:
    async def close(peer: Peer) -> None:
        await peer.live()
        await peer.wire.close(4410)

    server.peers = [close]
    async with Conversation(server.url, "a.jwt") as call:
        with pytest.raises(VoiceError) as caught:
            await read_all(call)
    assert caught.value.code == "session_ended"


async def test_it_moves_to_another_relay_at_the_next_turn_gap(server: FakeServer) -> None:
    async def leave(peer: Peer) -> None:
        await peer.live()
        await peer.send(TurnStarted(1, "agent"), GoingAway(60_000, move=True))
        await peer.audio(1, VOICE)
        await peer.heard(Playback)  # it has read all that, and stays: not in mid sentence
        assert not server.resumes
        await peer.send(TurnEnded(1, "agent"))
        await peer.wire.wait_closed()

    server.peers = [leave, end_at_once]
    async with Conversation(server.url, "a.jwt", speaker=VirtualSpeaker()) as call:
        events = await read_all(call)
    assert Reconnecting("going_away") in events and call.reconnects == 1
    assert sum(isinstance(event, AudioFrame) for event in events) == 1


async def test_it_leaves_the_old_relay_only_when_another_is_ready(server: FakeServer) -> None:
    was_open: list[bool] = []

    async def leave(peer: Peer) -> None:
        await peer.live()
        await peer.send(GoingAway(60_000, move=True))

        async def ready_late(door: Door) -> None:
            await peer.send(Transcript("m", 1, "agent", "Still here."))
            was_open.append(peer.wire.close_code is None)
            await door.ready()

        server.doors = [ready_late]
        await peer.wire.wait_closed()

    server.peers = [leave, end_at_once]
    async with Conversation(server.url, "a.jwt") as call:
        events = await read_all(call)
    assert was_open == [True] and [resume.media_failed for resume in server.resumes] == [False]
    words = [event.text for event in events if isinstance(event, Transcript)]
    assert words == ["Still here."] and Reconnecting("going_away") in events


async def test_it_does_not_move_while_an_answer_is_awaited(server: FakeServer) -> None:
    async def leave(peer: Peer) -> None:
        await peer.live()
        await peer.send(TurnStarted(1, "user"), TurnEnded(1, "user"), GoingAway(60_000, move=True))
        await peer.heard(Text)  # it has read all that
        assert not server.resumes
        await peer.send(TurnStarted(1, "agent"), TurnEnded(1, "agent"))
        await peer.wire.wait_closed()

    server.peers = [leave, end_at_once]
    async with Conversation(server.url, "a.jwt") as call:
        async for event in call.events():
            if isinstance(event, GoingAway):
                await call.send_text("Seen.")
    assert len(server.resumes) == 1


async def test_it_moves_before_the_relay_s_time_is_over_when_no_pause_comes(server: FakeServer) -> None:
    async def leave(peer: Peer) -> None:
        await peer.live()
        await peer.send(TurnStarted(1, "agent"), GoingAway(5_050, move=True))
        await peer.wire.wait_closed()

    server.peers = [leave, end_at_once]
    async with asyncio.timeout(4), Conversation(server.url, "a.jwt") as call:
        events = await read_all(call)
    assert Reconnecting("going_away") in events and len(server.resumes) == 1


async def test_a_move_that_is_refused_leaves_the_connection_until_it_breaks(server: FakeServer) -> None:
    refused = asyncio.Event()

    async def stay(peer: Peer) -> None:
        await peer.live()
        server.doors = [refuse]
        await peer.send(GoingAway(60_000, move=True))
        await refused.wait()
        await peer.send(Transcript("m", 1, "agent", "Still here."))
        await peer.heard(Text)
        peer.cut()

    async def refuse(door: Door) -> None:
        await door.reply(control_error("capacity", retry_after_ms=5_000, fatal=False))
        refused.set()

    server.peers = [stay, end_at_once]
    async with Conversation(server.url, "a.jwt") as call:
        reader = Reader(call)
        await reader.until(lambda events: any(isinstance(event, Transcript) for event in events))
        await call.send_text("Good.")
        await reader.task
    assert Reconnecting("connection_lost") in reader.events and len(server.resumes) == 2


async def test_an_error_that_is_not_fatal_answers_a_resume_too(server: FakeServer) -> None:
    async def cut(peer: Peer) -> None:
        await peer.live()
        peer.cut()

    async def full(door: Door) -> None:
        await door.reply(control_error("capacity", retry_after_ms=30, fatal=False))

    server.doors, server.peers = [admit, full], [cut, end_at_once]
    async with asyncio.timeout(5), Conversation(server.url, "a.jwt") as call:
        await read_all(call)
    assert len(server.resumes) == 2


async def test_a_session_that_was_admitted_and_got_no_relay_is_asked_for_again(server: FakeServer) -> None:
    async def full(door: Door) -> None:
        await door.starting("admitted", 1)
        await door.starting("relay", 2)
        await door.reply(control_error("capacity", retry_after_ms=30))

    server.doors, server.peers = [full], [end_at_once]
    async with asyncio.timeout(5), Conversation(server.url, "a.jwt") as call:
        await read_all(call)
    first, second = server.requests
    assert first == second


async def test_connections_that_break_at_once_are_made_more_and_more_slowly(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []

    def longest(low: float, high: float) -> float:
        limits.append(high)
        return high

    async def cut(peer: Peer) -> None:
        await peer.live()
        peer.cut()

    monkeypatch.setattr(random, "uniform", longest)
    server.peers = [cut, cut, cut, cut, end_at_once]
    async with Conversation(server.url, "a.jwt") as call:
        await read_all(call)
    assert [limit for limit in limits if limit] == [0.01, 0.02, 0.04, 0.08]
    assert call.reconnects == 4


async def test_leaving_in_a_break_ends_the_session_on_the_control_road(server: FakeServer) -> None:
    async def cut(peer: Peer) -> None:
        await peer.live()
        peer.cut()

    server.peers = [cut]
    async with Conversation(server.url, "a.jwt") as call:
        async for event in call.events():
            if isinstance(event, Reconnecting):
                break
    assert isinstance(server.requests[-1], End)
