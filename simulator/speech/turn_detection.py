"""Turn detection on the PCM that arrives: where speech begins and where it ends.

It counts samples, never seconds on a wall, so a burst, a time scale and a slow
machine all give the same cut. A client that simply stops sending is waited for,
as Google does, until `audioStreamEnd`.
"""

import copy
from collections import deque
from dataclasses import dataclass

from simulator.audio import pcm as audio

FRAME_S = 0.02
FRAME_BYTES = round(audio.IN_HZ * FRAME_S) * audio.SAMPLE_BYTES
LEAD_FRAMES = 5  #: 100 ms kept from before the first loud frame, so no word loses its head
TAIL_FRAMES = 5  #: 100 ms of quiet kept after the last loud frame
LONGEST_S = 60.0  #: an utterance is cut here: memory is bounded


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """Parameters of `automaticActivityDetection`."""

    disabled: bool = False  #: the client marks activity itself
    silence_s: float = 0.8  #: quiet that ends a turn; ~800 ms is what others measured as the default
    commit_s: float = 0.06  #: speech that must be heard before a turn starts (`prefixPaddingMs`)
    loudness: float = 300.0  #: RMS of a loud frame, of 32767: about -40 dBFS


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of user speech at 16 kHz. Times are seconds into the connection's uplink audio."""

    pcm: bytes
    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        return audio.seconds(self.pcm, audio.IN_HZ)


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    at_s: float
    utterance: Utterance


SpeechEvent = SpeechStarted | SpeechEnded


class TurnDetector:
    """PCM in, speech events out. Copied as a whole into every resumption handle."""

    def __init__(self, settings: DetectionSettings) -> None:
        self.settings = settings
        self.discarded_bytes = 0  #: audio outside an activity window, manual mode only
        self._frames = 0
        self._rest = b""
        self._lead: deque[bytes] = deque(maxlen=LEAD_FRAMES)
        self._candidate: list[bytes] = []
        self._speech: list[bytes] | None = None
        self._quiet = 0

    @property
    def is_open(self) -> bool:
        """Someone is speaking."""
        return self._speech is not None

    @property
    def position_s(self) -> float:
        return self._frames * FRAME_S

    def feed(self, pcm: bytes) -> list[SpeechEvent]:
        """Process 16 kHz audio of any length."""
        data = self._rest + pcm
        whole = len(data) - len(data) % FRAME_BYTES
        self._rest = data[whole:]
        events: list[SpeechEvent] = []
        for at in range(0, whole, FRAME_BYTES):
            self._frames += 1
            event = self._hear(data[at : at + FRAME_BYTES])
            if event:
                events.append(event)
        return events

    def begin(self) -> list[SpeechEvent]:
        """The client says that speech begins. Opens the window, and nothing heard before counts."""
        if self.is_open:
            return []
        self._open([])
        return [SpeechStarted(self.position_s)]

    def end(self) -> list[SpeechEvent]:
        """Speech ends now: `activityEnd`, or `audioStreamEnd` while someone speaks."""
        if not self.is_open:
            self._candidate.clear()
            return []
        if self._rest and self._speech is not None:
            self._speech.append(self._rest)
            self._rest = b""
        return [self._close()]

    def copied(self, settings: DetectionSettings) -> "TurnDetector":
        """The same state under other settings, sharing the audio heard so far."""
        twin = copy.copy(self)
        twin.settings = settings
        twin._lead = deque(self._lead, maxlen=LEAD_FRAMES)
        twin._candidate = list(self._candidate)
        twin._speech = None if self._speech is None else list(self._speech)
        return twin

    def _hear(self, frame: bytes) -> SpeechEvent | None:
        if self.settings.disabled:
            return self._collect(frame)
        loud = audio.rms(frame) >= self.settings.loudness
        return self._listen(frame, loud) if self._speech is None else self._follow(frame, loud)

    def _collect(self, frame: bytes) -> SpeechEvent | None:
        if self._speech is None:
            self.discarded_bytes += len(frame)
            return None
        self._speech.append(frame)
        return None

    def _listen(self, frame: bytes, loud: bool) -> SpeechEvent | None:
        """Before speech: consecutive loud frames are a candidate until they last `commit_s`."""
        self._candidate.append(frame)
        if not loud:
            self._lead.extend(self._candidate)
            self._candidate.clear()
            return None
        if len(self._candidate) * FRAME_S < self.settings.commit_s - 1e-9:
            return None
        started = self.position_s - len(self._candidate) * FRAME_S
        self._open([*self._lead, *self._candidate])
        return SpeechStarted(started)

    def _follow(self, frame: bytes, loud: bool) -> SpeechEvent | None:
        """During speech: `silence_s` of quiet ends it."""
        assert self._speech is not None
        self._speech.append(frame)
        self._quiet = 0 if loud else self._quiet + 1
        too_long = len(self._speech) * FRAME_S >= LONGEST_S
        if self._quiet * FRAME_S >= self.settings.silence_s - 1e-9 or too_long:
            return self._close()
        return None

    def _open(self, frames: list[bytes]) -> None:
        self._speech = frames
        self._candidate = []
        self._lead.clear()
        self._quiet = 0

    def _close(self) -> SpeechEnded:
        assert self._speech is not None
        spare = max(0, self._quiet - TAIL_FRAMES)
        kept = self._speech[: len(self._speech) - spare]
        pcm = b"".join(kept)
        start = self.position_s - len(self._speech) * FRAME_S
        end = start + audio.seconds(pcm, audio.IN_HZ)
        self._speech, self._quiet = None, 0
        return SpeechEnded(end, Utterance(pcm, max(0.0, start), end))
