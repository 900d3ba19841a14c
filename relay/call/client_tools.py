"""Tool calls in flight between the model and the client. Pure: time is an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec

from gemini.messages import AnswerTool, ToolRequested
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
    """Knows the client's tools, names each call ourselves, and answers the model when nobody else does."""

    def __init__(self, tools: list[ClientTool], epoch: int = 1) -> None:
        """`epoch` keeps the names of its calls apart from those of another relay."""
        self._epoch = epoch
        self._tools = {tool.name: tool for tool in tools}
        self._open: dict[str, _Open] = {}
        self._count = 0
        self.used: deque[ToolUse] = deque()  #: for the record of the turn they belong to

    def request(self, request: ToolRequested, now: float) -> ToolCall | AnswerTool | None:
        """What to do about the model's wish: ask the client, answer at once, or nothing when asked twice."""
        if request.id and any(call.request.id == request.id for call in self._open.values()):
            return None
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

    def result(self, result: ToolResult, now: float) -> AnswerTool:
        """The client's result, for the model. Raises RemoteProtocolError("call_unknown")."""
        call = self._open.pop(result.call_id, None)
        if call is None:
            raise RemoteProtocolError("call_unknown", ref=result.call_id)
        call.use.answer(result.ok, now)
        return call.answer({"output": result.data} if result.ok else {"error": result.error or "failed"})

    def withdraw(self, ids: tuple[str, ...]) -> ToolCancel | None:
        """The model does not want these any more."""
        gone = [call_id for call_id, call in self._open.items() if call.request.id in ids]
        for call_id in gone:
            del self._open[call_id]
        return ToolCancel(gone) if gone else None

    def withdraw_all(self) -> ToolCancel | None:
        """The model that asked has forgotten that it did."""
        return self.withdraw(tuple(call.request.id for call in self._open.values()))

    def expire(self, now: float) -> tuple[ToolCancel | None, list[AnswerTool]]:
        """Calls nobody answered in time: cancelled at the client, and the truth told to the model."""
        late = {call_id: call for call_id, call in self._open.items() if now >= call.deadline}
        for call_id in late:
            del self._open[call_id]
        answers = [call.answer({"error": "timed_out"}) for call in late.values()]
        return (ToolCancel(list(late)) if late else None), answers

    def next_timeout(self) -> float | None:
        return min((call.deadline for call in self._open.values()), default=None)
