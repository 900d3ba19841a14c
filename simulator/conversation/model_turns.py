"""Turns of the model: each stimulus is understood and answered, one after another.

    stimulus ──▶ understand ──▶ plan ──▶ think ──▶ call, speak ──▶ hold ──▶ end
                                 ▲── blocking: wait ─┘

Speech leaves faster than it plays; `turnComplete` is held back until it has been heard.
"""

import asyncio
import html
from dataclasses import replace
from typing import Any

from simulator.conversation import bill, delivery
from simulator.conversation.calls import Pending
from simulator.conversation.conversation import Conversation
from simulator.conversation.replies import Plan, Read, Returned, Stimulus
from simulator.conversation.turn import Turn
from simulator.conversation.understanding import understand
from simulator.faults import CallWithoutId, DuplicateToolCall, EmptyTurn, TurnNeverEnds
from simulator.scenario import Call, Page
from simulator.speech.turn_detection import Utterance

THINKING = "Let me think about that."  #: the first of a reply's two turns
MAX_WAITING = 64  #: stimuli; more than anyone can say during one answer


class ModelTurns:
    """Queue of stimuli, answered one at a time."""

    def __init__(self, conversation: Conversation) -> None:
        self.turn: Turn | None = None
        self.user_is_silent = asyncio.Event()
        if not conversation.detector.is_open:
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
        turn.is_cut, turn.goes_on = True, False
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

    def offer_handle(self) -> None:
        """A `sessionResumptionUpdate`, asked for or not. No handle while generating or calling a tool."""
        at = self._at
        if not self.is_idle or at.calls.is_executing(self._clock.now()):
            at.outlet.emit({"sessionResumptionUpdate": {"resumable": False}})
            return
        handle = at.world.handles.issue(at.memory, at.detector)
        at.outlet.emit({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}})

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
            understood = await understand(stimulus, turn.number, self._at)
            self._fit_context(turn)
            plan = self._plan(understood)
            if self._thinks_aloud(understood, plan):
                turn = await self._think_aloud(understood, plan, turn)
            if await self._answer(understood, plan, turn):
                await self._finish(turn)
        finally:
            self.turn = None
        self.offer_handle()

    def _begin(self, stimulus: Utterance | Read | Returned) -> Turn:
        memory = self._at.memory
        memory.turn += 1
        cause = {Utterance: "speech", Read: "text", Returned: "tool"}[type(stimulus)]
        if cause != "tool":
            self._interaction = memory.turn
        self._at.triggers.turn_began(memory.turn)
        self._at.note("turn.started", turn=memory.turn, cause=cause)
        return Turn(memory.turn, cause, self._interaction)

    def _fit_context(self, turn: Turn) -> None:
        dropped = self._at.memory.fit(self._at.setup)
        if dropped:
            self._at.note("context.compressed", turn=turn.number, dropped=dropped)

    def _plan(self, stimulus: Stimulus) -> Plan:
        return self._at.world.replies.plan(stimulus, self._at.memory, self._at.setup)

    def _thinks_aloud(self, stimulus: Stimulus, plan: Plan) -> bool:
        is_new = not isinstance(stimulus, Returned)
        return is_new and not plan.is_silent and self._at.setup.model.profile.splits_replies.value

    async def _think_aloud(self, stimulus: Stimulus, plan: Plan, turn: Turn) -> Turn:
        """Say that the answer needs thought, as a turn that is IN_PROGRESS. Returns the answer's own turn."""
        turn.goes_on = True
        thinking = replace(plan, say=THINKING, echo=None, call=None, cite=())
        if await self._answer(stimulus, thinking, turn):
            await self._finish(turn)
        self.turn = following = Turn(turn.number, turn.cause, turn.interaction)
        if turn.is_cut:
            following.over.set()
        return following

    async def _answer(self, stimulus: Stimulus, plan: Plan, turn: Turn) -> bool:
        """Answer within the turn. Returns False when it was cut."""
        if await self._clock.wait(turn.over, self._clock.now() + plan.think_s):
            return False
        if empty := self._at.triggers.take(EmptyTurn):
            self._end_empty(turn, empty)
            return False
        pending = self._call(plan.call, turn) if plan.call else None
        if not await delivery.speak(plan, stimulus, turn, self._at):
            return False
        self._cite(plan.cite, turn)
        if pending is None or not pending.is_blocking:
            return True
        await pending.done.wait()
        if turn.over.is_set() or pending.returned is None:
            return False
        return await self._answer(pending.returned, self._plan(pending.returned), turn)

    def _cite(self, pages: tuple[Page, ...], turn: Turn) -> None:
        """What the answer is founded on, with the words that the search's terms want shown."""
        if not pages:
            return
        turn.has_searched = True
        grounding = {
            "webSearchQueries": [pages[0].title],
            "groundingChunks": [{"web": {"uri": page.url, "title": page.title}} for page in pages],
            "searchEntryPoint": {"renderedContent": f"<div>{html.escape(pages[0].title)}</div>"},
        }
        self._at.outlet.emit({"serverContent": {"groundingMetadata": grounding}})

    def _call(self, call: Call, turn: Turn) -> Pending:
        at, now = self._at, self._clock.now()
        pending = at.calls.open(call, at.setup, turn.interaction, now)
        ids = [pending.id]
        twin = at.triggers.take(DuplicateToolCall)
        if twin:
            ids.append(pending.id if twin.same_id else at.calls.open_twin(pending).id)
        pending.is_nameless = at.setup.is_vertex or at.triggers.take(CallWithoutId) is not None
        for call_id in ids:
            delivery.call(call, "" if pending.is_nameless else call_id, at)
        at.note("tool.called", turn=turn.number, ids=ids, name=call.name, blocking=pending.is_blocking)
        delivery.shown(turn, at)
        return pending

    async def _finish(self, turn: Turn) -> None:
        """Generation is over; the turn is, once all of it has been heard."""
        at = self._at
        if turn.is_known:
            at.outlet.emit({"serverContent": {"generationComplete": True}})
        await self._clock.wait(turn.over, turn.plays_until)
        if turn.over.is_set():
            return
        turn.over.set()
        if at.triggers.take(TurnNeverEnds):
            at.note("turn.abandoned", turn=turn.number)
            self._remember_answer(turn)
            return
        content: dict[str, Any] = {"turnComplete": True}
        if turn.is_known:
            self._end(turn, content)
        at.note("turn.ended", turn=turn.number, sent_s=round(turn.sent_s, 3))

    def _end_empty(self, turn: Turn, empty: EmptyTurn) -> None:
        """`turnComplete`, and nothing before it."""
        turn.over.set()
        if empty.text:
            content = {"role": "model", "parts": [{"text": empty.text}]}
            self._at.outlet.emit({"serverContent": {"modelTurn": content}})
        reason = {"turnCompleteReason": empty.reason} if empty.reason else {}
        waiting = {"waitingForInput": True} if empty.waits else {}
        self._end(turn, {"turnComplete": True, **reason, **waiting})
        self._at.note("turn.ended", turn=turn.number, sent_s=0.0)

    def _end(self, turn: Turn, content: dict[str, Any]) -> None:
        """`turnComplete` with the bill and the interaction's state."""
        at = self._at
        if at.setup.model.reports_status:
            self._in_progress = turn.goes_on or at.calls.is_waiting(turn.interaction)
            content["interactionStatus"] = "IN_PROGRESS" if self._in_progress else "IDLE"
        bill.tell(turn, content, at)
        self._remember_answer(turn)

    def _remember_answer(self, turn: Turn) -> None:
        if turn.answers:
            self._at.remember("model", " ".join(said.text for said in turn.answers), turn.sent_s)
