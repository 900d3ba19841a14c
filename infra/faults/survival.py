"""Every public failure of Gemini Live against the local stack: was the user answered, told, or left waiting?

One stack, one simulator; each conversation has a failure of its own, by the voice that it asks for.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

import simulator
from infra.faults.listener import End, Heard, Listener
from infra.local.stack import LocalStack, Options
from protocol.control import Config
from simulator.failures.catalogue import Failure
from simulator.scenario import Behaviour, Scenario
from simulator.server.cases import PREFIX
from vivavoce import Conversation
from vivavoce import Options as ClientOptions
from vivavoce.tools import Tool

AT_A_TIME = 6  #: conversations on two cores, with sound in real time
PATIENCE_S = 25.0  #: for an answer, beyond what the failure itself takes
MOST_SILENCE_S = 3.0  #: goal, where an answer is possible
TOLD_S = 5.0  #: goal, where it is not
PARAMETERS = {"RelayCapacity": "12", "StartsPerMinute": "1000"}
WORST: tuple[End, ...] = ("silent", "told", "answered")


@dataclass(frozen=True, slots=True)
class Result:
    """What a user had of one failure."""

    failure: Failure
    heard: tuple[Heard, ...]
    session: str = ""

    @property
    def end(self) -> End:
        """That of the question that fared worst."""
        return next(end for end in WORST if any(each.end == end for each in self.heard))

    @property
    def is_part(self) -> bool:
        """Whether an answer broke off, and nobody told."""
        return any(each.is_part for each in self.heard)

    @property
    def silence_s(self) -> float:
        """The longest."""
        return max(each.silence_s for each in self.heard)

    @property
    def codes(self) -> str:
        """By which it was told that there is no answer, each once."""
        return ", ".join(dict.fromkeys(each.code for each in self.heard if each.end == "told"))

    @property
    def is_survived(self) -> bool:
        """Whether every question was answered, or was told of, with the code that the catalogue names."""
        is_named = not self.failure.told or self.failure.told in self.codes
        return self.end != "silent" and is_named

    @property
    def is_soon(self) -> bool:
        """Whether the silence is within the goal; what the failure itself takes does not count."""
        allowed_s = MOST_SILENCE_S if self.failure.answer else TOLD_S
        return self.silence_s - self.failure.own_s <= allowed_s


@dataclass(frozen=True, slots=True)
class Survival:
    """One run over `failures`. `say` is told each result as it comes."""

    failures: Sequence[Failure]
    seed: int
    say: Callable[[Result], None]
    evidence: Path | None = None  #: folder for logs and the model's ledger, which hold words

    async def run(self) -> list[Result]:
        """In the order of the failures."""
        results: dict[str, Result] = {}
        async with AsyncExitStack() as parts:
            model = await parts.enter_async_context(simulator.serve(self._model()))
            options = Options(gemini_url=model.url, gemini_key="survival-key", parameters=PARAMETERS)
            stack = await parts.enter_async_context(LocalStack(options))
            await self._warm_up(stack)
            waiting = iter(self.failures)
            async with asyncio.TaskGroup() as tasks:
                for _ in range(AT_A_TIME):
                    tasks.create_task(self._work(stack, model, waiting, results))
            if self.evidence:
                _write_evidence(self.evidence, stack, model, results)
        return [results[failure.name] for failure in self.failures]

    async def _work(
        self,
        stack: LocalStack,
        model: simulator.Running,
        waiting: Iterator[Failure],
        results: dict[str, Result],
    ) -> None:
        for failure in waiting:
            results[failure.name] = await self._meet(stack, model, failure)
            self.say(results[failure.name])

    async def _meet(self, stack: LocalStack, model: simulator.Running, failure: Failure) -> Result:
        listener = Listener(PATIENCE_S + failure.own_s, partial(_answer_s, model, failure.name))
        options = ClientOptions(config=Config(voice=f"{PREFIX}{failure.name}"))
        token = stack.user(f"user of {failure.name}").token()
        call = Conversation(
            stack.urls.control,
            token,
            agent="assistant",
            tools=_TOOLS,
            speaker=listener.speaker,
            options=options,
        )
        await listener.talk(call, failure.user)
        return Result(failure, tuple(listener.heard), call.session)

    async def _warm_up(self, stack: LocalStack) -> None:
        """Start a relay, so that its start is not counted among the silences."""
        async with Conversation(stack.urls.control, stack.user("first").token(), agent="assistant") as call:
            await call.end()

    def _model(self) -> simulator.Config:
        own = Scenario(settings=Behaviour(voice="synthetic", dialect="profile", seed=self.seed))
        cases = {failure.name: _seeded(failure.scenario, self.seed) for failure in self.failures}
        return simulator.Config(scenario=own, cases=cases)


def _answer_s(model: simulator.Running, case: str, since_s: float) -> float:
    """Length of the newest answer of a case that the model began at or after then; 0 for none."""
    connections = {line["connection"] for line in model.ledger.where("case.taken", case=case)}
    begun = (line for line in model.ledger.where("answer.begun") if line["connection"] in connections)
    return float(max((line["duration_s"] for line in begun if line["epoch_s"] >= since_s), default=0.0))


def _seeded(scenario: Scenario, seed: int) -> Scenario:
    return msgspec.structs.replace(scenario, settings=msgspec.structs.replace(scenario.settings, seed=seed))


async def _weather(args: dict[str, object]) -> object:
    """Weather of a place."""
    return "sunny"


async def _slow(args: dict[str, object]) -> object:
    """Something that takes its time."""
    await asyncio.sleep(2.0)
    return "done"


_TOOLS: Mapping[str, Tool] = {"get_weather": Tool(_weather), "slow_tool": Tool(_slow)}


def p95(values: Sequence[float]) -> float:
    """0 for none."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)] if values else 0.0


def _write_evidence(
    folder: Path, stack: LocalStack, model: simulator.Running, results: Mapping[str, Result]
) -> None:
    (folder / "stack.log").write_text("\n".join(f"{line.source}: {line.text}" for line in stack.logs.lines))
    (folder / "model.jsonl").write_text("\n".join(json.dumps(line) for line in model.ledger.lines))
    lines = [f"{time.strftime('%F %T')}"]
    for result in results.values():
        lines.append(f"{result.failure.name} {result.session}")
        lines += [f"  {each}" for each in result.heard]
    (folder / "heard.txt").write_text("\n".join(lines))
