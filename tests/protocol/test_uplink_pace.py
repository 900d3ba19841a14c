"""Audio and text of a call at the rate of speech: honest clients never notice, others get no more."""

from __future__ import annotations

from itertools import count

import pytest

from protocol import adpcm, media
from protocol.audio import AudioFrame, encode_adpcm, encode_audio, uplink_ms
from protocol.codec import encode
from protocol.limits import (
    IMAGE_CHARS,
    KEPT_AUDIO_MS,
    MESSAGES_PER_S,
    TEXT_CHARS,
    TEXT_CHARS_BURST,
    TEXT_CHARS_PER_S,
    UPLINK_BURST_MS,
    UPLINK_HELD_MS,
    UPLINK_MS_PER_S,
)
from protocol.media import Agent, Live, LiveLimits
from protocol.pace import UserPace
from protocol.server import ServerSession

LIVE = Live("s", 0, Agent("a"), LiveLimits(1, 1))


class Uplink:
    """A client's microphone and keyboard, and what of it is handed to the model."""

    def __init__(self) -> None:
        self.now = 0.0
        self.session = ServerSession(1, 0.0)
        self.handed: list[int] = []  #: numbers of frames, in order
        self.handed_ms = 0.0
        self._seq = count()
        self.join()

    def join(self) -> None:
        self.session.attached(self.now)
        self.session.receive_text(encode(media.Hello([1])), self.now)
        self.session.go_live(LIVE)
        self.errors()

    def reconnect(self) -> None:
        self.session.client_lost()
        self.join()

    def speak(self, ms: int = 20, times: int = 1, *, seq: int | None = None) -> None:
        for _ in range(times):
            number = next(self._seq) if seq is None else seq
            frames = self.session.receive_audio(encode_audio(0, number, bytes(32 * ms)), self.now)
            self.take(frames)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.session.audio_due(self.now))

    def say(self, message: media.ClientMessage) -> bool:
        """True when it is handed on, behind the audio that was sent before it."""
        heard = self.session.receive_text(encode(message), self.now) is not None
        self.take(self.session.audio_due(self.now))
        return heard

    def errors(self) -> list[media.Error]:
        """What the client was told since."""
        return [said for said in iter(self.session.data_to_send, None) if isinstance(said, media.Error)]

    def take(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self.handed.append(frame.seq)
            self.handed_ms += uplink_ms(len(frame.pcm))


def test_no_more_adpcm_is_decoded_than_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block costs a hundred times what its message costs: a flood of them is dropped as it came."""
    decoded: list[bytes] = []
    decode = adpcm.decode
    monkeypatch.setattr(adpcm, "decode", lambda block: decoded.append(block) or decode(block))  # type: ignore[func-returns-value]
    uplink, encoder = Uplink(), adpcm.Encoder()
    for seq in range(500):
        frame = encode_adpcm(encode_audio(0, seq, bytes(3200)), encoder)
        uplink.take(uplink.session.receive_audio(frame, uplink.now))
    uplink.wait(60)
    assert uplink.handed_ms == UPLINK_BURST_MS + UPLINK_HELD_MS
    assert uplink.session.uplink_dropped_ms == 50_000 - uplink.handed_ms
    assert len(decoded) == len(uplink.handed)


@pytest.mark.parametrize("frame_ms", [10, 20, 100])
@pytest.mark.parametrize("drift", [0.995, 1.0, 1.005, 1.05])
def test_a_microphone_of_any_clock_is_handed_on_frame_by_frame(frame_ms: int, drift: float) -> None:
    uplink = Uplink()
    for number in range(20 * 60 * 1000 // frame_ms):
        uplink.now += frame_ms / 1000 / drift
        uplink.speak(frame_ms)
        assert len(uplink.handed) == number + 1
    assert uplink.session.uplink_dropped_ms == 0


def test_what_is_sent_again_after_a_break_is_handed_on_at_once() -> None:
    uplink = Uplink()
    for _ in range(10):
        for _ in range(200):
            uplink.now += 0.02
            uplink.speak()
        uplink.now += KEPT_AUDIO_MS / 1000
        uplink.reconnect()
        seen = len(uplink.handed)
        for seq in range(uplink.session.receipts.seq - 50, uplink.session.receipts.seq + 1):
            uplink.speak(seq=seq)  # un-acknowledged, and here already: they count for nothing
        uplink.speak(times=KEPT_AUDIO_MS // 20)
        assert len(uplink.handed) == seen + KEPT_AUDIO_MS // 20
    assert uplink.session.uplink_dropped_ms == 0


def test_speech_that_was_held_up_on_its_way_is_neither_lost_nor_reordered() -> None:
    """By a network or a browser's tab that stood still for as long as both bounds allow together."""
    uplink = Uplink()
    for _ in range(5):
        for _ in range(3_000):  # a minute
            uplink.wait(0.02)
            uplink.speak()
        stalled_ms = UPLINK_BURST_MS + UPLINK_HELD_MS
        uplink.now += stalled_ms / 1000
        uplink.speak(times=stalled_ms // 20)
    for _ in range(30_000 // 20):
        uplink.wait(0.02)
        uplink.speak()
    assert uplink.handed == list(range(len(uplink.handed))) and uplink.session.uplink_dropped_ms == 0


def test_audio_that_comes_faster_than_it_can_be_spoken_is_not_handed_on() -> None:
    uplink = Uplink()
    for _ in range(60 * 190):
        uplink.wait(1 / 190)
        uplink.speak(100)
    assert uplink.handed_ms <= 60 * UPLINK_MS_PER_S + UPLINK_BURST_MS
    assert uplink.handed_ms >= 60 * UPLINK_MS_PER_S
    sent_ms = 60 * 190 * 100
    waiting_ms = sent_ms - uplink.handed_ms - uplink.session.uplink_dropped_ms
    assert 0 <= waiting_ms <= UPLINK_HELD_MS


def test_reconnecting_fills_no_budget() -> None:
    uplink = Uplink()
    taken = 0
    for _ in range(60):
        uplink.wait(1.0)
        uplink.reconnect()
        uplink.speak(100, times=60)
        taken += sum(uplink.say(media.Text("x" * TEXT_CHARS)) for _ in range(10))
    assert uplink.handed_ms <= 60 * UPLINK_MS_PER_S + UPLINK_BURST_MS + UPLINK_HELD_MS
    assert taken * TEXT_CHARS <= 60 * TEXT_CHARS_PER_S + TEXT_CHARS_BURST


def test_of_too_much_audio_the_latest_is_kept() -> None:
    uplink = Uplink()
    uplink.speak(100, times=600)  # a minute at once
    uplink.wait(UPLINK_HELD_MS / 1000)
    first, latest = UPLINK_BURST_MS // 100, UPLINK_HELD_MS // 100
    assert uplink.handed == [*range(first), *range(600 - latest, 600)]
    assert uplink.session.uplink_dropped_ms == 60_000 - UPLINK_BURST_MS - UPLINK_HELD_MS


def test_what_is_said_in_between_does_not_overtake_audio_that_waits() -> None:
    uplink = Uplink()
    uplink.speak(100, times=(UPLINK_BURST_MS + UPLINK_HELD_MS) // 100)
    assert len(uplink.handed) == UPLINK_BURST_MS // 100
    assert uplink.say(media.Activity("end"))
    assert uplink.handed == list(range((UPLINK_BURST_MS + UPLINK_HELD_MS) // 100))


@pytest.mark.parametrize("message", [media.Mic("open"), media.Activity("start")])
def test_words_in_between_are_no_way_around_the_rate(message: media.ClientMessage) -> None:
    uplink = Uplink()
    for _ in range(60 * MESSAGES_PER_S // 4):
        uplink.wait(4 / MESSAGES_PER_S)
        uplink.speak(100, times=2)
        uplink.say(message)
    assert uplink.handed_ms <= 60 * UPLINK_MS_PER_S + UPLINK_BURST_MS + UPLINK_HELD_MS


@pytest.mark.parametrize(
    ("message", "chars", "ref"),
    [
        (media.Text("x" * TEXT_CHARS), TEXT_CHARS, "text"),
        (media.Text("x" * TEXT_CHARS, respond=False), TEXT_CHARS, "text"),
        (media.Context("語" * TEXT_CHARS), TEXT_CHARS, "context"),
        (media.Image("image/png", b"x"), IMAGE_CHARS, "image"),
    ],
)
def test_text_over_its_rate_is_refused_and_told_when_it_may_come_again(
    message: media.ClientMessage, chars: int, ref: str
) -> None:
    uplink = Uplink()
    assert [uplink.say(message) for _ in range(TEXT_CHARS_BURST // chars + 1)].count(False) == 1
    (error,) = uplink.errors()
    assert (error.code, error.ref, error.fatal, error.retryable) == ("rate_limited", ref, False, True)
    uplink.wait(error.retry_after_ms / 1000)
    assert uplink.say(message) and not uplink.errors()
    assert uplink.session.close_code is None
    assert uplink.say(media.Playback(1, "started")) and uplink.say(media.ToolResult("c", ok=True))


def test_who_goes_on_sending_text_over_its_rate_is_closed() -> None:
    uplink = Uplink()
    for _ in range(120):
        uplink.say(media.Text("x" * TEXT_CHARS))
    assert uplink.session.close_code == 4429
    assert uplink.errors()[-1].fatal


def test_calls_of_one_user_share_what_may_come_at_once() -> None:
    """Else each of ten calls a minute would bring half a minute of audio of its own."""
    pace = UserPace(0.0)
    one, other, stranger = Uplink(), Uplink(), Uplink()
    for call in (one, other):
        pace.count(1, 0.0)
        call.session = ServerSession(1, 0.0, pace=pace)
        call.join()
    for call in (one, other, stranger):
        call.speak(100, 330)
    assert one.handed_ms == UPLINK_BURST_MS and stranger.handed_ms == UPLINK_BURST_MS
    assert other.handed_ms == 0.0 and other.session.uplink_dropped_ms > 0
    assert other.say(media.Text("a" * TEXT_CHARS))
    for _ in range(TEXT_CHARS_BURST // TEXT_CHARS - 1):
        assert one.say(media.Text("a" * TEXT_CHARS))
    assert not other.say(media.Text("a" * TEXT_CHARS))


def test_two_calls_of_one_user_are_heard_at_the_same_time() -> None:
    pace = UserPace(0.0)
    calls = [Uplink(), Uplink()]
    for call in calls:
        pace.count(1, 0.0)
        call.session = ServerSession(1, 0.0, pace=pace)
        call.join()
    for _ in range(1_000):
        for call in calls:
            call.speak(100)
            call.wait(0.1)
    assert [call.session.uplink_dropped_ms for call in calls] == [0.0, 0.0]
    pace.count(-1, 100.0)
    for _ in range(600):
        calls[0].speak(100, 2)
        calls[0].wait(0.1)
    assert calls[0].session.uplink_dropped_ms > 10_000, "one call has the pace of one"
