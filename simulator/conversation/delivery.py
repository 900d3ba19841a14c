"""Delivery of a reply: synthesize it and send it at its pace until its end or an interruption."""

import asyncio
import random
from dataclasses import replace

from simulator.audio import pcm as audio
from simulator.conversation import answer
from simulator.conversation.answer import Answer, Due
from simulator.conversation.conversation import Conversation
from simulator.conversation.replies import Heard, Plan, Stimulus
from simulator.conversation.turn import Turn
from simulator.faults import Burst, CallInParts, QuietAudio
from simulator.scenario import Call
from simulator.speech import samples, speaker
from simulator.speech.speaker import Speech, Word
from simulator.wire import messages

BURST_PACE = 1e6  #: so much faster than real time that all is due at once


async def speak(plan: Plan, stimulus: Stimulus, turn: Turn, at: Conversation) -> bool:
    """Say what the plan says, if anything, then echo. Returns False when the turn was cut."""
    pace = BURST_PACE if at.triggers.take(Burst) else plan.pace
    kinds = [kind for kind, what in (("composed", plan.say), ("echo", plan.echo)) if what is not None]
    for kind in kinds:
        said = await asyncio.to_thread(_compose, kind, plan, stimulus, pace, at)
        turn.answers.append(said)
        _note(said, turn, at)
        if turn.over.is_set() or not await _send(said, turn, at):
            return False
    return True


def shown(turn: Turn, at: Conversation) -> None:
    """Mark the turn as seen by the client, which triggers the faults of its number."""
    if not turn.is_known:
        turn.is_known = True
        at.triggers.answer_began(turn.number)


def call(wanted: Call, call_id: str, at: Conversation) -> None:
    """Send a tool call: as a message, or where a fault has it. Without `call_id` it has no id."""
    named = {"id": call_id} if call_id else {}
    function = {**named, "name": wanted.name, "args": wanted.args}
    in_parts = at.triggers.take(CallInParts)
    if in_parts:
        content = {"role": "model", "parts": [{"functionCall": function}]}
        at.outlet.emit({"serverContent": {"modelTurn": content}})
    if in_parts is None or in_parts.twice:
        at.outlet.emit({"toolCall": {"functionCalls": [function]}})


def _compose(kind: str, plan: Plan, stimulus: Stimulus, pace: float, at: Conversation) -> Answer:
    """Runs in a thread: the first time, it resamples or waits for espeak-ng."""
    world = at.world
    chance = random.Random(world.chance.getrandbits(64))
    if kind == "composed":
        words, timing = world.speaker.compose(plan.say or ""), "exact"
    else:
        assert plan.echo is not None and isinstance(stimulus, Heard)
        words = _echoed(stimulus)
        timing = "sample" if words.words else "unknown"
    return answer.build(words, kind, pace, world.behaviour.chunk_bytes, chance, timing)


async def _send(said: Answer, turn: Turn, at: Conversation) -> bool:
    """Send the answer when its pieces are due. Returns False when the turn was cut."""
    clock = at.world.clock
    started, before_s = clock.now(), turn.sent_s
    lost = at.lost_head(said.text, "output")
    is_quiet = at.triggers.take(QuietAudio) is not None
    space = " " if len(turn.answers) > 1 else ""
    for due in _timeline(said, at):
        if await clock.wait(turn.over, started + due.at_s):
            return False
        if isinstance(due.message, bytes):
            at.outlet.emit_audio(
                _inaudible(before_s + due.audio_s - turn.sent_s) if is_quiet else due.message
            )
            turn.sent(before_s + due.audio_s, clock.now())
            shown(turn, at)
            continue
        text, lost = due.message[lost:], max(0, lost - len(due.message))
        if text:
            at.outlet.emit({"serverContent": {"outputTranscription": {"text": space + text}}})
            space = ""
    return True


def _inaudible(seconds: float) -> bytes:
    """A message with so much sound of the least loudness."""
    samples = round(max(0.0, seconds) * audio.OUT_HZ)
    return messages.encode_audio(b"\x01\x00\xff\xff" * (samples // 2))


def _timeline(said: Answer, at: Conversation) -> tuple[Due, ...]:
    """The answer's messages in their order; all words first where the scenario has them so."""
    if not at.outlet.puts_words_first:
        return said.timeline
    words = [replace(due, at_s=0.0) for due in said.timeline if not isinstance(due.message, bytes)]
    return (*words, *(due for due in said.timeline if isinstance(due.message, bytes)))


def _echoed(stimulus: Heard) -> Speech:
    """The user's own words, with their times when the sample is known."""
    lead_s = samples.lead_s(stimulus.utterance.pcm)
    known = stimulus.sample.words if stimulus.sample else ()
    words = tuple(Word(word.text, word.start_s + lead_s, word.end_s + lead_s) for word in known)
    return Speech(speaker.echo(stimulus.utterance.pcm), stimulus.text, words)


def _note(said: Answer, turn: Turn, at: Conversation) -> None:
    at.note(
        "answer.begun",
        turn=turn.number,
        code=said.code,
        said=said.kind,
        text=said.text,
        duration_s=round(said.duration_s, 3),
        timing=said.timing,
        words=[[word.text, word.start_s, word.end_s] for word in said.words],
    )
