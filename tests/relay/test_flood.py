"""A client that says much and reads nothing: what waits for it is bounded, and its session is not lost."""

from __future__ import annotations

import itertools

from protocol import media
from protocol.codec import encode
from protocol.media import Agent, Live, LiveLimits
from protocol.server import ServerSession
from relay.conversation import Conversation
from tests.relay.fakes import Visitor, house
from tests.relay.test_server import until

TEXT = encode(media.Text("y" * 8_000, respond=False))


def _join(session: ServerSession, now: float) -> None:
    session.attached(now)
    session.receive_text(encode(media.Hello([1])), now)
    session.go_live(Live("s", 1, Agent("a"), LiveLimits(1, 1)))


def test_what_waits_for_a_client_that_never_reads_is_bounded_over_reconnects() -> None:
    session = ServerSession(1, 0.0)
    talk = Conversation(session, [])
    now = 0.0
    for _ in range(4):
        _join(session, now)
        for _ in range(1_000):
            now += 0.0055  # below the rate of messages
            message = session.receive_text(TEXT, now)
            if message is not None:
                talk.client_said(message, now)
        session.client_lost()
    _join(session, now)
    waiting = itertools.takewhile(lambda data: data is not None, iter(session.data_to_send, 0))
    assert sum(len(data) for data in waiting if data is not None) < 3_000_000


async def test_a_client_for_which_too_much_waits_is_cut_at_once_and_may_come_back() -> None:
    async with house() as here:
        visitor = Visitor()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            wire.transport.pause_reading()  # type: ignore[attr-defined]
            call = here.relay.calls["s1"]
            for number in range(1, 401):
                call.session.send(media.Transcript(f"a{number}", number, "agent", "x" * 50_000))
            call.go_away(1_000)  # which wakes the writer, long before a single message is 30 s old
            await until(lambda: call.troubles["slow_client"])
            wire.transport.abort()
        visitor.session.lost()
        async with here.connect(here.book.ticket()) as wire:
            live = await visitor.join(wire)
            assert live.resumed
            await visitor.until(media.GoingAway)
            assert here.relay.calls["s1"] is call
