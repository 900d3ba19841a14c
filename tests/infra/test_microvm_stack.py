"""The local stack with relays in MicroVMs: one that sleeps, cut off, wakes; calls move to a task."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import pytest

import simulator
from infra.local.microvm.home import Account
from infra.local.microvm.network import Cut
from infra.local.stack import LocalStack, Options
from protocol import media
from tests import dialect
from tests.pool import until
from vivavoce import Conversation, Reconnecting

pytestmark = pytest.mark.timeout(240)
VMS = {"RelayHomes": "microvm", "MicrovmCode": "s3://bucket/relay.zip"}


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
            assert (await answered(stack)).endswith("OK.")
            first = stack.microvms.all[asleep.vm]
            assert first.snapshot is not None and first.snapshot.network.cuts > 0
            assert stack.tasks.all == []
            assert len([made for made in stack.invocations if made.route_key == "start"]) == 1
            # The one that was woken is put to sleep again, beside or in place of the one made meanwhile.
            await until(
                stack, lambda found: [relay.state for relay in found if relay.state == "SUSPENDED"] != []
            )


@dataclass
class Asker:
    """Types one question after the other, and keeps every event with the time at which it came."""

    call: Conversation
    events: list[tuple[float, object]] = field(default_factory=list)
    asked: int = 0
    is_answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        async for event in self.call.events():
            self.events.append((time.monotonic(), event))
            if isinstance(event, media.TurnEnded) and event.role == "agent":
                self.is_answered.set()

    async def ask(self) -> None:
        self.is_answered.clear()
        self.asked += 1
        await self.call.send_text("Say only OK.")
        async with asyncio.timeout(60):
            await self.is_answered.wait()

    def at(self, kind: type) -> list[float]:
        return [at for at, event in self.events if isinstance(event, kind)]

    def epochs(self) -> set[int]:
        return {event.e for _, event in self.events if getattr(event, "n", 0)}  # type: ignore[attr-defined]

    def check(self) -> None:
        """Every question has its answer, once; nothing came twice."""
        numbers = [(e.e, e.n) for _, e in self.events if getattr(e, "n", 0)]  # type: ignore[attr-defined]
        assert len(numbers) == len(set(numbers))
        answers = [e for _, e in self.events if isinstance(e, media.TurnEnded) and e.role == "agent"]
        turns = [each.turn for each in answers]
        assert len(turns) == self.asked and turns == sorted(
            set(turns)
        )  # one begun as it moved has a new number
        assert self.call.counters.missing_frames == self.call.counters.duplicate_events == 0


async def test_calls_begin_in_microvms_and_move_to_a_task_once_they_are_worth_one() -> None:
    scenario = simulator.parse('turns: [{when: {contains: "Say only OK"}, say: "OK."}]')
    async with simulator.serve(simulator.Config(scenario=scenario)) as model:
        options = Options(
            gemini_url=model.url,
            parameters=dialect.parameters(**{**VMS, "RelayHomes": "both"}),
            function_environment={"MICROVM_CAPACITY": "1"},
            schedule_speed=30,
            workers=2,
        )
        async with LocalStack(options) as stack, asyncio.TaskGroup() as tasks:
            new = [Conversation(stack.urls.control, stack.user().token()) for _ in range(2)]
            async with new[0], new[1]:
                askers = [Asker(call) for call in new]
                listening = [tasks.create_task(asker.listen()) for asker in askers]
                assert len(stack.microvms.all) == 2, "nobody waits for a task"
                while min(max(asker.epochs(), default=1) for asker in askers) == 1:
                    await asyncio.gather(*(asker.ask() for asker in askers))
                await asyncio.gather(*(asker.ask() for asker in askers))
                assert [task.status for task in stack.tasks.all] == ["RUNNING"]
                for asker in askers:
                    asker.check()
                    lost, live = asker.at(Reconnecting), asker.at(media.Live)
                    gaps = [min(at for at in live if at > each) - each for each in lost]
                    print(f"{asker.asked} asked, off for {', '.join(f'{gap:.3f}' for gap in gaps)} s")
                    await asker.call.end()
                await asyncio.gather(*listening)
            await until(stack, lambda found: [relay.home for relay in found] == ["fargate"])
