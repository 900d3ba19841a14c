"""Probes of an answer: its audio, its end, its interruption, its bill."""

from __future__ import annotations

import re
from array import array
from itertools import pairwise
from typing import Any

from gemini.contact.recording import Recording, Signal, Talk, pcm_of

ORDINARY = ("speech.1", "barge_in.1", "pause.1", "silence.1", "manual.1")  #: connections that speak only
LOUD = 100  #: of 32,767: a sample of a voice is above that
HELD_S = 0.5  #: a turn's end may come so much before its audio has been played
TOKENS_PER_S = 25
LEAD_S = 1.0  #: audio that came faster than it plays is ahead by this at some time
CHUNK_S = 1.0  #: of audio in one message, at most

# ---- the wire


def is_binary(recording: Recording) -> bool | None:
    """JSON comes in binary frames."""
    down = [line.is_binary for line in recording.talk("speech.1").lines if line.way == "down"]
    return all(down) if down else None


def unknown_fields(recording: Recording) -> list[str]:
    """Fields that no message of Google's is known to have."""
    found = {one.kind for name in recording.names() for one in recording.talk(name).down}
    return sorted(found - KNOWN)


def is_kept_open(recording: Recording) -> bool | None:
    """No connection that did nothing wrong is closed."""
    talks = [recording.talk(name) for name in ORDINARY]
    opened = [talk for talk in talks if talk.is_set_up]
    return all(talk.end is None for talk in opened) if opened else None


def pong(recording: Recording) -> bool | None:
    """A ping is answered within 20 s."""
    talk = recording.talk("speech.1")
    return bool(talk.marks("pong")) if talk.marks("ping") else None


def time_left(recording: Recording) -> bool | None:
    """`goAway` says how much time is left, in seconds."""
    came = [one for name in recording.names() for one in recording.talk(name).all("goAway")]
    return (
        all(re.fullmatch(r"\d+(\.\d+)?s", str(one.value.get("timeLeft"))) for one in came) if came else None
    )


# ---- audio


def mime(recording: Recording) -> str | None:
    blobs = _blobs(recording)
    return str(blobs[0].get("mimeType")).replace(" ", "") if blobs else None


def whole_samples(recording: Recording) -> bool | None:
    """Messages end between samples."""
    sizes = [len(pcm_of(blob)) for blob in _blobs(recording)]
    return all(size % 2 == 0 for size in sizes) if sizes else None


def standard_alphabet(recording: Recording) -> bool | None:
    """Base64 has + and /, not - and _."""
    blobs = _blobs(recording)
    return not any(set("-_") & set(str(blob.get("data"))) for blob in blobs) if blobs else None


def small_messages(recording: Recording) -> bool | None:
    """A message has a second of audio at most."""
    sizes = [len(pcm_of(blob)) for blob in _blobs(recording)]
    return max(sizes) <= CHUNK_S * 48_000 if sizes else None


def is_audible(recording: Recording) -> bool | None:
    """The audio is no silence."""
    pcm = b"".join(pcm_of(blob) for blob in _blobs(recording))
    return max(map(abs, array("h", pcm[: len(pcm) & ~1])), default=0) > LOUD if pcm else None


def faster_than_speech(recording: Recording) -> bool | None:
    """Audio comes faster than it plays, in one of the answers at least: a machine may be slow."""
    talk = recording.talk("speech.1")
    starts = [*talk.marks("speak.start"), 1e9]
    answers = [talk.all("audio", since_s, until_s) for since_s, until_s in pairwise(starts)]
    leads = [_lead_s(audio) for audio in answers if len(audio) > 1]
    return max(leads) >= LEAD_S if leads else None


def _lead_s(audio: list[Signal]) -> float:
    """By how much the sound that has come was ever ahead of what could have been played."""
    lead_s, sound_s = 0.0, 0.0
    for one in audio:
        lead_s = max(lead_s, sound_s - (one.at_s - audio[0].at_s))
        sound_s += len(pcm_of(one.value)) / 48_000
    return lead_s


# ---- the end of a turn


def is_completed(recording: Recording) -> bool | None:
    """A turn's end is told."""
    talk = recording.talk("speech.1")
    return talk.first("turnComplete") is not None if talk.first("audio") else None


def generation_first(recording: Recording) -> bool | None:
    """The end of generation is told, before the turn's."""
    talk = recording.talk("speech.1")
    end = talk.first("turnComplete")
    done = talk.first("generationComplete")
    return None if end is None else done is not None and done.at_s <= end.at_s


def is_held(recording: Recording) -> bool | None:
    """A turn's end is told when its audio has been played."""
    talk = recording.talk("speech.1")
    audio, end = talk.first("audio"), talk.turn_end
    if audio is None or end is None:
        return None
    return end.at_s >= audio.at_s + talk.sound_s(0.0, end.at_s) - HELD_S


def splits(recording: Recording) -> bool | None:
    """One reply comes as several turns."""
    talk = recording.talk("speech.1")
    second = (*talk.marks("speak.start"), 1e9, 1e9)[1]
    ends = talk.all("turnComplete", 0.0, second)
    return len(ends) > 1 if ends else None


def status(recording: Recording) -> bool | None:
    """A turn's end says whether the model goes on."""
    talk = recording.talk("speech.1")
    return bool(talk.all("interactionStatus")) if talk.first("turnComplete") else None


def last_status(recording: Recording) -> str | None:
    """The state after an answer."""
    told = recording.talk("speech.1").all("interactionStatus")
    return str(told[-1].value) if told else None


# ---- barge-in


def is_interrupted(recording: Recording) -> bool | None:
    """Speech interrupts the answer."""
    talk = recording.talk("barge_in.1")
    return talk.first("interrupted") is not None if len(talk.marks("speak.start")) == 2 else None


def interruption_completes(recording: Recording) -> bool | None:
    """An interrupted turn ends with `turnComplete`, before the next answer."""
    talk, cut = _barge_in(recording)
    if cut is None or not is_completed(recording):
        return None
    after = [one.kind for one in talk.down if one.at_s >= cut.at_s and one.kind in ("turnComplete", "audio")]
    return after[:1] == ["turnComplete"] if after else None


def interruption_generates(recording: Recording) -> bool | None:
    """An interrupted turn tells the end of its generation."""
    talk, cut = _barge_in(recording)
    if cut is None:
        return None
    following = talk.first("audio", cut.at_s)
    until_s = following.at_s if following else 1e9
    return bool(talk.all("generationComplete", 0.0, until_s)) if following else None


def interruption_is_answered(recording: Recording) -> bool | None:
    """What interrupts is answered in its turn."""
    talk, cut = _barge_in(recording)
    return None if cut is None else talk.sound_s(cut.at_s + 0.3) > 0


def _barge_in(recording: Recording) -> tuple[Talk, Signal | None]:
    talk = recording.talk("barge_in.1")
    return talk, talk.first("interrupted")


# ---- the bill


def is_billed(recording: Recording) -> bool | None:
    """A turn's bill comes."""
    talk = recording.talk("speech.1")
    return bool(_bills(talk)) if talk.first("turnComplete") else None


def billed_once(recording: Recording) -> bool | None:
    """One bill comes for one turn."""
    talk = recording.talk("speech.1")
    bills, ends = _bills(talk), talk.all("turnComplete")
    return len(bills) == len(ends) if bills and ends else None


def billed_at_end(recording: Recording) -> bool | None:
    """The bill is in the message that ends the turn."""
    lines = [line.message for line in recording.talk("speech.1").lines if line.way == "down"]
    billed = [message for message in lines if "usageMetadata" in message]
    if not billed or not is_completed(recording):
        return None
    return "turnComplete" in billed[0].get("serverContent", {})


def adds_up(recording: Recording) -> bool | None:
    """The total is what was read, said, thought and used by tools."""
    parts = ("promptTokenCount", "responseTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")
    bills = _bills(recording.talk("speech.1"))
    told = [sum(bill.get(part, 0) for part in parts) == bill.get("totalTokenCount") for bill in bills]
    return all(told) if told else None


def by_modality(recording: Recording) -> bool | None:
    """A bill says how much of what was read and said is audio."""
    bills = _bills(recording.talk("speech.1"))
    if not bills:
        return None
    return all(_tokens(bill, "prompt", "AUDIO") and _tokens(bill, "response", "AUDIO") for bill in bills)


def unattributed(recording: Recording) -> bool | None:
    """Some tokens that were read are of no modality."""
    bills = [bill for bill in _bills(recording.talk("speech.1")) if bill.get("promptTokensDetails")]
    return any(_tokens(bill, "prompt") < bill.get("promptTokenCount", 0) for bill in bills) if bills else None


def speech_rate(recording: Recording) -> bool | None:
    """The agent's voice costs 25 tokens a second, within a fifth."""
    talk = recording.talk("speech.1")
    bills, end = _bills(talk), talk.first("turnComplete")
    tokens = _tokens(bills[0], "response", "AUDIO") if bills else 0
    if not tokens or end is None:
        return None
    return abs(tokens / max(0.1, talk.sound_s(0.0, end.at_s + 0.01)) - TOKENS_PER_S) <= TOKENS_PER_S / 5


def bills_context_again(recording: Recording) -> bool | None:
    """The last turn bills all that the first one read, and half at least of what it said."""
    bills = _bills(recording.talk("speech.1"))
    read = [bill.get("promptTokenCount", 0) for bill in bills]
    return read[-1] >= read[0] + _tokens(bills[0], "response") / 2 if len(bills) > 1 else None


def bills_picture(recording: Recording) -> bool | None:
    """A picture is billed as such."""
    bills = [bill for bill in _bills(recording.talk("image.1")) if bill.get("promptTokensDetails")]
    return any(_tokens(bill, "prompt", "IMAGE", "VIDEO") for bill in bills) if bills else None


def _tokens(bill: dict[str, Any], side: str, *modalities: str) -> int:
    details = [
        one
        for one in bill.get(f"{side}TokensDetails", [])
        if not modalities or one.get("modality") in modalities
    ]
    return sum(one.get("tokenCount", 0) for one in details)


def _bills(talk: Talk) -> list[dict[str, Any]]:
    return [one.value for one in talk.all("usageMetadata") if isinstance(one.value, dict)]


def _blobs(recording: Recording) -> list[dict[str, Any]]:
    talk = recording.talk("speech.1")
    return [one.value for one in talk.all("audio") if isinstance(one.value, dict)]


#: fields of a server's message, in google-genai 3.6.1
KNOWN = {
    *(
        "setupComplete",
        "toolCall",
        "toolCallCancellation",
        "goAway",
        "sessionResumptionUpdate",
        "usageMetadata",
    ),
    *("voiceActivity", "voiceActivityDetectionSignal", "audio", "thought", "text", "call", "interrupted"),
    *("inputTranscription", "outputTranscription", "interimInputTranscription", "generationComplete"),
    *("turnComplete", "turnCompleteReason", "interactionStatus", "waitingForInput", "groundingMetadata"),
    *("urlContextMetadata",),
}
