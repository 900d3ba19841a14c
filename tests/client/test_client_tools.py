"""Tools that run in the client: deadline, cancel, failure; nothing of an exception gets out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.media import Ended, ToolCall, ToolCancel, ToolResult
from tests.client.fake_server import FakeServer, Peer
from vivavoce import Conversation, Tool, ToolError

Args = dict[str, Any]


async def run_tool(server: FakeServer, tool: Any, *calls: ToolCall) -> list[ToolResult]:
    """The results of `calls`, in the order they came."""
    results: list[ToolResult] = []

    async def ask(peer: Peer) -> None:
        await peer.live()
        await peer.send(*calls)
        await peer.heard(ToolResult, count=len(calls))
        results.extend(replace(message, n=0) for message in peer.said if isinstance(message, ToolResult))
        await peer.send(Ended("client"))

    server.peers = [ask]
    async with Conversation(server.url, "a.jwt", tools={"tool": tool}) as call:
        async for _ in call.events():
            pass
    return results


async def test_a_tool_answers_with_its_data(server: FakeServer) -> None:
    async def double(args: Args) -> Args:
        return {"twice": 2 * args["number"]}

    call = ToolCall("c1", "tool", 1000, {"number": 21})
    assert await run_tool(server, Tool(double), call) == [ToolResult("c1", True, {"twice": 42})]


async def test_tools_run_side_by_side(server: FakeServer) -> None:
    second_runs = asyncio.Event()

    async def wait_for_the_other(args: Args) -> str:
        if args["first"]:
            await second_runs.wait()
        second_runs.set()
        return "done"

    calls = [ToolCall("c1", "tool", 5000, {"first": True}), ToolCall("c2", "tool", 5000, {"first": False})]
    results = await run_tool(server, wait_for_the_other, *calls)
    assert [(result.call_id, result.ok) for result in results] == [("c2", True), ("c1", True)]


async def test_a_tool_that_takes_too_long_is_stopped(server: FakeServer) -> None:
    was_stopped = asyncio.Event()

    async def hang(args: Args) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            was_stopped.set()

    results = await run_tool(server, hang, ToolCall("c1", "tool", 20))
    assert results == [ToolResult("c1", False, error="The tool did not answer in time.")]
    assert was_stopped.is_set()


async def test_text_of_an_exception_never_gets_out(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(args: Args) -> None:
        raise RuntimeError("password=hunter2")

    results = await run_tool(server, fail, ToolCall("c1", "tool", 1000))
    assert results == [ToolResult("c1", False, error="The tool failed.")]
    assert "tool failed" in caplog.text  # its author does get to see it


async def test_a_tool_error_says_what_its_author_wants_said(server: FakeServer) -> None:
    async def refuse(args: Args) -> None:
        raise ToolError("There is no such order.")

    results = await run_tool(server, refuse, ToolCall("c1", "tool", 1000))
    assert results == [ToolResult("c1", False, error="There is no such order.")]


@pytest.mark.parametrize(
    ("data", "error"), [(object(), "The tool failed."), ("x" * 70_000, "The tool's result is too large.")]
)
async def test_a_result_that_cannot_be_sent_is_an_error(server: FakeServer, data: Any, error: str) -> None:
    async def give(args: Args) -> Any:
        return data

    assert await run_tool(server, give, ToolCall("c1", "tool", 1000)) == [
        ToolResult("c1", False, error=error)
    ]


async def test_an_unknown_tool_is_answered(server: FakeServer) -> None:
    async def never(args: Args) -> None:
        raise AssertionError

    results = await run_tool(server, never, ToolCall("c1", "other", 1000))
    assert results == [ToolResult("c1", False, error="There is no tool of that name.")]


async def test_a_cancelled_call_is_stopped_and_not_answered(server: FakeServer) -> None:
    runs, was_stopped = asyncio.Event(), asyncio.Event()

    async def hang(args: Args) -> None:
        runs.set()
        try:
            await asyncio.Event().wait()
        finally:
            was_stopped.set()

    async def cancel(peer: Peer) -> None:
        await peer.live()
        await peer.send(ToolCall("c1", "tool", 60_000))
        await runs.wait()
        await peer.send(ToolCancel(["c1", "c-unknown"]))
        await was_stopped.wait()
        await peer.end()
        assert not any(isinstance(message, ToolResult) for message in peer.said)

    server.peers = [cancel]
    async with Conversation(server.url, "a.jwt", tools={"tool": hang}):
        await was_stopped.wait()


async def test_leaving_stops_running_tools(server: FakeServer) -> None:
    runs, was_stopped = asyncio.Event(), asyncio.Event()

    async def hang(args: Args) -> None:
        runs.set()
        try:
            await asyncio.Event().wait()
        finally:
            was_stopped.set()

    async def call_tool(peer: Peer) -> None:
        await peer.live()
        await peer.send(ToolCall("c1", "tool", 60_000))
        await peer.end()

    server.peers = [call_tool]
    async with Conversation(server.url, "a.jwt", tools={"tool": hang}):
        await runs.wait()
    assert was_stopped.is_set()
