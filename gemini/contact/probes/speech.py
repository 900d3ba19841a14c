"""Probes of what Google makes of speech: transcripts, signals of voice activity, the end of a turn."""

from __future__ import annotations

import re
from itertools import pairwise

from gemini.contact.recording import Recording, Signal, Talk

WORDS = {"could", "you", "tell", "me", "when", "the", "next", "train", "leaves"}  #: of the sample
KNOWN = 0.6  #: share of the words in a transcript that is of them
PROMPT_S = 6.0  #: from the end of speech to the first sign of an answer, a second of silence in it
LONGER_S = 1.1  #: a turn's end is later by this, where 3,000 ms of silence were asked for, not about 800


def is_answered(recording: Recording, of: str) -> bool | None:
    """Speech is answered by voice."""
    talk = recording.talk(of)
    spoke = talk.marks("speak.end")
    return talk.sound_s(spoke[0]) > 0 if spoke else None


def answered_soon(recording: Recording) -> bool | None:
    """The first sign of an answer comes soon after the silence that ends a turn."""
    delay_s = recording.talk("speech.1").delay_s
    return None if delay_s is None else delay_s <= PROMPT_S


def flush(recording: Recording) -> str | None:
    """What ends the turn when the microphone stops: the stream's end, or silence after it."""
    talk = recording.talk("pause.1")
    stopped, audio = talk.sent_at("audioStreamEnd"), talk.first("audio")
    if not stopped or audio is None:
        return None
    fed = [at_s for at_s in talk.sent_at("audio") if at_s > stopped[0]]
    return "stream_end" if not fed or audio.at_s <= fed[0] else "silence"


def silence_honoured(recording: Recording) -> bool | None:
    """A longer `silenceDurationMs` makes the end of a turn later."""
    usual_s = recording.talk("speech.1").delay_s
    longer_s = recording.talk("silence.1").delay_s
    return None if usual_s is None or longer_s is None else longer_s - usual_s >= LONGER_S


# ---- voice activity


def voice_activity(recording: Recording) -> bool | None:
    """Start and end of speech are told."""
    talk = recording.talk("speech.1")
    return bool(talk.all("voiceActivity")) if talk.marks("speak.end") else None


def voice_activity_pairs(recording: Recording) -> bool | None:
    """Starts and ends of speech come in turn."""
    kinds = [one.value.get("type") for one in recording.talk("speech.1").all("voiceActivity")]
    if not kinds:
        return None
    return kinds[0] == "ACTIVITY_START" and all(left != right for left, right in pairwise(kinds))


def voice_activity_offset(recording: Recording) -> bool | None:
    """A signal says when, in seconds of the audio."""
    offsets = [one.value.get("audioOffset") for one in recording.talk("speech.1").all("voiceActivity")]
    told = [offset for offset in offsets if offset is not None]
    return all(re.fullmatch(r"\d+(\.\d+)?s", str(offset)) for offset in told) if told else None


# ---- transcripts: of the first question, and of the answer to it


def hears_words(recording: Recording) -> bool | None:
    """What was said is transcribed."""
    pieces = _heard(recording)
    if pieces is None:
        return None
    text = "".join(str(one.value.get("text", "")) for one in pieces).lower()
    return len(WORDS & set(re.findall(r"\w+", text))) / len(WORDS) >= KNOWN


def heard_before_answer(recording: Recording) -> bool | None:
    """What was said is transcribed before the answer sounds."""
    talk, pieces = recording.talk("speech.1"), _heard(recording)
    audio = talk.first("audio")
    return pieces[-1].at_s <= audio.at_s if pieces and audio else None


def heard_whole(recording: Recording) -> bool | None:
    """What was said comes in one piece."""
    pieces = _heard(recording)
    return len(pieces) == 1 if pieces else None


def heard_language(recording: Recording) -> bool | None:
    """The transcript says its language."""
    pieces = _heard(recording)
    return any("languageCode" in one.value for one in pieces) if pieces else None


def finished(recording: Recording, kind: str) -> bool | None:
    """A transcript says that it is finished."""
    pieces = recording.talk("speech.1").all(kind)
    return any("finished" in one.value for one in pieces) if pieces else None


def says_words(recording: Recording) -> bool | None:
    """The agent's voice is transcribed."""
    talk = recording.talk("speech.1")
    return bool(talk.said()) if talk.first("audio") else None


def said_in_pieces(recording: Recording) -> bool | None:
    """The agent's transcript comes in fragments."""
    pieces = _said(recording)
    return len(pieces) > 1 if pieces else None


def said_late(recording: Recording) -> bool | None:
    """Pieces of the agent's transcript come after its turn."""
    pieces, end = _said(recording), recording.talk("speech.1").turn_end
    return any(one.at_s > end.at_s for one in pieces) if pieces and end else None


def interim(recording: Recording) -> bool | None:
    """Transcripts come while the user speaks."""
    talk = recording.talk("speech.1")
    return bool(talk.all("interimInputTranscription")) if talk.marks("speak.end") else None


def _heard(recording: Recording) -> list[Signal] | None:
    """Pieces of the transcript until the second question."""
    talk = recording.talk("speech.1")
    if not talk.marks("speak.end"):
        return None
    return talk.all("inputTranscription", 0.0, _second(talk))


def _said(recording: Recording) -> list[Signal]:
    talk = recording.talk("speech.1")
    return talk.all("outputTranscription", 0.0, _second(talk))


def _second(talk: Talk) -> float:
    """When the second question begins."""
    return (*talk.marks("speak.start"), 1e9, 1e9)[1]
