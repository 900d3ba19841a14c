"""The journal against a simple model: whatever is cut, a client gets all it should, once, in order."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from protocol.audio import AudioFrame, downlink_ms
from protocol.codec import Outgoing, json_codec
from protocol.journal import Journal
from protocol.limits import REPLAY_AUDIO_MS, REPLAY_EVENT_BYTES, REPLAY_EVENTS
from protocol.media import Ack, Event, Pong, ServerMessage, Transcript, TurnAudioEnd
from tests.protocol.messages import EVENTS
from tests.protocol.search import searched

PCM = bytes(96)  #: 2 ms
ACK = Ack(7)

ACTS = st.one_of(
    st.sampled_from(["event", "event", "audio", "audio", "audio", "turn", "interrupt", "cut", "answer"]),
    st.tuples(st.sampled_from(["write", "arrive"]), st.integers(1, 6)),
)


@dataclass
class Line:
    """A journal, a wire that may be cut, and a client that keeps what arrives."""

    journal: Journal = field(default_factory=lambda: Journal(1))
    wire: list[Outgoing] = field(default_factory=list)
    made: list[tuple[str, int]] = field(default_factory=list)  #: in order: ("event", n) or ("audio", seq)
    got: list[tuple[str, int]] = field(default_factory=list)
    turn: int = 1
    turns: dict[int, int] = field(default_factory=dict)  #: turn of each audio frame
    waiting: set[int] = field(default_factory=set)  #: audio frames that are to be written
    last_n: int = 0
    next_seq: int = 0

    def act(self, name: str, times: int = 1) -> None:
        for _ in range(times):
            getattr(self, f"_{name}")()
        assert abs(self.journal.pending_ms - len(self.waiting) * downlink_ms(len(PCM))) < 1e-6

    def _event(self) -> None:
        self.journal.put_event(TurnAudioEnd(self.turn))
        self.made.append(("event", self.journal.last_n))

    def _audio(self) -> None:
        seq = self.journal.next_seq
        if self.journal.put_audio(self.turn, PCM):
            self.turns[seq] = self.turn
            self.waiting.add(seq)
            self.made.append(("audio", seq))

    def _turn(self) -> None:
        self.turn += 1

    def _interrupt(self) -> None:
        self.journal.interrupt(self.turn)
        self.waiting.clear()
        assert not self.journal.put_audio(self.turn, PCM)

    def _answer(self) -> None:
        self.journal.put_answer(ACK)

    def _write(self) -> None:
        said = self.journal.take()
        if said is None:
            assert not self.journal.has_pending
            return
        if isinstance(said, AudioFrame):
            assert said.turn > self.journal.interrupted
            self.waiting.remove(said.seq)
        self.wire.append(said)

    def _arrive(self) -> None:
        if not self.wire:
            return
        said = self.wire.pop(0)
        if isinstance(said, AudioFrame):
            assert said.seq >= self.next_seq
            self.got.append(("audio", said.seq))
            self.next_seq = said.seq + 1
        elif said.n:
            assert (said.e, said.n) == (1, self.last_n + 1)
            self.last_n += 1
            self.got.append(("event", self.last_n))

    def _cut(self) -> None:
        self.wire.clear()
        self.journal.forget_answers()
        lacking = self.last_n < self.journal.last_n
        assert self.journal.rewind(self.last_n, self.next_seq) == (self.last_n + 1 if lacking else 0)
        alive = {seq for seq, turn in self.turns.items() if turn > self.journal.interrupted}
        self.waiting = {seq for seq in alive if seq >= self.next_seq}


@searched(150)
@given(st.lists(ACTS, max_size=80))
def test_after_any_cuts_a_client_has_everything_once_and_in_order(
    acts: list[str | tuple[str, int]],
) -> None:
    line = Line()
    for act in acts:
        if isinstance(act, tuple):
            line.act(*act)
        else:
            line.act(act)
    line.act("cut")
    while line.journal.has_pending:
        line.act("write")
    line.act("arrive", len(line.wire))

    assert [one for one in line.made if one in line.got] == line.got
    missing = set(line.made) - set(line.got)
    assert all(kind == "audio" and line.turns[seq] <= line.journal.interrupted for kind, seq in missing)


def _written(journal: Journal) -> list[Outgoing]:
    return list(iter(journal.take, None))


def _frames(written: list[Outgoing]) -> list[int]:
    return [said.seq for said in written if isinstance(said, AudioFrame)]


def _events(written: list[Outgoing]) -> list[int]:
    return [said.n for said in written if not isinstance(said, AudioFrame)]


def _words(text: str) -> Transcript:
    return Transcript("a1", 1, "agent", text)


@searched(100)
@given(st.lists(EVENTS | st.binary(max_size=960), max_size=12))
def test_a_replay_is_written_byte_for_byte_as_it_was_at_first(said: list[Event | bytes]) -> None:
    journal = Journal(3)
    for one in said:
        if isinstance(one, bytes):
            journal.put_audio(1, one)
        else:
            journal.put_event(one)
    first = [json_codec.encode(one) for one in _written(journal)]
    journal.rewind(0, 0)
    assert [json_codec.encode(one) for one in _written(journal)] == first
    assert len(first) == len(said)


def test_events_are_numbered_in_the_epoch_and_answers_have_none() -> None:
    journal = Journal(3)
    journal.put_answer(ACK)
    journal.put_event(_words("one"))
    journal.put_event(_words("two"))
    written: list[ServerMessage] = [Ack(7, e=3)]
    written += [Transcript("a1", 1, "agent", text, e=3, n=n) for n, text in enumerate(("one", "two"), 1)]
    assert _written(journal) == written


def test_answers_go_first_and_are_not_replayed() -> None:
    journal = Journal(1)
    journal.put_event(_words("one"))
    journal.put_answer(Pong(1.0, 1))
    assert _written(journal) == [Pong(1.0, 1, e=1), Transcript("a1", 1, "agent", "one", e=1, n=1)]
    journal.put_answer(ACK)
    journal.forget_answers()
    assert journal.rewind(0, 0) == 1
    assert _events(_written(journal)) == [1]


def test_only_answers_are_taken_when_only_answers_are_asked_for() -> None:
    journal = Journal(1)
    journal.put_event(_words("one"))
    journal.put_answer(ACK)
    assert [journal.take_answer(), journal.take_answer()] == [Ack(7, e=1), None]
    assert journal.has_pending


def test_old_audio_is_given_up_at_its_bound_and_events_are_not() -> None:
    journal = Journal(1)
    second, kept_s = bytes(48_000), REPLAY_AUDIO_MS // 1000
    for _ in range(kept_s + 5):
        journal.put_audio(1, second)
        journal.put_event(_words("event"))
    _written(journal)
    journal.rewind(0, 0)
    again = _written(journal)
    assert _frames(again) == list(range(5, kept_s + 5))
    assert _events(again) == list(range(1, kept_s + 6))


def test_old_events_are_given_up_at_their_bound_and_audio_is_not() -> None:
    """The smallest of events: of larger ones the bound in bytes lets fewer stay."""
    journal = Journal(1)
    journal.put_audio(1, PCM)
    for _ in range(REPLAY_EVENTS + 5):
        journal.put_event(TurnAudioEnd(1))
    _written(journal)
    assert journal.rewind(0, 0) == 6
    again = _written(journal)
    assert _frames(again) == [0]
    assert _events(again) == list(range(6, REPLAY_EVENTS + 6))


def test_an_interruption_tells_how_much_was_never_written() -> None:
    journal = Journal(1)
    for turn in (1, 1, 2):
        journal.put_audio(turn, bytes(4800))
    journal.take()
    assert journal.interrupt(1) == downlink_ms(4800) == 100.0
    assert journal.pending_ms == 100.0
    assert _frames(_written(journal)) == [2]


def test_interrupted_audio_is_not_kept_either() -> None:
    journal = Journal(1)
    journal.put_audio(1, PCM)
    _written(journal)
    journal.interrupt(1)
    journal.rewind(0, 0)
    assert _written(journal) == []


def test_played_audio_is_not_kept() -> None:
    journal = Journal(1)
    for turn in (1, 2):
        journal.put_audio(turn, PCM)
    _written(journal)
    journal.played(1)
    journal.rewind(0, 0)
    assert _frames(_written(journal)) == [1]


def test_events_are_kept_up_to_a_bound_in_bytes_and_the_latest_stay() -> None:
    journal = Journal(1)
    for number in range(100):
        journal.put_event(_words(f"{number} ".ljust(50_000)))
    _written(journal)
    first = journal.rewind(0, 0)
    assert first > 100 - REPLAY_EVENT_BYTES // 50_000
    again = _written(journal)
    assert _events(again) == list(range(first, 101))
    assert sum(len(json_codec.encode(one)) for one in again) <= REPLAY_EVENT_BYTES


def test_returns_without_reading_do_not_make_what_waits_grow() -> None:
    journal = Journal(1)
    waiting = []
    for _ in range(5):
        for number in range(60):
            journal.put_event(_words("x" * 50_000))
            journal.take() if number % 2 else None
        journal.rewind(0, 0)
        waiting.append(journal.waiting_bytes)
    assert max(waiting) <= REPLAY_EVENT_BYTES


def test_what_waits_is_counted_down_to_nothing() -> None:
    journal = Journal(1)
    shared = "語" * 100
    for text in ("pong", shared, shared):  # which is larger once it was encoded
        journal.put_answer(Pong(1.0, 1))
        journal.put_event(_words(text))
    journal.put_audio(1, PCM)
    assert journal.waiting_bytes > 0
    journal.take_answer()
    for said in iter(journal.take, None):
        json_codec.encode(said)
    assert journal.waiting_bytes == 0
    journal.put_answer(ACK)
    journal.forget_answers()
    assert journal.waiting_bytes == 0
