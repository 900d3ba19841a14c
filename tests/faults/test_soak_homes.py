"""The soak with relays in MicroVMs: what happens to those is counted, ones that nobody knows are found."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from infra.faults import leak_check
from infra.faults.faulted_stack import FaultedStack, FaultedStackOptions
from infra.faults.judge import WENT_ON
from infra.faults.plan import Incident, Plan, Prompt, plans
from infra.faults.soak import Soak, Terms
from tests import dialect

PARAMETERS = dialect.parameters(ResumeSeconds="45", StartsPerMinute="1000")


def test_what_happens_to_microvms_changes_nothing_else_of_a_seeds_plans() -> None:
    with_vms, without = (list(islice(plans(7, has_vms=has), 300)) for has in (True, False))
    assert [(each.prompts, each.faults) for each in with_vms] == [
        (each.prompts, each.faults) for each in without
    ]
    more = [incident.kind for plan in with_vms for incident in plan.incidents if incident.kind[:2] == "vm"]
    assert set(more) == {"vm suspended", "vm lost", "vm grown old"}
    assert not [incident for plan in without for incident in plan.incidents if incident.kind[:2] == "vm"]


@pytest.mark.timeout(240)
async def test_calls_go_on_when_their_microvm_is_lost_suspended_or_old_and_none_is_left_behind() -> None:
    options = FaultedStackOptions(parameters=PARAMETERS, homes="microvm")
    async with FaultedStack(options) as faulted:
        soak = Soak(Terms(1, 1, 1, homes="microvm"), lambda tally: None)
        for number, kind in enumerate(("vm suspended", "vm lost", "vm grown old"), 300_010):
            prompts = tuple(Prompt(f"ask{number}x{index}") for index in (1, 2))
            plan = Plan(number, prompts, (), (Incident(kind, 0.5, seconds=2.0),), has_speaker=False)
            await soak.run_one(faulted, plan)
        assert soak.tally.failures(each=0) == []
        assert soak.tally.outcomes == {WENT_ON: 3}
        assert soak.tally.incidents == {"vm suspended": 1, "vm lost": 1, "vm grown old": 1}
        machines = faulted.stack.microvms.machines
        stray = machines.launch('{"RELAY_ID": "x", "RELAY_SLOT": "9", "RELAY_REVISION": "1"}', 28_800)
        assert stray.id in str((await leak_check.count(faulted)).places)
        machines.lose(stray)
        async with asyncio.timeout(30):
            await stray.news.wait()
        assert stray.id not in str((await leak_check.count(faulted)).places)
