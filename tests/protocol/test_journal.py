"""The journal against a simple model: whatever is cut, a client gets all it should, once, in order."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from protocol.audio import decode_audio, downlink_ms
from protocol.journal import Journal
from protocol.limits import REPLAY_AUDIO_MS, REPLAY_EVENT_BYTES, REPLAY_EVENTS
from tests.protocol.search import searched

PCM = bytes(96)  #: 2 ms

ACTS = st.one_of(
    st.sampled_from(["event", "event", "audio", "audio", "audio", "turn", "interrupt", "cut", "answer"]),
    st.tuples(st.sampled_from(["write", "arrive"]), st.integers(1, 6)),
)


@dataclass
class Line:
    """A journal, a wire that may be cut, and a client that keeps what arrives."""

    journal: Journal = field(default_factory=Journal)
    wire: list[str | bytes] = field(default_factory=list)
    made: list[tuple[str, int]] = field(default_factory=list)  #: in order: ("event", n) or ("audio", seq)
    got: list[tuple[str, int]] = field(default_factory=list)
    turn: int = 1
    turns: dict[int, int] = field(default_factory=dict)  #: turn of each audio frame
    last_n: int = 0
    next_seq: int = 0

    def act(self, name: str, times: int = 1) -> None:
        for _ in range(times):
            getattr(self, f"_{name}")()
        waiting_ms = sum(entry.ms for entry in self.journal._pending)
        assert abs(self.journal.pending_ms - waiting_ms) < 1e-6

    def _event(self) -> None:
        n = self.journal.number()
        self.journal.put_event(str(n), n)
        self.made.append(("event", n))

    def _audio(self) -> None:
        seq = self.journal.next_seq
        if self.journal.put_audio(self.turn, PCM):
            self.turns[seq] = self.turn
            self.made.append(("audio", seq))

    def _turn(self) -> None:
        self.turn += 1

    def _interrupt(self) -> None:
        self.journal.interrupt(self.turn)
        assert not self.journal.put_audio(self.turn, PCM)

    def _answer(self) -> None:
        self.journal.put_answer("answer")

    def _write(self) -> None:
        data = self.journal.take()
        if data is None:
            assert not self.journal.has_pending
            return
        if isinstance(data, bytes):
            assert decode_audio(data).turn > self.journal.interrupted
        self.wire.append(data)

    def _arrive(self) -> None:
        if not self.wire:
            return
        data = self.wire.pop(0)
        if isinstance(data, bytes):
            seq = decode_audio(data).seq
            assert seq >= self.next_seq
            self.got.append(("audio", seq))
            self.next_seq = seq + 1
        elif data != "answer":
            assert int(data) == self.last_n + 1
            self.last_n += 1
            self.got.append(("event", self.last_n))

    def _cut(self) -> None:
        self.wire.clear()
        self.journal.forget_answers()
        lacking = self.last_n < self.journal.last_n
        assert self.journal.rewind(self.last_n, self.next_seq) == (self.last_n + 1 if lacking else 0)


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


def _written(journal: Journal) -> list[str | bytes]:
    return list(iter(journal.take, None))


def _frames(data: list[str | bytes]) -> list[int]:
    return [decode_audio(one).seq for one in data if isinstance(one, bytes)]


def test_answers_go_first_and_are_not_replayed() -> None:
    journal = Journal()
    journal.put_event("one", journal.number())
    journal.put_answer("pong")
    assert _written(journal) == ["pong", "one"]
    journal.put_answer("ack")
    journal.forget_answers()
    assert journal.rewind(0, 0) == 1
    assert _written(journal) == ["one"]


def test_only_answers_are_taken_when_only_answers_are_asked_for() -> None:
    journal = Journal()
    journal.put_event("one", journal.number())
    journal.put_answer("pong")
    assert [journal.take_answer(), journal.take_answer()] == ["pong", None]
    assert journal.has_pending


def test_old_audio_is_given_up_at_its_bound_and_events_are_not() -> None:
    journal = Journal()
    second, kept_s = bytes(48_000), REPLAY_AUDIO_MS // 1000
    for number in range(kept_s + 5):
        journal.put_audio(1, second)
        journal.put_event(f"event {number}", journal.number())
    _written(journal)
    journal.rewind(0, 0)
    again = _written(journal)
    assert _frames(again) == list(range(5, kept_s + 5))
    assert [one for one in again if isinstance(one, str)] == [
        f"event {number}" for number in range(kept_s + 5)
    ]


def test_old_events_are_given_up_at_their_bound_and_audio_is_not() -> None:
    journal = Journal()
    journal.put_audio(1, PCM)
    for _ in range(REPLAY_EVENTS + 5):
        n = journal.number()
        journal.put_event(str(n), n)
    _written(journal)
    assert journal.rewind(0, 0) == 6
    again = _written(journal)
    assert _frames(again) == [0]
    assert [one for one in again if isinstance(one, str)] == [str(n) for n in range(6, REPLAY_EVENTS + 6)]


def test_an_interruption_tells_how_much_was_never_written() -> None:
    journal = Journal()
    for turn in (1, 1, 2):
        journal.put_audio(turn, bytes(4800))
    journal.take()
    assert journal.interrupt(1) == downlink_ms(4800) == 100.0
    assert journal.pending_ms == 100.0
    assert _frames(_written(journal)) == [2]


def test_interrupted_audio_is_not_kept_either() -> None:
    journal = Journal()
    journal.put_audio(1, PCM)
    _written(journal)
    journal.interrupt(1)
    journal.rewind(0, 0)
    assert _written(journal) == []


def test_played_audio_is_not_kept() -> None:
    journal = Journal()
    for turn in (1, 2):
        journal.put_audio(turn, PCM)
    _written(journal)
    journal.played(1)
    journal.rewind(0, 0)
    assert _frames(_written(journal)) == [1]


def test_events_are_kept_up_to_a_bound_in_bytes_and_the_latest_stay() -> None:
    journal = Journal()
    for _ in range(100):
        n = journal.number()
        journal.put_event(f"{n} ".ljust(50_000), n)
    _written(journal)
    first = journal.rewind(0, 0)
    assert first > 100 - REPLAY_EVENT_BYTES // 50_000
    again = _written(journal)
    assert [int(str(one).split()[0]) for one in again] == list(range(first, 101))
    assert len("".join(map(str, again))) <= REPLAY_EVENT_BYTES


def test_returns_without_reading_do_not_make_what_waits_grow() -> None:
    journal = Journal()
    waiting = []
    for _ in range(5):
        for _ in range(60):
            n = journal.number()
            journal.put_event("x" * 50_000, n)
            journal.take() if n % 2 else None
        journal.rewind(0, 0)
        waiting.append(journal.waiting_bytes)
    assert max(waiting) <= REPLAY_EVENT_BYTES


def test_what_waits_is_counted_down_to_nothing() -> None:
    journal = Journal()
    for text in ("pong", "語"):
        journal.put_answer(text)
        journal.put_event(text, journal.number())
    journal.put_audio(1, PCM)
    assert journal.waiting_bytes > 0
    journal.take_answer()
    _written(journal)
    assert journal.waiting_bytes == 0
    journal.put_answer("pong")
    journal.forget_answers()
    assert journal.waiting_bytes == 0
