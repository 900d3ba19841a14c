"""When the user speaks and stops, by the audio alone."""

from __future__ import annotations

import functools
import random
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest

from gemini import messages as model
from relay.call.hearing import (
    LOW,
    MUTE_S,
    NORMAL,
    QUIET_S,
    WORDLESS_S,
    Heard,
    Hearing,
    UserStarted,
    UserStopped,
    is_sound,
)
from tests.relay import sounds
from tests.relay.sounds import HZ, NOISES, Wave

BEFORE_S, AFTER_S = 0.5, 1.0
FRAME_S = 0.02
VOICES = [(name, pace) for name in sorted(sounds.spoken()) for pace in (0.85, 1.0, 1.2)]


def heard_of(frames: Iterable[bytes], ear: Hearing) -> list[tuple[float, Heard]]:
    """What was heard, each with the time at which it was told."""
    told, now = [], 0.0
    for frame in frames:
        now += len(frame) / 2 / HZ
        told += [(now, heard) for heard in ear.hear(frame, now)]
    return told


@functools.cache
def spoken(voice: str, pace: float) -> Wave:
    return sounds.paced(sounds.spoken()[voice], pace)


@functools.cache
def around(noise: str) -> Wave:
    return NOISES[noise](5.0, random.Random(3))


def said(voice: str, pace: float, db: float, noise: str = "quiet", noise_db: float = -70.0) -> Wave:
    """Somebody says one sentence after half a second, and nothing for one."""
    words = sounds.at_level(spoken(voice, pace), db)
    wave = [*[0.0] * round(BEFORE_S * HZ), *words, *[0.0] * round(AFTER_S * HZ)]
    return sounds.mixed(wave, sounds.at_level(around(noise), noise_db))


def words_of(wave: Sequence[float]) -> tuple[float, float]:
    """When the sentence that is all of `wave` begins and ends to be audible, in seconds."""
    size = round(FRAME_S * HZ)
    levels = [max(map(abs, wave[at : at + size])) for at in range(0, len(wave), size)]
    loud = [index for index, level in enumerate(levels) if level > 0.1 * max(levels)]
    return BEFORE_S + loud[0] * FRAME_S, BEFORE_S + (loud[-1] + 1) * FRAME_S


def delays(ear: Hearing, db: float, noise: str, noise_db: float) -> list[float]:
    """From the first sound of a sentence to the moment at which it is heard, for every voice; sorted."""
    found = []
    for voice, pace in VOICES:
        told = heard_of(sounds.frames(said(voice, pace, db, noise, noise_db)), ear)
        began_at, _ = words_of(spoken(voice, pace))
        found.append(next(at for at, heard in told if isinstance(heard, UserStarted)) - began_at)
        ear.stop(0.0)
    return sorted(found)


@pytest.mark.parametrize("noise", NOISES)
def test_no_turn_begins_in_a_minute_of_noise_before_a_kiosk(noise: str) -> None:
    made = [*sounds.frames(NOISES[noise](20.0, random.Random(11)))]
    assert heard_of(made * 3, Hearing(LOW)) == []


@pytest.mark.parametrize("noise", sorted({*NOISES} - {"cafe", "music"}))
def test_nor_before_anybody_else_but_in_a_cafe_and_to_music(noise: str) -> None:
    made = [*sounds.frames(NOISES[noise](20.0, random.Random(12)))]
    assert heard_of(made * 3, Hearing(NORMAL)) == []


@pytest.mark.parametrize("db", [-20, -26, -32])
@pytest.mark.parametrize("noise", ["quiet", "fan", "street", "cafe"])
def test_speech_is_heard_within_two_hundred_milliseconds(db: float, noise: str) -> None:
    found = delays(Hearing(NORMAL), db, noise, db - 15)
    assert found[len(found) // 2] <= 0.201
    assert found[-1] <= 1.001, "a soft first word is heard by the second"


@pytest.mark.parametrize("noise", ["quiet", "street"])
def test_a_kiosk_hears_who_stands_before_it(noise: str) -> None:
    found = delays(Hearing(LOW), -22, noise, -40)
    assert found[len(found) // 2] <= 0.201
    assert found[-1] <= 0.601


@pytest.mark.parametrize(("voice", "pace"), VOICES)
def test_the_last_word_is_the_end_of_speech_whenever_that_is_known(voice: str, pace: float) -> None:
    told = heard_of(sounds.frames(said(voice, pace, -24)), Hearing())
    told_at, last = told[-1]
    _, ended_at = words_of(spoken(voice, pace))
    assert isinstance(last, UserStopped)
    assert last.at == pytest.approx(ended_at, abs=0.15)
    assert told_at - last.at <= QUIET_S + 0.1


def test_what_starts_stops_before_it_starts_again() -> None:
    told = [heard for _, heard in heard_of(sounds.frames(said("interruption", 1.0, -28)), Hearing())]
    assert isinstance(told[0], UserStarted)
    assert isinstance(told[-1], UserStopped)
    assert all(type(one) is not type(next) and one.at <= next.at for one, next in pairwise(told))


@pytest.mark.parametrize("size", [320, 640, 1_000, 3_200])
def test_frames_of_any_length_give_the_same_cut(size: int) -> None:
    pcm = b"".join(sounds.frames(said("question", 1.0, -24)))
    told = heard_of((pcm[at : at + size] for at in range(0, len(pcm), size)), Hearing())
    (_, first), (_, last) = told[0], told[-1]
    assert (first.at, last.at) == pytest.approx((0.54, 4.04), abs=0.1)


def test_a_burst_is_cut_by_its_samples_and_not_by_its_time() -> None:
    ear, now = Hearing(), 50.0
    told = [heard for frame in sounds.frames(said("question", 1.0, -24)) for heard in ear.hear(frame, now)]
    assert [type(heard) for heard in told] == [UserStarted, UserStopped]
    assert told[0].at <= told[1].at <= now


def test_a_microphone_that_pauses_ends_what_is_said() -> None:
    ear = Hearing()
    speech = [*sounds.frames(said("question", 1.0, -24))][:100]
    (told,) = heard_of(speech, ear)
    assert isinstance(told[1], UserStarted)
    stopped = ear.stop(2.0)
    assert stopped is not None
    assert stopped.at == pytest.approx(2.0, abs=0.2)
    assert not ear.is_speaking
    assert ear.stop(2.0) is None


def test_a_microphone_that_sends_no_more_ends_it_too() -> None:
    ear = Hearing()
    heard_of([*sounds.frames(said("question", 1.0, -24))][:100], ear)
    assert ear.next_timeout() == pytest.approx(2.0 + MUTE_S)
    assert ear.handle_timeout(2.0 + MUTE_S / 2) is None
    stopped = ear.handle_timeout(2.001 + MUTE_S)
    assert stopped is not None
    assert stopped.at <= 2.001
    assert ear.next_timeout() is None


@pytest.mark.parametrize("noise", ["keyboard", "quiet"])
def test_a_cough_or_a_key_is_no_speech(noise: str) -> None:
    cough = sounds.at_level(NOISES["fan"](0.1, random.Random(4)), -16)
    wave = NOISES[noise](3.0, random.Random(5))
    wave[HZ : HZ + len(cough)] = cough
    assert heard_of(sounds.frames(wave), Hearing()) == []


@pytest.mark.parametrize(
    ("samples", "is_heard"),
    [([], False), ([0] * 480, False), ([255, -256] * 240, False), ([0] * 479 + [256], True), ([-257], True)],
)
def test_near_zero_is_no_sound(samples: list[int], is_heard: bool) -> None:
    assert is_sound(array("h", samples).tobytes()) is is_heard


def music(seconds: float) -> list[bytes]:
    made = [*sounds.frames(NOISES["music"](20.0, random.Random(12)))]
    return (made * round(seconds / 20))[: round(seconds / FRAME_S)]


def test_music_is_no_speech_after_a_minute_without_a_word() -> None:
    told = heard_of(music(120), Hearing())
    assert [type(heard) for _, heard in told] == [UserStarted, UserStopped]
    assert told[1][0] == pytest.approx(WORDLESS_S, abs=0.5)
    assert told[1][1] == UserStopped(told[0][1].at, 0.0), "nothing was said"


def test_somebody_is_heard_through_music_that_was_found_to_be_none() -> None:
    ear = Hearing()
    heard_of(music(WORDLESS_S + 10), ear)
    over = sounds.mixed(said("question", 1.0, -18), sounds.at_level(around("music"), -32))
    assert [type(heard) for _, heard in heard_of(sounds.frames(over), ear)] == [UserStarted, UserStopped]


def test_all_is_heard_again_when_the_music_is_over() -> None:
    ear = Hearing()
    heard_of([*music(WORDLESS_S + 10), *sounds.frames([0.0] * 6 * HZ)], ear)
    told = heard_of(sounds.frames(said("question", 1.0, -32)), ear)
    assert isinstance(told[0][1], UserStarted)


def test_a_long_speech_whose_words_come_goes_on() -> None:
    ear, now, told = Hearing(), 0.0, []
    for frame in music(2 * WORDLESS_S):  # as good as a speaker who draws no breath
        now += FRAME_S
        told += ear.hear(frame, now)
        if round(now / FRAME_S) % 500 == 0:
            ear.model_said(model.Heard(" and"), now)
    assert [type(heard) for heard in told] == [UserStarted]
