"""What a deployment leaves behind: a relay without its table, and the address of one that is gone."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

import simulator
from infra.local.stack import LocalStack, Options
from protocol import media
from relay.task.service import HEARTBEAT_S, REFUSED_S
from tests import dialect
from tests.e2e.conftest import obedient
from vivavoce import Conversation

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("is_deleted", [False, True], ids=["idle", "without its table"])
async def test_a_relay_task_ends_by_itself_also_when_its_table_is_gone(is_deleted: bool) -> None:
    """As after `sam delete`: it cannot leave its slot any more, and would be paid for for ever."""
    async with simulator.serve(obedient()) as model:
        idle_s = "3600" if is_deleted else "1"
        options = Options(gemini_url=model.url, parameters=dialect.parameters(IdleSeconds=idle_s), workers=2)
        async with LocalStack(options) as stack:
            async with Conversation(stack.urls.control, stack.user().token()) as call:
                await call.send_text("Say only OK.")
                await answered(call)
            (task,) = stack.tasks.all
            assert task.status == "RUNNING"
            if is_deleted:
                await asyncio.to_thread(stack.client("dynamodb").delete_table, TableName=stack.table)
            async with asyncio.timeout(REFUSED_S + 6 * HEARTBEAT_S + 30):
                await task.is_over.wait()
            assert task.exit_status == 0


@pytest.mark.parametrize("dead", ["refuses", "silent"])
async def test_a_call_whose_relay_died_is_led_to_its_address_once_at_most_and_goes_on(dead: str) -> None:
    """A released address of Fargate answers nothing; the edge tries it once, for two seconds."""
    async with simulator.serve(obedient()) as model:
        options = Options(
            gemini_url=model.url,
            parameters=dialect.parameters(),
            workers=2,
            dead_address=dead,  # type: ignore[arg-type]
        )
        async with (
            LocalStack(options) as stack,
            Conversation(stack.urls.control, stack.user().token()) as call,
        ):
            await call.send_text("Say only OK.")
            await answered(call)
            (first,) = stack.tasks.all
            assert first.process_id is not None
            os.kill(first.process_id, signal.SIGKILL)
            async for event in call.events():
                if isinstance(event, media.Live) and event.e == 2:
                    break
            resumes = [each for each in stack.invocations if each.route_key == "resume"]
            assert len(resumes) <= 2, "once back to it, while its heart may beat, and once away from it"
            await call.send_text("Say only OK.")
            await answered(call)


async def answered(call: Conversation) -> None:
    """Returns when the agent's turn has ended."""
    async for event in call.events():
        if isinstance(event, media.TurnEnded) and event.role == "agent":
            return
