"""Rates, tones, similarity, turn detection, planted numbers, known samples."""

import itertools
import math
import random
import wave
from array import array
from pathlib import Path

import pytest

from simulator.audio import pcm, tones
from simulator.audio.similarity import similarity
from simulator.audio.watermark import BITS, Watermarks, embed
from simulator.speech import espeak, samples, speaker, synth
from simulator.speech.record import record
from simulator.speech.samples import Sample
from simulator.speech.speaker import Speaker, Speech, Word
from simulator.speech.turn_detection import (
    FRAME_BYTES,
    DetectionSettings,
    SpeechEnded,
    SpeechEvent,
    SpeechStarted,
    TurnDetector,
)


def tone(hz: float, duration_s: float, rate: int = pcm.IN_HZ, peak: float = 8_000) -> bytes:
    count = round(duration_s * rate)
    return array("h", [round(peak * math.sin(2 * math.pi * hz * n / rate)) for n in range(count)]).tobytes()


def noise(duration_s: float, rate: int, peak: int, seed: int = 1) -> bytes:
    chance = random.Random(seed)
    return array("h", [chance.randint(-peak, peak) for _ in range(round(duration_s * rate))]).tobytes()


def mixed(left: bytes, right: bytes) -> bytes:
    return array("h", [a + b for a, b in zip(pcm.samples(left), pcm.samples(right), strict=False)]).tobytes()


@pytest.mark.parametrize(
    ("src", "dst"), [(16_000, 24_000), (24_000, 16_000), (48_000, 16_000), (22_050, 24_000)]
)
def test_resampling_keeps_pitch_and_length(src: int, dst: int) -> None:
    there = pcm.resample(tone(440, 0.5, src), src, dst)
    assert pcm.seconds(there, dst) == pytest.approx(0.5, abs=0.001)
    assert similarity(tone(440, 0.5, dst), there, dst, dst) > 0.99


def test_resampling_takes_empty_and_odd_input() -> None:
    assert pcm.resample(b"", 16_000, 24_000) == b""
    assert len(pcm.resample(bytes(7), 16_000, 24_000)) == 6


@pytest.mark.parametrize("seed", range(12))
def test_a_code_is_decoded_through_noise_and_another_rate(seed: int) -> None:
    code = tones.draw(random.Random(seed))
    sound = noise(0.013 * seed, 24_000, 500) + tones.encode(code) + pcm.silence(0.2, 24_000)
    assert tones.decode(mixed(sound, noise(1, 24_000, 1_500, seed))) == code
    assert tones.decode(pcm.resample(sound, 24_000, 16_000), 16_000) == code


def test_speech_holds_no_code(known: dict[str, Sample]) -> None:
    for sample in known.values():
        assert tones.decode(sample.pcm, pcm.IN_HZ) is None


def test_all_codes_of_a_stream_are_found_in_order(known: dict[str, Sample]) -> None:
    words = speaker.echo(known["interruption"].pcm)
    stream = tones.encode("01234") + words + tones.encode("fedcb") + words
    found = list(tones.find(stream))
    assert [code for code, _ in found] == ["01234", "fedcb"]
    assert found[1][1] == pytest.approx(tones.seconds("01234") + pcm.seconds(words, 24_000), abs=0.02)
    assert len(tones.strip(stream)) == pytest.approx(len(stream) - len(tones.encode("01234")), abs=1_000)


def test_a_code_with_equal_neighbours_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="neighbours"):
        tones.encode("aab")


def test_an_echo_is_like_its_words_and_unlike_others(known: dict[str, Sample]) -> None:
    said = known["question"].pcm
    echo = speaker.echo(said)
    assert similarity(said, tones.encode("0a1b2") + echo) > 0.98
    assert similarity(said, echo[: len(echo) // 2]) > 0.98
    for name in ("frage", "interruption"):
        assert similarity(known[name].pcm, echo) < 0.5
    assert similarity(said, b"") == 0.0


@pytest.mark.parametrize("name", ["question", "interruption"])
@pytest.mark.parametrize("louder", [1.5, 3.0])
@pytest.mark.parametrize("filler_s", [1.7, 1.70012])
def test_an_echo_is_found_at_the_end_of_a_reply_that_begins_louder(
    known: dict[str, Sample], name: str, louder: float, filler_s: float
) -> None:
    """As of a model that thinks first: against its loudest sound the echo's quiet end is next to nothing."""
    said = known[name].pcm
    echo = speaker.echo(said)
    loudest = max(map(abs, pcm.samples(echo)))
    filler = tone(310, filler_s, pcm.OUT_HZ, min(32_000, louder * loudest))
    assert similarity(said, filler + tones.encode("0a1b2") + echo) > 0.98
    assert similarity(known["frage"].pcm, filler + tones.encode("0a1b2") + echo) < 0.5


def events_of(detector: TurnDetector, sound: bytes, step: int = 1_000) -> list[SpeechEvent]:
    return [event for at in range(0, len(sound), step) for event in detector.feed(sound[at : at + step])]


def test_speech_is_cut_with_a_little_quiet_around_it() -> None:
    sound = bytes(32_000) + tone(300, 1.0) + bytes(64_000)
    started, ended = events_of(TurnDetector(DetectionSettings()), sound)
    assert isinstance(started, SpeechStarted) and started.at_s == pytest.approx(1.0, abs=0.02)
    assert isinstance(ended, SpeechEnded)
    assert ended.utterance.start_s == pytest.approx(0.9, abs=0.03)
    assert ended.utterance.end_s == pytest.approx(2.1, abs=0.03)


def test_the_cut_does_not_depend_on_how_the_audio_arrives() -> None:
    sound = bytes(20_000) + tone(300, 0.7) + bytes(40_000)
    cuts = {
        events_of(TurnDetector(DetectionSettings()), sound, step)[-1] for step in (2, 640, 999, len(sound))
    }
    assert len(cuts) == 1


def test_a_click_is_not_speech() -> None:
    sound = bytes(6_400) + tone(300, 0.03) + bytes(6_400)
    assert events_of(TurnDetector(DetectionSettings()), sound) == []


def test_a_pause_shorter_than_the_limit_does_not_end_the_turn() -> None:
    sound = tone(300, 0.5) + bytes(16_000) + tone(300, 0.5) + bytes(16_000)
    assert len(events_of(TurnDetector(DetectionSettings(silence_s=0.8)), sound)) == 1
    assert len(events_of(TurnDetector(DetectionSettings(silence_s=0.3)), sound)) == 4


def test_endless_speech_is_cut_after_a_minute() -> None:
    assert any(
        isinstance(event, SpeechEnded)
        for event in events_of(TurnDetector(DetectionSettings()), tone(300, 61))
    )


def test_a_copied_detector_goes_on_by_itself() -> None:
    detector = TurnDetector(DetectionSettings())
    events_of(detector, tone(300, 0.5))
    twin = detector.copied(DetectionSettings(silence_s=0.2))
    assert twin.is_open and detector.is_open
    [ended] = events_of(twin, bytes(16_000))
    assert isinstance(ended, SpeechEnded) and detector.is_open


def test_manual_mode_discards_what_is_outside_the_window() -> None:
    detector = TurnDetector(DetectionSettings(disabled=True))
    assert events_of(detector, tone(300, 0.2)) == []
    assert detector.discarded_bytes == 6_400
    assert len(detector.begin()) == 1 and detector.begin() == []
    events_of(detector, tone(300, 0.1) + b"\1\1")
    [ended] = detector.end()
    assert isinstance(ended, SpeechEnded) and len(ended.utterance.pcm) == 3_202
    assert detector.end() == []


def test_planted_numbers_are_found_at_any_offset() -> None:
    stream = bytes(322) + b"".join(embed(noise(0.02, 16_000, 900, n), n) for n in range(50))
    for step in (64, 640, 1_280, 5_000):
        planted = Watermarks()
        for at in range(0, len(stream), step):
            planted.feed(stream[at : at + step])
        assert planted.ranges == [(0, 49)] and planted.missing() == [] and planted.repeated == []


def test_planting_cannot_be_heard() -> None:
    frame = noise(0.02, 16_000, 2_000)
    moved = [
        abs(a - b) for a, b in zip(pcm.samples(frame), pcm.samples(embed(frame, 2**32 - 1)), strict=True)
    ]
    assert max(moved) <= 1
    assert pcm.rms(embed(bytes(FRAME_BYTES), 7)) < 1


@pytest.mark.parametrize(("size", "number"), [(2 * BITS - 2, 0), (640, -1), (640, 2**32)])
def test_what_cannot_be_planted_is_refused(size: int, number: int) -> None:
    with pytest.raises(ValueError, match="64 samples"):
        embed(bytes(size), number)


def test_missing_numbers_are_ranges() -> None:
    planted = Watermarks()
    for number in (5, 6, 9, 3, 12, 9):
        planted.feed(embed(bytes(640), number))
    assert planted.missing() == [(4, 4), (7, 8), (10, 11)]
    assert planted.repeated == [(9, 9)]


@pytest.mark.parametrize("name", ["question", "interruption", "frage"])
def test_a_sample_is_recognised_however_it_was_cut(known: dict[str, Sample], name: str) -> None:
    shipped = tuple(known.values())
    sound = known[name].pcm
    quieter = array("h", [value // 3 for value in pcm.samples(sound)]).tobytes()
    for cut in (sound, bytes(3_200) + sound, sound[320:], quieter, mixed(sound, noise(9, 16_000, 200))):
        assert samples.recognise(cut, shipped) is known[name]


def test_other_speech_is_not_taken_for_a_sample(known: dict[str, Sample]) -> None:
    shipped = tuple(known.values())
    for sample in shipped:
        assert samples.recognise(sample.pcm[: len(sample.pcm) // 2], shipped) is None
    assert samples.recognise(b"", shipped) is None
    assert samples.recognise(noise(3, 16_000, 8_000), shipped) is None


def test_words_have_uneven_lengths_that_add_up() -> None:
    said = Speaker("synthetic", random.Random(3)).compose("one two three four, five")
    assert [word.text for word in said.words] == ["one", "two", "three", "four,", "five"]
    assert len({round(word.end_s - word.start_s, 2) for word in said.words}) > 2
    assert all(a.end_s < b.start_s for a, b in zip(said.words, said.words[1:], strict=False))
    assert said.words[-1].end_s <= said.duration_s


def test_a_hum_is_voiced() -> None:
    assert pcm.rms(synth.word("hello", 1.0, pcm.OUT_HZ)) > 500


@pytest.mark.parametrize(("text", "syllables"), [("cat", 1), ("hello", 2), ("extraordinary", 4)])
def test_a_synthetic_word_swells_once_for_each_syllable(text: str, syllables: int) -> None:
    levels = pcm.envelope(synth.word(text, 1.4, pcm.OUT_HZ), pcm.OUT_HZ)
    mean = sum(levels) / len(levels)
    crossings = sum((before < mean) != (after < mean) for before, after in itertools.pairwise(levels))
    assert crossings in (2 * syllables - 1, 2 * syllables)


def test_a_synthetic_word_changes_its_loudness_at_zero_only_and_so_does_not_click() -> None:
    text = "extraordinary"
    size = pcm.OUT_HZ // synth.PITCHES_HZ[len(text) % len(synth.PITCHES_HZ)]
    assert set(pcm.samples(synth.word(text, 1.0, pcm.OUT_HZ))[::size]) == {0}


def test_asking_for_a_missing_voice_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.speech.espeak.is_present", lambda: False)
    with pytest.raises(ValueError, match="espeak-ng is not installed"):
        Speaker("espeak", random.Random())
    assert not Speaker("auto", random.Random()).uses_espeak


@pytest.mark.parametrize("words", [(), (Word("hello", 0.0, 0.4), Word("there", 0.5, 1.0))])
def test_fragments_join_to_the_text_in_order(words: tuple[Word, ...]) -> None:
    pieces = speaker.fragments(Speech(bytes(48_000), "hello there", words), random.Random(1))
    assert "".join(text for _, text in pieces) == "hello there"
    assert [at for at, _ in pieces] == sorted(at for at, _ in pieces)


@pytest.mark.skipif(not espeak.is_present(), reason="needs espeak-ng")
def test_a_recorded_sample_can_be_recognised(tmp_path: Path) -> None:
    record(tmp_path / "mine.wav", "Where is the station?", "en")
    [mine] = samples.load_all(tmp_path)
    assert mine.text == "Where is the station?" and mine.words[0].text == "Where"
    assert samples.recognise(mine.pcm, (*samples.load_all(), mine)) is mine


def test_a_sample_in_another_format_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "cd.wav"), "wb") as file:
        file.setparams((2, 2, 44_100, 0, "NONE", "not compressed"))
    with pytest.raises(ValueError, match="is not 16 kHz mono"):
        samples.load(tmp_path / "cd.wav")
