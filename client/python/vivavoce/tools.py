"""Runs the tools that live in the client, one task per call."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ._protocol.control import ClientTool, Scheduling
from ._protocol.limits import TOOL_RESULT_BYTES
from ._protocol.media import ToolCall, ToolResult
from .errors import ToolError

logger = logging.getLogger("vivavoce.client")
ERROR_CHARS = 1024  #: the protocol's limit on a tool's error text

Run = Callable[[dict[str, Any]], Awaitable[Any]]  #: arguments in, JSON-encodable data out


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool with what the model should know about it. A bare async function counts as `Tool(function)`."""

    run: Run
    description: str = ""  #: default: the function's docstring, its first line
    parameters: dict[str, Any] = field(default_factory=dict)  #: JSON Schema of the arguments
    timeout_ms: int = 20_000
    scheduling: Scheduling = "when_idle"  #: when the agent speaks of the result

    def declaration(self, name: str) -> ClientTool:
        """The tool as the protocol declares it."""
        doc = inspect.getdoc(self.run) or ""
        description = self.description or doc.partition("\n")[0]
        return ClientTool(name, description, self.parameters, self.timeout_ms, self.scheduling)


class Toolbox:
    """The tools of one conversation and their running calls."""

    def __init__(
        self, tools: Mapping[str, Tool | Run], send: Callable[[ToolResult], Awaitable[None]]
    ) -> None:
        self._tools = {name: tool if isinstance(tool, Tool) else Tool(tool) for name, tool in tools.items()}
        self._send = send
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None

    def declarations(self) -> list[ClientTool]:
        return [tool.declaration(name) for name, tool in self._tools.items()]

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """Calls run in `tasks` from now on."""
        self._tasks = tasks

    def call(self, call: ToolCall) -> None:
        """Run the call in a task of its own; a call that already runs is not run twice."""
        if call.call_id in self._running:
            return
        assert self._tasks is not None, "calls arrive while the conversation runs"
        task = self._tasks.create_task(self._answer(call), name=f"tool {call.name}")
        self._running[call.call_id] = task
        task.add_done_callback(lambda done: self._running.pop(call.call_id, None))

    def cancel(self, call_ids: list[str]) -> None:
        """Stop these calls; nothing is answered."""
        for call_id in call_ids:
            if task := self._running.get(call_id):
                task.cancel()

    def close(self) -> None:
        """Stop every call."""
        self.cancel(list(self._running))

    async def _answer(self, call: ToolCall) -> None:
        await self._send(await self._result(call))

    async def _result(self, call: ToolCall) -> ToolResult:
        """Result for the model. An exception's own text stays here, unless it is a ToolError's."""
        tool = self._tools.get(call.name)
        if tool is None:
            return _failed(call, "There is no tool of that name.")
        try:
            async with asyncio.timeout(call.deadline_ms / 1000):
                data = await tool.run(call.args)
            if len(msgspec.json.encode(data)) <= TOOL_RESULT_BYTES:
                return ToolResult(call.call_id, True, data)
            return _failed(call, "The tool's result is too large.")
        except TimeoutError:
            return _failed(call, "The tool did not answer in time.")
        except ToolError as error:
            return _failed(call, str(error)[:ERROR_CHARS])
        except Exception:  # the one place that runs code of others
            logger.warning("tool failed", exc_info=True, extra={"tool": call.name})
            return _failed(call, "The tool failed.")


def _failed(call: ToolCall, text: str) -> ToolResult:
    return ToolResult(call.call_id, False, error=text)
