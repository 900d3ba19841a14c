"""Messages with a number: kept until they are acked, and said again after a break, once and in order."""

from __future__ import annotations

import pytest

from protocol.audio import decode_audio
from protocol.client import ClientSession
from protocol.codec import client_messages, encode
from protocol.limits import IMAGE_MESSAGES, KEPT_MESSAGES
from protocol.media import Ack, Activity, Agent, Context, Image, Live, LiveLimits, Text
from tests.client.fake_server import FakeServer, Peer
from vivavoce import Conversation

ACKS = ["acks"]
PCM = bytes(640)


def live(session: ClientSession, **fields: object) -> None:
    """The server answers the hello."""
    session.hello()
    session.receive(encode(Live("s", 1, Agent("a"), LiveLimits(1, 1), e=1, **fields)))  # type: ignore[arg-type]


def told(again: list[str | bytes]) -> list[object]:
    """Numbers of frames, texts with their number, and the states of `activity`."""
    return [decode_audio(one).seq if isinstance(one, bytes) else brief(one) for one in again]


def brief(text: str) -> object:
    message = client_messages.decode(text)
    return message.state if isinstance(message, Activity) else (message.n, message.text)


def test_frames_and_messages_are_sent_again_in_the_order_in_which_they_were_made() -> None:
    session = ClientSession()
    live(session, capabilities=ACKS)
    session.say(Activity("start"))
    session.audio(PCM)
    session.say(Text("look"))
    session.audio(PCM)
    session.say(Activity("end"))
    session.lost()
    live(session, capabilities=ACKS)
    assert told(session.resend()) == ["start", 0, (2, "look"), 1, "end"]
    assert (session.counters.resent_frames, session.counters.resent_messages) == (2, 3)


def test_what_the_relay_has_taken_is_kept_and_not_said_again_to_it() -> None:
    session = ClientSession()
    live(session, capabilities=ACKS)
    for word in ("one", "two", "three"):
        session.say(Text(word))
    session.receive(encode(Ack(-1, 1, e=1)))
    session.lost()
    live(session, capabilities=ACKS, message_n=2)
    assert told(session.resend()) == [(3, "three")]
    session.lost()
    live(session, capabilities=ACKS, message_n=0)  # another relay, which has taken nothing
    assert told(session.resend()) == [(2, "two"), (3, "three")]


def test_a_client_without_memory_counts_on_from_what_the_server_has() -> None:
    session = ClientSession()
    session.say(Text("early"))
    session.audio(PCM)
    live(session, capabilities=ACKS, message_n=7, uplink_seq=90)
    assert told(session.resend()) == [(8, "early"), 90]
    assert brief(session.say(Text("late"))) == (9, "late")


def test_a_server_that_acks_nothing_is_told_once_what_was_said_without_it() -> None:
    session = ClientSession()
    session.say(Text("early"))
    live(session)
    assert told(session.resend()) == [(1, "early")]
    session.say(Text("said to it"))
    session.lost()
    session.say(Text("in the break"))
    live(session)
    assert told(session.resend()) == [(3, "in the break")]


@pytest.mark.parametrize(
    ("message", "count"),
    [(Text("a"), KEPT_MESSAGES), (Image("image/png", b"p"), KEPT_MESSAGES // IMAGE_MESSAGES)],
)
def test_the_oldest_of_too_many_is_forgotten(message: Text | Image, count: int) -> None:
    session = ClientSession()
    live(session, capabilities=ACKS)
    for _ in range(count + 1):
        session.say(message)
    session.lost()
    live(session, capabilities=ACKS)
    numbers = [client_messages.decode(one).n for one in session.resend()]  # type: ignore[arg-type]
    assert numbers == list(range(2, count + 2))


async def test_a_text_is_said_again_to_the_same_relay_and_to_another_but_not_when_it_was_answered(
    server: FakeServer,
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.live(capabilities=ACKS)
        await peer.heard(Context)
        peer.call.receipts.message_n = 1  # the network had the rest: the relay never saw it
        peer.cut()

    async def die(peer: Peer) -> None:
        await peer.live(capabilities=ACKS, resumed=True)
        again.append([message.n for message in [await peer.heard(Text), await peer.heard(Context)]])
        server.take_over(message_n=2)
        peer.cut()

    async def go_on(peer: Peer) -> None:
        await peer.live(capabilities=ACKS, resumed=True)
        await peer.end()
        again.append([message.n for message in peer.said if isinstance(message, Text | Context)])

    again: list[list[int]] = []
    server.peers = [cut, die, go_on]
    async with Conversation(server.url, "a.jwt") as call:
        await call.send_text("one")
        await call.send_text("two")
        await call.send(Context("three"))
        async for event in call.events():
            if isinstance(event, Live) and event.e == 2:
                break
    assert again == [[2, 3], [3]]
