"""The local stack with relays in MicroVMs: a sleeping one, its connections all dead, wakes and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import simulator
from infra.local.microvm.home import Account
from infra.local.microvm.network import Cut
from infra.local.stack import LocalStack, Options
from protocol import media
from records import relays
from records.relays import Relay
from records.table import Table
from tests import dialect
from vivavoce import Conversation

pytestmark = pytest.mark.timeout(240)
VMS = {"RelayHomes": "microvm", "MicrovmCode": "s3://bucket/relay.zip"}


async def until(stack: LocalStack, is_so: Callable[[list[Relay]], bool]) -> list[Relay]:
    """The relays of the pool, once `is_so` of them."""
    table = Table(stack.client("dynamodb"), stack.table)
    async with asyncio.timeout(90):
        while True:
            pool = await asyncio.to_thread(relays.pool, table)
            found = await asyncio.to_thread(relays.load_all, table, pool.slots.values())
            if is_so(found):
                return found
            await asyncio.sleep(0.2)


async def answered(stack: LocalStack) -> str:
    """A typed question's answer, in words."""
    said = ""
    async with Conversation(stack.urls.control, stack.user().token()) as call:
        await call.send_text("Say only OK.")
        async for event in call.events():
            if isinstance(event, media.Transcript) and event.role == "agent":
                said += event.text
            if isinstance(event, media.TurnEnded) and event.role == "agent":
                await call.end()
    return said


@pytest.mark.parametrize("cut", ["resets", "hangs"])
async def test_a_call_wakes_a_sleeping_relay_whose_connections_are_all_dead(cut: Cut) -> None:
    scenario = simulator.parse('turns: [{when: {contains: "Say only OK"}, say: "OK."}]')
    async with simulator.serve(simulator.Config(scenario=scenario)) as model:
        options = Options(
            gemini_url=model.url,
            parameters=dialect.parameters(**VMS, SleepingRelays="1"),
            microvms=Account(cut=cut),
            schedule_speed=30,
            workers=2,
        )
        async with LocalStack(options) as stack:
            (asleep,) = await until(stack, lambda found: [relay.state for relay in found] == ["SUSPENDED"])
            assert await answered(stack) == "OK."
            first = stack.microvms.all[asleep.vm]
            assert first.snapshot is not None and first.snapshot.network.cuts > 0
            assert stack.tasks.all == []
            assert len([made for made in stack.invocations if made.route_key == "start"]) == 1
            # The one that was woken is put to sleep again, beside or in place of the one made meanwhile.
            await until(
                stack, lambda found: [relay.state for relay in found if relay.state == "SUSPENDED"] != []
            )
