"""Both ends of the media road, joined by two lists that may be cut anywhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import media
from protocol.audio import AudioFrame
from protocol.client import ClientSession
from protocol.codec import encode, json_codec
from protocol.errors import LocalProtocolError
from protocol.limits import HELLO_TIMEOUT_S, KEPT_AUDIO_MS, PENDING_AUDIO_MS, PENDING_EVENT_BYTES
from protocol.media import Agent, Live, LiveLimits
from protocol.server import ServerSession
from protocol.states import ClientState, ServerState
from tests.protocol.search import searched

LIVE = Live("s", 0, Agent("a"), LiveLimits(1_800_000, 120_000))
STEP_S = 0.25

NAMES = """event agent agent turn turn barge_in stop stop speak speak wait
    cut join hello_again hello_again model_up reload move ping dance"""  # the more often, the likelier
ACTS = st.one_of(
    st.tuples(st.sampled_from(NAMES.split()), st.integers(1, 3)),
    st.tuples(st.sampled_from(["uplink", "downlink", "downlink", "write"]), st.integers(1, 12)),
)


@dataclass
class Road:
    """A server session and a client session, with what is on its way between them."""

    server: ServerSession = field(default_factory=lambda: ServerSession(1, 0.0))
    client: ClientSession = field(default_factory=ClientSession)
    up: list[str | bytes] | None = None  #: None: no connection
    down: list[str | bytes] = field(default_factory=list)
    now: float = 0.0
    turn: int = 1
    spoken: int = 0
    said: list[bytes] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)  #: microphone audio, as the server took it
    events: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  #: n by epoch
    frames: list[AudioFrame] = field(default_factory=list)
    silenced: int = 0  #: the client knows that this turn was interrupted
    was_reloaded: bool = False

    def act(self, name: str, times: int = 1) -> None:
        for _ in range(times):
            getattr(self, f"do_{name}")()

    # what the server says

    def do_event(self) -> None:
        self.server.send(media.Usage(self.turn, media.Tokens()))

    def do_agent(self) -> None:
        self.server.send_audio(self.turn, b"\1\0" * 48)

    def do_turn(self) -> None:
        self.turn += 1
        self.server.send(media.TurnStarted(self.turn, "agent"))
        self.act("agent", 3)

    def do_barge_in(self) -> None:
        self.server.interrupt(self.turn)
        self.server.send(media.TurnInterrupted(self.turn, "user"))
        self.turn += 1

    def do_model_up(self) -> None:
        if self.server.state is ServerState.OPENING:
            self.server.go_live(LIVE)

    # what the client says

    def do_speak(self) -> None:
        pcm = self.spoken.to_bytes(4, "big") * 80
        self.spoken += 1
        self.said.append(pcm)
        frame = self.client.audio(pcm)
        if self.up is not None and self.client.state is ClientState.LIVE:
            self.up.append(frame)

    def do_stop(self) -> None:
        """The user stops the agent, whose words are on their way."""
        self.do_turn()
        self.act("downlink", 2)
        if self.client.last_turn:
            self.client.interrupt(self.client.last_turn)
            self.silenced = max(self.silenced, self.client.last_turn)

    def do_ping(self) -> None:
        if self.up is not None:
            self.up.append(encode(media.Ping(self.now)))

    def do_dance(self) -> None:
        if self.up is not None:
            self.up.append('{"type":"dance"}')

    # the road

    def do_wait(self) -> None:
        self.now += STEP_S

    def do_join(self) -> None:
        if self.up is None:
            self.server.attached(self.now)
            self.up, self.down = [self.client.hello()], []

    def do_cut(self) -> None:
        if self.up is not None:
            self.up = None
            self.server.client_lost()
            self.client.lost()

    def do_hello_again(self) -> None:
        """Cut and joined again, as far as the live on its way."""
        self.do_cut()
        self.do_join()
        self.do_uplink()
        self.do_model_up()

    def do_reload(self) -> None:
        """The page is loaded anew: the client remembers nothing."""
        self.do_cut()
        self.client, self.was_reloaded = ClientSession(), True
        self.events.clear()
        self.frames.clear()
        self.silenced = 0

    def do_move(self) -> None:
        """Another relay takes over. Turns go on where they were."""
        self.do_cut()
        self.server = ServerSession(self.server.epoch + 1, self.now)
        self.turn += 1

    def do_uplink(self) -> None:
        if not self.up:
            return
        data = self.up.pop(0)
        if isinstance(data, str):
            self.server.receive_text(data, self.now)
        else:
            for frame in self.server.receive_audio(data, self.now):
                self.taken.append(frame.pcm)
                self.server.settled_audio(frame.seq)

    def do_write(self) -> None:
        """One message more is on its way."""
        if self.up is not None and (said := self.server.data_to_send()) is not None:
            self.down.append(json_codec.encode(said))

    def do_downlink(self) -> None:
        """The server writes one message, and one that is on its way arrives."""
        self.do_write()
        if self.up is None:
            return
        if self.down:
            for item in self.client.receive(self.down.pop(0)):
                self._note(item)
        if self.server.close_code is not None and not self.down:
            self.do_cut()

    def _note(self, item: Any) -> None:
        if isinstance(item, AudioFrame):
            assert item.turn > self.silenced
            self.frames.append(item)
            return
        if isinstance(item, Live):
            assert self.up is not None
            self.up += self.client.resend()
        if isinstance(item, media.TurnInterrupted):
            self.silenced = max(self.silenced, item.turn)
        if item.n:
            self.events[item.e].append(item.n)

    def settle(self) -> None:
        """Join if need be, and deliver all that is still to come."""
        self.do_join()
        for _ in range(5):
            self.act("uplink", len(self.up or ()))
            self.do_model_up()
            while self.server.has_output or self.down:
                self.do_downlink()
            self.do_join()
        assert self.client.state is ClientState.LIVE


@searched(150)
@given(st.lists(ACTS, min_size=10, max_size=60))
def test_whatever_is_cut_both_ends_have_everything_once_and_in_order(acts: list[tuple[str, int]]) -> None:
    road = Road()
    road.settle()
    for name, times in acts:
        road.act(name, times)
    road.settle()

    for numbers in road.events.values():
        assert numbers == list(range(1, len(numbers) + 1))
    assert len(road.events[road.server.epoch]) == road.server.journal.last_n
    assert road.client.counters.missing_frames == 0
    assert road.client.counters.duplicate_events == road.client.counters.duplicate_frames == 0
    assert road.client.counters.bad == 0
    assert_spoken(road)


def assert_spoken(road: Road) -> None:
    """The server took what was said in order. What it never took died with a client."""
    places = [road.said.index(pcm) for pcm in road.taken]
    if road.server.epoch == 1:
        assert places == sorted(set(places))
    if not road.was_reloaded:
        assert set(road.said) <= set(road.taken)
    assert max(Counter(places).values(), default=0) <= road.server.epoch


def _joined(client: ClientSession | None = None) -> Road:
    road = Road(client=client or ClientSession())
    road.settle()
    return road


def test_audio_on_its_way_is_dropped_when_the_agent_is_interrupted() -> None:
    road = _joined()
    road.act("turn", 1)
    road.act("write", 3)
    road.do_barge_in()
    road.settle()
    assert len(road.frames) == 2
    road.do_stop()
    road.settle()
    assert road.client.counters.interrupted_frames == 2
    assert road.client.counters.missing_frames == 0


def test_a_client_without_memory_is_heard_at_once() -> None:
    """Its frames would count from 0 again, and be dropped as duplicates of an hour ago."""
    road = _joined()
    road.act("speak", 40)
    road.settle()
    road.do_reload()
    road.do_speak()
    road.settle()
    road.act("speak", 3)
    road.settle()
    assert len(road.taken) == 44


def test_a_fatal_error_that_can_be_mended_does_not_end_the_session() -> None:
    road = _joined()
    road.act("speak", 1)
    road.server.refuse("slow_client", fatal=True)
    while road.up is not None:
        road.do_downlink()
    assert road.client.state is ClientState.BROKEN
    road.settle()
    assert road.client.state is ClientState.LIVE


def test_an_unsolicited_live_does_not_break_the_client() -> None:
    road = _joined()
    assert road.client.receive(encode(LIVE)) == []
    assert road.client.counters.bad == 1


def test_hello_after_the_end_gets_the_final_events_and_breaks_nothing() -> None:
    road = _joined()
    road.do_cut()
    road.server.end(media.Ended("session_limit"), code="session_limit")
    road.do_join()
    road.do_uplink()
    assert road.server.state is ServerState.ENDED
    while road.up is not None:
        road.do_downlink()
    assert road.events[1] == [1]
    assert road.client.state is ClientState.ENDED
    assert road.server.close_code == 4421


def test_events_do_not_overtake_what_a_returning_client_lacks() -> None:
    """A client late with hello was sent what was waiting; what was written before the cut was then lost."""
    road = _joined()
    road.act("event", 3)
    while road.server.has_output:
        road.server.data_to_send()  # written, and lost on the way
    road.do_cut()
    road.act("event", 2)
    road.server.attached(road.now)
    road.up, road.down = [], []
    road.server.handle_timeout(road.now + HELLO_TIMEOUT_S)
    while road.up is not None:
        road.do_downlink()
    assert road.events[1] == []
    road.settle()
    assert road.events[1] == [1, 2, 3, 4, 5]


def test_a_pong_before_live_is_not_lost() -> None:
    road = Road()
    road.do_join()
    road.do_ping()
    road.act("uplink", 2)
    answer = road.server.data_to_send()
    assert isinstance(answer, media.Pong)


def test_nothing_is_said_after_the_closing_message() -> None:
    road = _joined()
    road.server.end(media.Ended("client"))
    road.do_event()
    assert not road.server.send_audio(9, b"\0\0")
    assert road.server.journal.last_n == 1


def test_a_stale_uplink_is_counted_when_it_is_given_up() -> None:
    road = _joined()
    road.do_cut()
    road.act("speak", KEPT_AUDIO_MS // 10 + 2)
    road.settle()
    assert road.client.counters.stale_uplink_ms == 20.0
    assert road.client.counters.resent_frames == KEPT_AUDIO_MS // 10


def test_much_unread_audio_holds_the_model_back() -> None:
    road = _joined()
    second = bytes(48_000)
    for _ in range(PENDING_AUDIO_MS // 1000):
        road.server.send_audio(1, second)
    assert not road.server.is_backed_up
    road.server.send_audio(1, second)
    assert road.server.is_backed_up
    assert road.server.interrupt(1) == PENDING_AUDIO_MS + 1000
    assert not road.server.is_backed_up


def test_much_unread_text_holds_the_model_back_and_more_of_it_is_too_much() -> None:
    road = _joined()
    words = media.Transcript("a1", 1, "agent", "x" * 10_000)
    for _ in range(PENDING_EVENT_BYTES // 2 // 10_000 - 5):
        road.server.send(words)
    assert not road.server.is_backed_up
    for _ in range(10):
        road.server.send(words)
    assert road.server.is_backed_up and not road.server.is_overfull
    for _ in range(PENDING_EVENT_BYTES // 2 // 10_000):
        road.server.send(words)
    assert road.server.is_overfull
    while road.server.data_to_send() is not None:
        pass
    assert not road.server.is_backed_up and not road.server.is_overfull


def test_hello_has_a_deadline_and_nothing_else_has() -> None:
    session = ServerSession(1, 5.0)
    assert session.next_timeout() == 15.0
    session.handle_timeout(14.9)
    assert session.close_code is None
    session.receive_text('{"type":"hello","versions":[1]}', 14.9)
    assert session.next_timeout() is None
    session.client_lost()
    assert session.next_timeout() is None


def test_a_session_cannot_go_live_twice() -> None:
    road = _joined()
    with pytest.raises(LocalProtocolError, match="out_of_order"):
        road.server.go_live(LIVE)


def test_a_client_says_hello_once_per_connection() -> None:
    road = _joined()
    with pytest.raises(LocalProtocolError, match="out_of_order"):
        road.client.hello()
