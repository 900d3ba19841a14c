"""Tool calls in flight between the model and the client. Pure: time is an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec

from gemini.messages import CALLED, AnswerTool, ModelCommand, Note, SayText, ToolRequested
from protocol.control import ClientTool, Scheduling
from protocol.errors import RemoteProtocolError
from protocol.limits import TOOL_ARGS_BYTES
from protocol.media import ToolCall, ToolCancel, ToolResult
from records.turns import TOOL_USES
from relay.turn import ToolUse

ARGS_BYTES = 4_096  #: of a call's arguments in the record, whose items have a limit; longer ones are left out
GRACE_S = 0.5  #: on top of a tool's own time, for the way there and back


@dataclass(frozen=True, slots=True)
class _Open:
    request: ToolRequested
    deadline: float
    use: ToolUse
    scheduling: Scheduling

    def answer(self, result: dict[str, Any]) -> AnswerTool:
        return AnswerTool(self.request.id, self.request.name, result, self.scheduling)


class ClientTools:
    """Knows the client's tools, names each call ourselves, and answers the model when nobody else does.

    A call outlives the leg that asked for it, for a tool may do what must not be done twice: the next leg is
    told its result in words.
    """

    def __init__(self, tools: list[ClientTool], epoch: int = 1) -> None:
        """`epoch` keeps the names of its calls apart from those of another relay."""
        self._epoch = epoch
        self._tools = {tool.name: tool for tool in tools}
        self._open: dict[str, _Open] = {}
        self._lost: dict[str, _Open] = {}  #: likewise open, and the leg that asked is gone
        #: results that the agent has not spoken of to the end
        self._told: list[tuple[_Open, dict[str, Any]]] = []
        self._untold: list[str] = []  #: results for a leg that knows nothing of their calls, in words
        self._is_owed = False  #: the agent is to speak of one of these
        self._asked: set[str] = set()  #: the model's ids on this leg; a call may come again
        self._count = 0
        self.used: deque[ToolUse] = deque()  #: for the record of the turn they belong to

    def request(self, request: ToolRequested, now: float) -> ToolCall | AnswerTool | None:
        """What to do about the model's wish: ask the client, answer at once, or nothing when asked twice."""
        if request.id in self._asked:
            return None
        if request.id:
            self._asked.add(request.id)
        tool = self._tools.get(request.name)
        self._count += 1
        call_id = f"call-{self._epoch}-{self._count}"
        size = len(msgspec.json.encode(request.args))
        use = ToolUse(call_id, request.name, request.args if size <= ARGS_BYTES else {}, now)
        if len(self.used) <= TOOL_USES:  # one more than are kept, so that the record tells that there were
            self.used.append(use)
        if tool is None or size > TOOL_ARGS_BYTES:
            use.answer(False, now)
            error = "unknown_tool" if tool is None else "arguments_too_long"
            return AnswerTool(request.id, request.name, {"error": error})
        deadline = now + tool.timeout_ms / 1000 + GRACE_S
        self._open[call_id] = _Open(request, deadline, use, tool.scheduling)
        return ToolCall(call_id, request.name, tool.timeout_ms, request.args)

    def result(self, result: ToolResult, now: float) -> AnswerTool | None:
        """The client's result, for the model; None when the leg that asked is gone: see `recap`.

        Raises RemoteProtocolError("call_unknown").
        """
        call = self._open.get(result.call_id) or self._lost.get(result.call_id)
        if call is None:
            raise RemoteProtocolError("call_unknown", ref=result.call_id)
        call.use.answer(result.ok, now)
        return self._settle(
            result.call_id, {"output": result.data} if result.ok else {"error": result.error or "failed"}
        )

    def withdraw(self, ids: tuple[str, ...]) -> ToolCancel | None:
        """The model does not want these any more."""
        gone = [call_id for call_id, call in self._open.items() if call.request.id in ids]
        for call_id in gone:
            del self._open[call_id]
        return ToolCancel(gone) if gone else None

    def expire(self, now: float) -> tuple[ToolCancel | None, list[AnswerTool]]:
        """Calls nobody answered in time: cancelled at the client, and the truth told to the model."""
        late = [call_id for call_id, call in (self._open | self._lost).items() if now >= call.deadline]
        answers = [self._settle(call_id, {"error": "timed_out"}) for call_id in late]
        return (ToolCancel(late) if late else None), [answer for answer in answers if answer]

    def _settle(self, call_id: str, result: dict[str, Any]) -> AnswerTool | None:
        if call_id in self._lost:
            self._untell(self._lost.pop(call_id), result)
            return None
        call = self._open.pop(call_id)
        self._told.append((call, result))
        return call.answer(result)

    # ---- what outlives a leg

    def spoken_of(self) -> None:
        """The agent has answered to the end, or was interrupted: the results so far are done with."""
        self._told.clear()

    def leg_lost(self) -> None:
        """The leg that asked is gone."""
        for call, result in self._told:
            self._untell(call, result)
        self._told.clear()
        self._lost |= self._open
        self._open = {}
        self._asked.clear()

    def _untell(self, call: _Open, result: dict[str, Any]) -> None:
        request, encode = call.request, msgspec.json.encode
        words = CALLED.format(
            name=request.name, args=encode(request.args).decode(), result=encode(result).decode()
        )
        self._untold.append(words)
        self._is_owed |= call.scheduling != "silent"

    def recap(self, asked: str) -> ModelCommand | None:
        """What a leg must be told that knows nothing of calls, when all results are there. Given once.

        `asked`: what the user said.
        """
        if self._lost or not self._untold:
            return None
        text, is_owed = " ".join(self._untold), self._is_owed
        self._untold, self._is_owed = [], False
        return SayText(f"{asked} {text}".strip(), respond=True) if is_owed else Note(text)

    def next_timeout(self) -> float | None:
        return min((call.deadline for call in (*self._open.values(), *self._lost.values())), default=None)
