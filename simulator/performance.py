"""The model's side of a conversation: one stimulus after another is understood and answered.

    stimulus ──▶ understand ──▶ plan ──▶ think ──▶ call, speak ──▶ hold ──▶ end
                                 ▲── blocking: wait ─┘

Speech leaves faster than it plays; `turnComplete` is held back until it has been heard.
"""

import asyncio
import hashlib
import random
from typing import Any

from simulator import answer, samples, speech
from simulator.brain import Heard, Plan, Read, Returned, Stimulus
from simulator.calls import Pending
from simulator.context import Entry, audio_tokens, text_tokens
from simulator.conversation import Conversation
from simulator.faults import Burst, DuplicateToolCall, LostTranscriptionHead, TurnNeverEnds
from simulator.scenario import Call
from simulator.speech import Speech, Word
from simulator.turn import Turn, usage
from simulator.voice import Utterance

BURST_PACE = 1e6  #: so much faster than real time that all is due at once
MAX_WAITING = 64  #: stimuli; more than anyone can say during one answer


class Performance:
    """Turns of the model, one at a time."""

    def __init__(self, conversation: Conversation) -> None:
        self.turn: Turn | None = None
        self.user_is_silent = asyncio.Event()
        self.user_is_silent.set()
        self._at = conversation
        self._clock = conversation.world.clock
        self._waiting: asyncio.Queue[Utterance | Read | Returned] = asyncio.Queue(MAX_WAITING)
        self._interaction = 0
        self._in_progress = False  #: the last `interactionStatus` sent

    @property
    def is_idle(self) -> bool:
        return self.turn is None and self._waiting.empty()

    def ask(self, stimulus: Utterance | Read | Returned) -> None:
        """Queue something to answer; beyond MAX_WAITING it is lost, and noted."""
        try:
            self._waiting.put_nowait(stimulus)
        except asyncio.QueueFull:
            self._at.note("stimulus.lost")

    def interrupt(self, cause: str) -> None:
        """Cut the current turn short, now: nothing of it is sent after this returns."""
        turn = self.turn
        if turn is None or turn.over.is_set():
            return
        turn.over.set()
        cancelled = self._at.calls.cancel_blocking()
        if cancelled:
            self._at.outlet.emit({"toolCallCancellation": {"ids": cancelled}})
            self._at.note("tool.cancelled", turn=turn.number, ids=cancelled)
        if turn.is_known:
            self._at.outlet.emit({"serverContent": {"interrupted": True}})
            self._end(turn, {"turnComplete": True})
        heard_s = turn.heard_s(self._clock.now())
        self._at.note(
            "turn.interrupted", turn=turn.number, cause=cause, sent_s=turn.sent_s, heard_s=round(heard_s, 3)
        )

    def settle(self) -> None:
        """A silent tool result came: if the client still waits for the interaction's end, end it."""
        if self._in_progress and self.is_idle and not self._at.calls.is_waiting(self._interaction):
            self._in_progress = False
            self._at.outlet.emit({"serverContent": {"turnComplete": True, "interactionStatus": "IDLE"}})

    async def run(self) -> None:
        while True:
            stimulus = await self._waiting.get()
            if isinstance(stimulus, Returned):
                # A result marked INTERRUPT still waits until the user has finished.
                await self.user_is_silent.wait()
            await self._take(stimulus)

    async def _take(self, stimulus: Utterance | Read | Returned) -> None:
        self.turn = turn = self._begin(stimulus)
        try:
            understood = await self._understand(stimulus, turn)
            self._fit_context(turn)
            if await self._perform(understood, turn):
                await self._finish(turn)
        finally:
            self.turn = None

    def _begin(self, stimulus: Utterance | Read | Returned) -> Turn:
        memory = self._at.memory
        memory.turn += 1
        cause = {Utterance: "speech", Read: "text", Returned: "tool"}[type(stimulus)]
        if cause != "tool":
            self._interaction = memory.turn
        self._at.outlet.turn_began(memory.turn)
        self._at.note("turn.started", turn=memory.turn, cause=cause)
        return Turn(memory.turn, cause, self._interaction)

    async def _understand(self, stimulus: Utterance | Read | Returned, turn: Turn) -> Stimulus:
        """What the user said, in words if they are known. It is transcribed as one whole message."""
        if isinstance(stimulus, Returned):
            return stimulus
        if isinstance(stimulus, Read):
            self._remember("user", stimulus.text)
            return stimulus
        sample = await asyncio.to_thread(samples.recognise, stimulus.pcm, self._at.world.known)
        text = sample.text if sample else f"[speech {stimulus.duration_s:.1f} s]"
        self._remember("user", text, stimulus.duration_s)
        self._at.note(
            "utterance.heard",
            turn=turn.number,
            text=text,
            sample=sample.name if sample else None,
            start_s=round(stimulus.start_s, 3),
            end_s=round(stimulus.end_s, 3),
            bytes=len(stimulus.pcm),
            sha256=hashlib.sha256(stimulus.pcm).hexdigest(),
            planted=list(self._at.memory.planted.ranges),
        )
        transcript: dict[str, Any] = {"text": self._headless(text, "input")}
        if sample and sample.language:
            transcript["languageCode"] = sample.language
        self._at.outlet.emit({"serverContent": {"inputTranscription": transcript}})
        return Heard(stimulus, text, sample)

    def _fit_context(self, turn: Turn) -> None:
        dropped = self._at.memory.fit(self._at.setup)
        if dropped:
            self._at.note("context.compressed", turn=turn.number, dropped=dropped)

    async def _perform(self, stimulus: Stimulus, turn: Turn) -> bool:
        """Answer within the turn. Returns False when it was cut."""
        plan = self._at.world.brain.plan(stimulus, self._at.memory, self._at.setup)
        if await self._clock.wait(turn.over, self._clock.now() + plan.think_s):
            return False
        pending = self._call(plan.call, turn) if plan.call else None
        if not await self._speak(plan, stimulus, turn):
            return False
        if pending is None or not pending.is_blocking:
            return True
        await pending.done.wait()
        if turn.over.is_set() or pending.returned is None:
            return False
        return await self._perform(pending.returned, turn)

    def _call(self, call: Call, turn: Turn) -> Pending:
        at, now = self._at, self._clock.now()
        pending = at.calls.open(call, at.setup, turn.interaction, now)
        ids = [pending.id]
        twin = at.outlet.take(DuplicateToolCall)
        if twin:
            ids.append(
                pending.id if twin.same_id else at.calls.open(call, at.setup, turn.interaction, now).id
            )
        for call_id in ids:
            function = {"id": call_id, "name": call.name, "args": call.args}
            at.outlet.emit({"toolCall": {"functionCalls": [function]}})
        at.note("tool.called", turn=turn.number, ids=ids, name=call.name, blocking=pending.is_blocking)
        self._shown(turn)
        return pending

    async def _speak(self, plan: Plan, stimulus: Stimulus, turn: Turn) -> bool:
        """Say what the plan says, if anything. Returns False when it was cut."""
        pace = BURST_PACE if self._at.outlet.take(Burst) else plan.pace
        for kind in ("composed", "echo"):
            if (plan.say if kind == "composed" else plan.echo) is None:
                continue
            said = await asyncio.to_thread(self._compose, kind, plan, stimulus, pace)
            turn.answers.append(said)
            self._log_answer(said, turn)
            if turn.over.is_set() or not await self._send(said, turn):
                return False
        return True

    def _compose(self, kind: str, plan: Plan, stimulus: Stimulus, pace: float) -> answer.Answer:
        """Runs in a thread: the first time, it resamples or waits for espeak-ng."""
        world = self._at.world
        chance = random.Random(world.chance.getrandbits(64))
        if kind == "composed":
            words, timing = world.speaker.compose(plan.say or ""), "exact"
        else:
            assert plan.echo is not None and isinstance(stimulus, Heard)
            words = _echoed(stimulus)
            timing = "sample" if words.words else "unknown"
        return answer.build(words, kind, pace, world.behaviour.chunk_ms, chance, timing)

    async def _send(self, said: answer.Answer, turn: Turn) -> bool:
        """Send the answer at its pace, until it is out or the turn is cut."""
        started, before_s = self._clock.now(), turn.sent_s
        lost = self._lost_head(said.text, "output")
        space = " " if len(turn.answers) > 1 else ""
        for due in said.timeline:
            if await self._clock.wait(turn.over, started + due.at_s):
                return False
            if isinstance(due.message, bytes):
                self._at.outlet.emit_audio(due.message)
                turn.sent(before_s + due.audio_s, self._clock.now())
                self._shown(turn)
            else:
                text, lost = due.message[lost:], max(0, lost - len(due.message))
                if text:
                    fragment = {"text": space + text}
                    self._at.outlet.emit({"serverContent": {"outputTranscription": fragment}})
                    space = ""
        return True

    async def _finish(self, turn: Turn) -> None:
        """Generation is over; the turn is, once all of it has been heard."""
        at = self._at
        if turn.is_known:
            at.outlet.emit({"serverContent": {"generationComplete": True}})
        await self._clock.wait(turn.over, turn.plays_until)
        if turn.over.is_set():
            return
        turn.over.set()
        if at.outlet.take(TurnNeverEnds):
            at.note("turn.abandoned", turn=turn.number)
            self._remember_answer(turn)
            return
        content: dict[str, Any] = {"turnComplete": True}
        if turn.is_known:
            self._end(turn, content)
        at.note("turn.ended", turn=turn.number, sent_s=round(turn.sent_s, 3))

    def _end(self, turn: Turn, content: dict[str, Any]) -> None:
        """`turnComplete` with the bill, the interaction's state, and a fresh handle after it."""
        at = self._at
        if at.setup.model.reports_status:
            self._in_progress = at.calls.is_waiting(turn.interaction)
            content["interactionStatus"] = "IN_PROGRESS" if self._in_progress else "IDLE"
        report = usage(turn, at.memory, at.setup, at.world.behaviour.unattributed_tokens)
        at.outlet.emit({"serverContent": content, "usageMetadata": report})
        at.memory.bill(report)
        at.note("usage.counted", turn=turn.number, usage=report, totals=dict(at.memory.billed))
        self._remember_answer(turn)

    def _remember_answer(self, turn: Turn) -> None:
        if turn.answers:
            text = " ".join(said.text for said in turn.answers)
            self._remember("model", text, turn.sent_s)

    def _remember(self, role: str, text: str, audio_s: float | None = None) -> None:
        """Speech counts by the second, text by its length."""
        spoken = audio_tokens(audio_s) if audio_s is not None else 0
        typed = text_tokens(text) if audio_s is None else 0
        self._at.memory.entries.append(Entry(role, text, typed, spoken))

    def _shown(self, turn: Turn) -> None:
        if not turn.is_known:
            turn.is_known = True
            self._at.outlet.answer_began(turn.number)

    def _lost_head(self, text: str, side: str) -> int:
        fault = self._at.outlet.take(LostTranscriptionHead, lambda lost: lost.side in (side, "both"))
        return min(fault.characters, len(text)) if fault else 0

    def _headless(self, text: str, side: str) -> str:
        return text[self._lost_head(text, side) :]

    def _log_answer(self, said: answer.Answer, turn: Turn) -> None:
        self._at.note(
            "answer.begun",
            turn=turn.number,
            code=said.code,
            said=said.kind,
            text=said.text,
            duration_s=round(said.duration_s, 3),
            timing=said.timing,
            words=[[word.text, word.start_s, word.end_s] for word in said.words],
        )


def _echoed(stimulus: Heard) -> Speech:
    """The user's own words, with their times when the sample is known."""
    lead_s = samples.lead_s(stimulus.utterance.pcm)
    known = stimulus.sample.words if stimulus.sample else ()
    words = tuple(Word(word.text, word.start_s + lead_s, word.end_s + lead_s) for word in known)
    return Speech(speech.echo(stimulus.utterance.pcm), stimulus.text, words)
