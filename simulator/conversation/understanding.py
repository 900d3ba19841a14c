"""Speech recognition by known samples; adds each stimulus to the context."""

import asyncio
import hashlib
from typing import Any

from simulator.conversation.conversation import Conversation
from simulator.conversation.replies import Heard, Read, Returned, Stimulus
from simulator.speech import samples
from simulator.speech.samples import Sample
from simulator.speech.turn_detection import Utterance


async def understand(stimulus: Utterance | Read | Returned, turn: int, at: Conversation) -> Stimulus:
    """Transcribe speech, as one message; typed text and tool results pass unchanged."""
    if isinstance(stimulus, Returned):
        return stimulus
    if isinstance(stimulus, Read):
        at.remember("user", stimulus.text)
        return stimulus
    sample = await asyncio.to_thread(samples.recognise, stimulus.pcm, at.world.known)
    text = sample.text if sample else f"[speech {stimulus.duration_s:.1f} s]"
    at.remember("user", text, stimulus.duration_s)
    _note(stimulus, text, sample, turn, at)
    transcript: dict[str, Any] = {"text": text[at.lost_head(text, "input") :]}
    if sample and sample.language:
        transcript["languageCode"] = sample.language
    at.outlet.emit({"serverContent": {"inputTranscription": transcript}})
    return Heard(stimulus, text, sample)


def _note(heard: Utterance, text: str, sample: Sample | None, turn: int, at: Conversation) -> None:
    at.note(
        "utterance.heard",
        turn=turn,
        text=text,
        sample=sample.name if sample else None,
        start_s=round(heard.start_s, 3),
        end_s=round(heard.end_s, 3),
        bytes=len(heard.pcm),
        sha256=hashlib.sha256(heard.pcm).hexdigest(),
        planted=list(at.memory.watermarks.ranges),
    )
