"""One run of a soak on the real stack: what is good is counted as good, what the table loses fails it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from infra.faults import soak, virtual_user
from infra.faults.faulted_stack import FaultedStack
from infra.faults.judge import WENT_ON
from infra.faults.plan import Incident, Plan, PlannedFault, Prompt
from infra.faults.soak import Soak, Terms
from infra.faults.toxics import Latency
from records.turns import Turn

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

SOON_S = 6.0  #: the next question is asked, after one whose answer has died with its relay
LATE = PlannedFault("client-relay", Latency(0.1, 0.0), 0.0, 0.5, ("up", "down"), 3)


def plan(number: int, *incidents: Incident) -> Plan:
    prompts = tuple(Prompt(f"ask{number}x{index}") for index in (1, 2))
    return Plan(number, prompts, (LATE,), incidents, has_speaker=False)


async def test_a_good_run_is_counted(faulted: FaultedStack) -> None:
    one = Soak(Terms(1, 1, 1), lambda tally: None)
    await one.run_one(faulted, plan(300_001))
    assert one.tally.failures(each=0) == []
    assert (one.tally.runs, one.tally.finished, one.tally.outcomes) == (1, 3, {WENT_ON: 1})
    assert faulted.firings["latency", "client-relay"] >= 1


async def test_a_killed_relay_loses_no_finished_turn(
    faulted: FaultedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual_user, "ANSWER_S", SOON_S)
    one = Soak(Terms(1, 1, 1), lambda tally: None)
    await one.run_one(faulted, plan(300_002, Incident("relay killed", 0.8)))
    assert one.tally.failures(each=0) == []
    assert one.tally.incidents == {"relay killed": 1}


async def test_a_table_that_loses_a_turn_fails_the_soak(
    faulted: FaultedStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = faulted.turns

    async def losing(session: str) -> list[Turn]:
        return [turn for turn in await kept(session) if turn.number != 2]

    monkeypatch.setattr(faulted, "turns", losing)
    monkeypatch.setattr(soak, "LATE_S", 0.0)
    one = Soak(Terms(1, 1, 1, evidence=tmp_path), lambda tally: None)
    await one.run_one(faulted, plan(300_003))
    assert one.tally.failures(each=0) == ["1 lost", "1 unasked"]
    assert "run 300003: turn 2: told as finished, not kept" in one.tally.findings
    evidence = (tmp_path / "run-300003.txt").read_text()
    assert "ask300003x2" in evidence
    assert "outcome='completed'" in evidence.partition("StoredTurn(number=1")[0], "as told"
    assert "outcome='completed'" in evidence.partition("StoredTurn(number=1")[2], "as kept"
    assert "'kind': 'connection.opened'" in evidence, "all of the model's connections, not their words alone"


@pytest.mark.faults
async def test_the_command_prints_one_json_object_and_nothing_else() -> None:
    flags = ["--minutes", "3", "--runs", "4", "--sessions", "2", "--seed", "11", "--json"]
    command = [sys.executable, "-m", "cli.main", "soak", *flags]
    quiet = asyncio.subprocess.DEVNULL
    done = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=quiet, cwd=Path(__file__).parents[2]
    )
    out, _ = await done.communicate()
    printed = json.loads(out)
    assert (done.returncode, printed["runs"], printed["seed"], printed["failures"]) == (0, 4, 11, [])
