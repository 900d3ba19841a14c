"""Relays that are there before anybody comes, kept by the sweep on its schedule. Real processes."""

from __future__ import annotations

import simulator
from infra.local.stack import LocalStack, Options
from records import relays
from tests import dialect
from tests.e2e.conftest import GEMINI_KEY, System
from tests.e2e.talk import user
from tests.pool import until
from tests.witness import WITNESS


async def test_a_warm_relay_comes_by_itself_does_not_leave_for_idleness_and_takes_the_first_call() -> None:
    WITNESS.keeps(GEMINI_KEY, "the model's key")
    parameters = dialect.parameters(
        WarmRelays="1", IdleSeconds="0"
    )  # a relay that is not warm leaves at its first beat
    async with simulator.serve() as model:
        options = Options(
            gemini_url=model.url, gemini_key=GEMINI_KEY, parameters=parameters, schedule_speed=30
        )
        async with LocalStack(options) as stack:
            (warm,) = await until(stack, lambda found: [relay.state for relay in found] == ["READY"])
            later = warm.heartbeat + 2 * relays.FRESH_S // 3  # two more beats, at which it could have left
            (still,) = await until(stack, lambda found: not found or found[0].heartbeat >= later)
            assert (still.id, still.state) == (warm.id, "READY")
            async with user(System(stack, model)):
                pass
            assert len(stack.tasks.all) == 1
            swept = [made for made in stack.invocations if made.function.endswith("-sweep")]
            assert len(swept) > 2 and {made.status for made in swept} == {"ok"}
        WITNESS.logs(line.text for line in stack.logs.lines)
