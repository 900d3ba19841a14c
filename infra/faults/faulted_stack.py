"""The local stack with a fault proxy on every link between its parts.

client ─client-gateway─▶ gateway ─▶ functions ─function-dynamodb─▶ moto
   │                                    └───────function-google──▶ model (POST auth_tokens)
   └───client-relay─▶ edge ─▶ relay ─relay-dynamodb─▶ moto
                                └────relay-gemini──▶ model
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

import simulator
from infra.faults.clock import JumpingClock
from infra.faults.link import Firings, Link
from infra.faults.memory_probe import MemoryProbe
from infra.local.endpoint import AwsError
from infra.local.microvm.home import Account
from infra.local.microvm.machine import Machine
from infra.local.microvm.network import Cut
from infra.local.stack import ROOT, LocalStack, Options
from infra.local.tasks import RelayTask
from records import turns
from records.table import Table
from simulator.scenario import Behaviour, Scenario
from vivavoce import Conversation
from vivavoce import Options as ClientOptions
from vivavoce.reactions import Speaker

Homes = Literal["fargate", "microvm", "both"]

LINKS = (
    "client-gateway",
    "client-relay",
    "relay-gemini",
    "relay-dynamodb",
    "function-dynamodb",
    "function-google",
)


@dataclass(frozen=True, slots=True)
class FaultedStackOptions:
    """Options of a faulted stack."""

    time_scale: float = 8.0  #: of the model
    behaviour: Behaviour = field(default_factory=lambda: Behaviour(voice="synthetic"))
    parameters: Mapping[str, str] = field(default_factory=dict)  #: of the template
    homes: Homes = "fargate"  #: with any other one MicroVM sleeps while nobody needs it
    suspension: Cut = "resets"  #: what is seen of one under a call


class FaultedStack:
    """Local stack, model and fault proxies: `async with FaultedStack(FaultedStackOptions()) as faulted:`."""

    def __init__(self, options: FaultedStackOptions) -> None:
        self.links = {name: Link(name) for name in LINKS}
        self._options = options
        self._parts = AsyncExitStack()
        self._model_port = 0
        self._model_parts = AsyncExitStack()
        self._restarting = asyncio.Lock()  # a model takes seconds to stop: another one may be due
        self._count = 0
        self._answers: list[str] = []
        self._read_to = 0  #: of the model's ledger

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as parts:
            folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="faulted-stack-")))
            for link in self.links.values():
                await parts.enter_async_context(link)
            self.relay_clock = JumpingClock(folder / "relay", ROOT)
            self.function_clock = JumpingClock(folder / "function", ROOT)
            self.memory_probe = MemoryProbe(folder)
            await self._start_model()
            parts.push_async_callback(self._stop_model)
            self.stack = await parts.enter_async_context(LocalStack(self._stack_options()))
            self.table = Table(self.stack.client("dynamodb"), self.stack.table)
            self._set_targets()
            self._parts = parts.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    # ---- parts

    def conversation(self, speaker: Speaker | None = None) -> Conversation:
        """Create a client, not yet connected, of a new user."""
        self._count += 1
        token = self.stack.user(f"user-{self._count}").token()
        control = urlsplit(self.stack.urls.control)
        url = control._replace(netloc=self.links["client-gateway"].address).geturl()
        return Conversation(url, token, agent="assistant", speaker=speaker, options=ClientOptions())

    async def turns(self, session: str) -> list[turns.Turn]:
        """Turns of a session in the table."""
        return await asyncio.to_thread(turns.list_all, self.table, session)

    def answers(self) -> list[str]:
        """Texts of all answers that the model has begun, across its restarts."""
        for line in self.model.ledger.after(self._read_to, 1_000_000):
            self._read_to = line["n"]
            if line["kind"] == "answer.begun":
                self._answers.append(line["text"])
        return self._answers

    @property
    def relays(self) -> list[RelayTask]:
        """Running relay tasks."""
        return [task for task in self.stack.tasks.all if task.status == "RUNNING"]

    @property
    def firings(self) -> Firings:
        """Number of faults that have acted, by kind and link."""
        return sum((link.firings for link in self.links.values()), Firings())

    # ---- incidents

    def kill_relay(self, number: int) -> bool:
        """SIGKILL to one of the relays. False when there is none."""
        alive = [task.process_id for task in self.relays if task.process_id]
        if not alive:
            return False
        os.kill(alive[number % len(alive)] or 0, signal.SIGKILL)
        return True

    @property
    def vms(self) -> list[Machine]:
        """MicroVMs that run."""
        return [machine for machine in self.stack.microvms.all.values() if machine.state == "RUNNING"]

    def vm(self, number: int) -> Machine | None:
        """One of the MicroVMs that run. None when there is none."""
        running = self.vms
        return running[number % len(running)] if running else None

    async def suspend_vm(self, number: int, for_s: float) -> bool:
        """Suspend one, whatever calls it has, and wake it after `for_s`. False when there is none."""
        machine = self.vm(number)
        if machine is None:
            return False
        with contextlib.suppress(AwsError):  # the sweep may do either first
            self.stack.microvms.machines.suspend(machine)
            await asyncio.sleep(for_s)
            async with machine.turn:  # it may not have been suspended yet
                pass
            self.stack.microvms.machines.wake(machine)
        return True

    def lose_vm(self, number: int) -> bool:
        """End one without a word to it. False when there is none."""
        machine = self.vm(number)
        if machine is not None:
            self.stack.microvms.machines.lose(machine)
        return machine is not None

    def age_vm(self, number: int, left_s: float) -> bool:
        """Have one reach the end of its eight hours in `left_s`. False when there is none."""
        machine = self.vm(number)
        if machine is not None:
            self.stack.microvms.machines.age(machine, left_s)
        return machine is not None

    async def restart_model(self) -> None:
        """Restart the model without its state: earlier resumption handles are unknown."""
        async with self._restarting:
            await self._stop_model()
            await self._start_model()

    # ---- building

    async def _start_model(self) -> None:
        scenario = Scenario(settings=self._options.behaviour)
        config = simulator.Config(
            port=self._model_port, time_scale=self._options.time_scale, scenario=scenario
        )
        self.model = await self._model_parts.enter_async_context(simulator.serve(config))
        self._model_port = urlsplit(self.model.url).port or 0
        self._read_to = 0

    async def _stop_model(self) -> None:
        await self._model_parts.aclose()
        self.answers()  # also of what it began while it stopped

    def _stack_options(self) -> Options:
        address = {name: link.address for name, link in self.links.items()}
        relay = {
            "GEMINI_URL": f"http://{address['relay-gemini']}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://{address['relay-dynamodb']}",
            **self.relay_clock.environment,
            **self.memory_probe.environment,
        }
        function = {
            "GEMINI_URL": f"http://{address['function-google']}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://{address['function-dynamodb']}",
            **self.function_clock.environment,
        }
        return Options(
            gemini_url=self.model.url,
            gemini_key="faulted-stack-key",
            parameters={
                "MediaUrl": f"ws://{address['client-relay']}",
                **self._home_parameters(),
                **self._options.parameters,
            },
            microvms=Account(cut=self._options.suspension),
            relay_environment=relay,
            function_environment=function,
        )

    def _home_parameters(self) -> dict[str, str]:
        if self._options.homes == "fargate":
            return {}
        homes = {"RelayHomes": self._options.homes, "SleepingRelays": "1"}
        return {**homes, "MicrovmCode": "s3://bucket/relay.zip"}

    def _set_targets(self) -> None:
        """Set the target of every link."""
        stack, model = self.stack, urlsplit(self.model.url).netloc
        store = urlsplit(stack.region.default_url).netloc
        targets = {
            "client-gateway": urlsplit(stack.urls.control).netloc,
            "client-relay": urlsplit(stack.urls.media).netloc,
            "relay-gemini": model,
            "relay-dynamodb": store,
            "function-dynamodb": store,
            "function-google": model,
        }
        for name, target in targets.items():
            self.links[name].target = target
