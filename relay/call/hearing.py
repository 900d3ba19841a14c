"""When the user speaks and stops, and whether the agent sounds, by the audio that passes through the relay.

Pure: time is an argument, and lengths are counted in samples, so that a burst gives the same cut. A model may
tell nothing of this, or late (docs/sources.md#gemini-habits). A frame is speech when it is loud, louder than
the room, swings as a voice does, and WebRTC's voice activity detector takes it for speech: each is cheap, and
fooled by other noises than the others. What was weighed: docs/decisions/0022-hearing.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import webrtcvad

from gemini import messages
from gemini.messages import ModelEvent
from protocol.limits import UPLINK_HZ

FRAME_S = 0.02
FRAME_BYTES = round(UPLINK_HZ * FRAME_S) * 2
AGGRESSIVE = 3  #: the detector's mode: of its four the one with the fewest false alarms
STRIDE = 5  #: every so-manieth sample tells how loud a frame is
ROOM_GROWS = 1.03  #: a frame: a noise that stays is the room after some seconds, a vowel is not
SWINGS = range(3, 71)  #: upward zero crossings in a frame: 150 to 3,500 a second. Below is rumble, above hiss
GOES_ON = 0.7  #: of the loudness that begins an utterance is enough for its soft syllables
QUIET = 20  #: frames with hardly any speech, and the user has stopped: few pauses between words are longer
QUIET_S = QUIET * FRAME_S
STRAY = 2  #: frames among these that may be taken for speech: a noise is, now and then
WORDLESS_S = 60.0  #: of an utterance without a word in the transcript, and it is none: music, a machine
LOUDER = 1.5  #: than that, and it is somebody
CALM, CALM_FRAMES = 1 / 3, 250  #: no louder than this share of it for so long, and it is over
MUTE_S = 1.0  #: without any audio, likewise: a client may stop sending

_KEPT = (1 << QUIET) - 1
_FAINT = b"\x00\x01\xfe\xff"  #: upper bytes of samples within 512 of zero: below what any sensitivity takes
_SIGNS = bytes(byte > 127 for byte in range(256))  #: of a sample, by its upper byte
_RISE = b"\x01\x00"
_SILENT = b"\x00\xff"  #: upper bytes of samples within 256 of zero, -42 dB: no loudspeaker makes them audible


@dataclass(frozen=True, slots=True)
class UserStarted:
    at: float  #: loop time at which the first frame of it came


@dataclass(frozen=True, slots=True)
class UserStopped:
    at: float  #: loop time at which the last frame of it came
    lasted_s: float = 0.0  #: by its frames, which may have come all at once


Heard = UserStarted | UserStopped


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What is taken for speech."""

    peak: int  #: of a frame that may be speech, of 32767
    above_room: float  #: how much louder than the room it must be
    frames: int  #: of speech that begin an utterance
    within: int  #: as many frames: clicks and tones far apart are no speech together


NORMAL = Sensitivity(peak=1_000, above_room=2.5, frames=6, within=12)
LOW = Sensitivity(peak=1_700, above_room=3.5, frames=8, within=13)  #: hears who stands before it, and no café


def sensitivity_of(level: str | None) -> Sensitivity:
    """By an agent's `turn_detection.sensitivity`. A high one is the model's: here it costs false turns."""
    return LOW if level == "low" else NORMAL


class Hearing:
    """Of one microphone."""

    def __init__(self, sensitivity: Sensitivity = NORMAL) -> None:
        self.is_speaking = False
        self._detector = webrtcvad.Vad(AGGRESSIVE)
        self._rest = b""  #: less than a frame
        self.adjust(sensitivity)
        self._recent = 0  #: a bit for each frame, the latest lowest: it was speech
        self._quiet = 0  #: frames since the last speech
        self._frames = 0  #: since the utterance began
        self._started_at = 0.0
        self._heard_at = 0.0
        self._words_at = float("-inf")  #: when the latest words came of what was said
        self._loudest = 0.0  #: frame of this utterance
        self._noise = 0.0  #: what was found to be no speech is so loud
        self._calm = 0  #: frames since that was there

    def model_said(self, event: ModelEvent, now: float) -> None:
        """Words of the user tell that it is speech what is heard."""
        if isinstance(event, messages.Heard):
            self._words_at = now

    def adjust(self, sensitivity: Sensitivity) -> None:
        """Hear like this from now on."""
        self._sensitivity = sensitivity
        self._within = (1 << sensitivity.within) - 1
        self._quiet_room = sensitivity.peak / sensitivity.above_room  # a quieter one makes no difference
        self._room = self._quiet_room

    def hear(self, pcm: bytes, now: float) -> list[Heard]:
        """16 kHz mono s16le of any length, the latest sample of which came at `now`."""
        self._heard_at = now
        data = self._rest + pcm if self._rest else pcm
        whole = len(data) - len(data) % FRAME_BYTES
        self._rest = data[whole:]
        if whole == FRAME_BYTES:
            heard = self._take(data[:whole], now)
            return [heard] if heard else []
        ages = range(whole // FRAME_BYTES - 1, -1, -1)  # frames that came after it
        frames = (data[at : at + FRAME_BYTES] for at in range(0, whole, FRAME_BYTES))
        taken = [self._take(frame, now - age * FRAME_S) for frame, age in zip(frames, ages, strict=True)]
        return [heard for heard in taken if heard]

    def stop(self, now: float) -> UserStopped | None:
        """The microphone was closed or paused: whoever spoke has stopped. What comes next is heard afresh."""
        self._rest, self._recent = b"", 0
        return self._stop(now - self._quiet * FRAME_S) if self.is_speaking else None

    def handle_timeout(self, now: float) -> UserStopped | None:
        """Whoever spoke has stopped when no audio comes any more."""
        at = self.next_timeout()
        return self.stop(self._heard_at) if at is not None and now >= at else None

    def next_timeout(self) -> float | None:
        """Time at which `handle_timeout` is to be called; None for never."""
        return self._heard_at + MUTE_S if self.is_speaking else None

    def _take(self, frame: bytes, at: float) -> Heard | None:
        is_speech = self._is_speech(frame)
        self._recent = (self._recent << 1 | is_speech) & _KEPT
        self._quiet = 0 if is_speech else self._quiet + 1
        self._frames += 1
        if self.is_speaking and at > max(self._started_at, self._words_at) + WORDLESS_S:
            return self._take_for_noise()
        if self.is_speaking:
            return self._stop(at - self._quiet * FRAME_S) if self._recent.bit_count() <= STRAY else None
        latest = self._recent & self._within
        if latest.bit_count() < self._sensitivity.frames:
            return None
        self.is_speaking, self._loudest = True, 0.0
        self._frames = latest.bit_length()
        self._started_at = at - (self._frames - 1) * FRAME_S
        return UserStarted(self._started_at)

    def _stop(self, at: float) -> UserStopped:
        self.is_speaking = False
        lasted_s = (self._frames - self._quiet) * FRAME_S
        return UserStopped(max(at, self._started_at), lasted_s)

    def _take_for_noise(self) -> UserStopped:
        """Nobody speaks, or has since the latest words."""
        self.is_speaking, self._recent = False, 0
        self._noise, self._calm = self._loudest * LOUDER, 0
        at = max(self._started_at, self._words_at)
        return UserStopped(at, at - self._started_at)

    def _note_calm(self, peak: float) -> None:
        """After a while without what was found to be no speech, all is heard again."""
        self._calm = self._calm + 1 if peak < CALM * self._noise else 0
        if self._calm >= CALM_FRAMES:
            self._noise = 0.0

    def _is_speech(self, frame: bytes) -> bool:
        upper = frame[1::2]
        if not upper.translate(None, _FAINT):  # a room's silence costs next to nothing
            self._room = self._quiet_room
            if self._noise:
                self._note_calm(0.0)
            return False
        peak = max(memoryview(frame).cast("h")[::STRIDE])
        self._room = max(self._quiet_room, min(peak, self._room * ROOM_GROWS))
        if self._noise:
            self._note_calm(peak)
        least = max(self._sensitivity.peak, self._sensitivity.above_room * self._room, self._noise)
        if peak < (least * GOES_ON if self.is_speaking else least):
            return False
        if self.is_speaking:
            self._loudest = max(self._loudest, peak)
        swings = upper.translate(_SIGNS).count(_RISE)
        return swings in SWINGS and self._detector.is_speech(frame, UPLINK_HZ)


def is_sound(pcm: bytes) -> bool:
    """Whether anything of this mono s16le can be heard."""
    return bool(pcm[1::2].translate(None, _SILENT))
