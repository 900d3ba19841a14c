"""Every signal of the service in another order, late, twice, in pieces, or not at all."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from live_client import Message, live, transcript

from simulator import Config, parse, serve
from simulator.scenario import ScenarioError
from simulator.server.shaping import Shaper
from simulator.speech.samples import Sample

WORDS = "One two three four."


class VirtualClock:
    """Virtual time that passes when the test says so."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        self._due.append((self._now + seconds, len(self._due), do))

    def pass_all(self) -> None:
        for at, _, do in sorted(self._due, key=lambda due: due[:2]):
            self._now = at
            do()


class Sent:
    """An outlet that keeps the names of what was sent, in order, and the messages."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.names: list[str] = []

    def emit(self, message: Message) -> None:
        self.messages.append(message)
        content = message.get("serverContent")
        self.names += content if isinstance(content, dict) else []
        self.names += [name for name in message if name != "serverContent"]

    def emit_audio(self, message: bytes) -> None:
        self.names.append("audio")


USAGE = {"promptTokenCount": 3}
TURN: tuple[Message | bytes, ...] = (
    {"voiceActivity": {"type": "ACTIVITY_START"}},
    {"serverContent": {"inputTranscription": {"text": "a question"}}},
    *(b"audio",) * 3,
    {"serverContent": {"outputTranscription": {"text": "an answer"}}},
    *(b"audio",) * 3,
    {"serverContent": {"interrupted": True}},
    {"serverContent": {"generationComplete": True}},
    {"serverContent": {"turnComplete": True, "interactionStatus": "IDLE"}, "usageMetadata": USAGE},
    {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
    {"goAway": {}},
)


def turn(signals: str, seed: int = 1, times: int = 1) -> Sent:
    """All that comes of such a turn."""
    sent, clock = Sent(), VirtualClock()
    shaper = Shaper(sent, clock, parse(f"signals: {{{signals}}}").signals, random.Random(seed))
    for message in TURN * times:
        if isinstance(message, bytes):
            shaper.emit_audio(message)
        else:
            shaper.emit(message)
    clock.pass_all()
    return sent


def test_without_settings_everything_passes_unchanged() -> None:
    assert turn("").messages == [message for message in TURN if not isinstance(message, bytes)]


def test_the_users_words_come_beside_the_answers_sound() -> None:
    names = turn("input_transcript: {order: with, fragment: 3}").names
    words = "inputTranscription"
    assert names[1:7] == ["audio", words, "audio", words, "audio", words]


def test_words_come_after_the_turn() -> None:
    names = turn("input_transcript: {order: after}, output_transcript: {order: after}").names
    assert names.index("turnComplete") < names.index("inputTranscription")
    assert names.index("inputTranscription") < names.index("outputTranscription")


def test_words_come_twice_and_in_pieces() -> None:
    sent = turn("input_transcript: {order: before, repeat: 1, fragment: 4}")
    assert transcript(sent.messages, "input") == "a question" * 2
    assert sent.names.count("inputTranscription") == 8


def test_words_are_late() -> None:
    assert turn("input_transcript: {delay_s: 12, order: after}").names[-1] == "inputTranscription"


@pytest.mark.parametrize(
    ("signal", "field"),
    [
        ("input_transcript", "inputTranscription"),
        ("output_transcript", "outputTranscription"),
        ("turn_complete", "turnComplete"),
        ("generation_complete", "generationComplete"),
        ("interrupted", "interrupted"),
        ("usage", "usageMetadata"),
        ("voice_activity", "voiceActivity"),
        ("interaction_status", "interactionStatus"),
        ("handle", "sessionResumptionUpdate"),
        ("go_away", "goAway"),
    ],
)
@pytest.mark.parametrize("order", ["before", "with", "after"])
def test_any_signal_may_be_absent_or_repeated(signal: str, field: str, order: str) -> None:
    usual = turn("").names
    absent = turn(f"{signal}: {{order: {order}, absent: 1}}").names
    assert sorted([*absent, field]) == sorted(usual)
    repeated = turn(f"{signal}: {{order: {order}, repeat: 2}}").names
    assert sorted([*usual, field, field]) == sorted(repeated)


def test_the_end_of_a_turn_is_late_and_its_bill_a_message_of_its_own() -> None:
    messages = turn("turn_complete: {delay_s: 6}, usage: {order: before, repeat: 1}").messages
    assert messages[-1] == {"serverContent": {"turnComplete": True}}
    bill = messages.index({"usageMetadata": USAGE})
    assert messages[bill : bill + 3] == [
        {"usageMetadata": USAGE},
        {"serverContent": {"interactionStatus": "IDLE"}},
        {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
    ]
    assert messages.count({"usageMetadata": USAGE}) == 2


def test_what_waits_for_the_end_of_a_turn_does_not_wait_for_one_that_is_not_told() -> None:
    names = turn("turn_complete: {absent: 1}, output_transcript: {order: after}").names
    assert "turnComplete" not in names
    assert names.index("generationComplete") < names.index("outputTranscription")


def test_the_cut_of_an_answer_is_told_after_its_end() -> None:
    names = turn("interrupted: {order: after}").names
    assert names.index("turnComplete") < names.index("interrupted")


def test_the_seed_decides_what_each_turn_draws() -> None:
    drawn = "input_transcript: {order: any, fragment: [1, 5], repeat: [0, 2]}, usage: {absent: 0.5}"
    assert turn(drawn, seed=1, times=4).messages == turn(drawn, seed=1, times=4).messages
    assert len({tuple(turn(drawn, seed=seed, times=4).names) for seed in range(9)}) == 9


@pytest.mark.parametrize(
    "content", [7, {}, {"inputTranscription": 7}, {"inputTranscription": {"done": True}}]
)
def test_a_message_of_a_fault_may_hold_anything(content: Any) -> None:
    sent, clock = Sent(), VirtualClock()
    signals = parse("signals: {input_transcript: {fragment: 3, order: before}}").signals
    Shaper(sent, clock, signals, random.Random(1)).emit({"serverContent": content})
    assert sent.messages == [{"serverContent": content}]


async def test_the_answers_words_come_before_its_sound(known: dict[str, Sample]) -> None:
    text = f"settings: {{pace: 9, voice: synthetic}}\nturns: [{{say: {WORDS}}}]\n"
    first = parse(text + "signals: {output_transcript: {order: before}}")
    async with serve(Config(time_scale=20, scenario=first)) as running, live(running) as client:
        await client.say(known["question"].pcm)
        messages = await client.turn()
    kinds = [next(iter(message["serverContent"])) for message in messages if "serverContent" in message]
    assert kinds.index("modelTurn") > max(
        at for at, kind in enumerate(kinds) if kind == "outputTranscription"
    )
    assert transcript(messages) == WORDS


@pytest.mark.parametrize(
    ("signals", "says"),
    [
        ("usage: {fragment: 2}", "only transcripts"),
        ("usage: {absent: 2}", "0 to 1"),
        ("usage: {delay_s: -1}", "at least 0"),
        ("input_transcript: {fragment: [0, 2]}", "at least 1"),
        ("unheard_of: {}", "unknown field"),
    ],
)
def test_what_makes_no_sense_is_refused(signals: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        parse(f"signals: {{{signals}}}")
