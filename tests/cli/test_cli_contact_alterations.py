"""Alter one behaviour of the simulator, and `doctor --google` names the claim about it, and no other."""

from __future__ import annotations

import pytest

from tests.cli.alterations import ALTERATIONS, altered
from tests.cli.contact import differing, meet, real_time

#: of these a run of all tests has enough; `make contact` tries them all
SAMPLE = ("voice activity is sent", "a handle in a lock is ignored", "a call has no arguments")


def _each() -> list[object]:
    rest = [name for name in ALTERATIONS if name not in SAMPLE]
    return [*SAMPLE, *(pytest.param(name, marks=pytest.mark.contact) for name in rest)]


@real_time
@pytest.mark.parametrize("name", _each())
async def test_an_altered_behaviour_is_named_and_nothing_else(name: str) -> None:
    alteration = ALTERATIONS[name]
    with altered(alteration):
        more = {"models": alteration.models, **dict(alteration.config)}
        _, findings = await meet(alteration.claims, alteration.scenario, **more)
    assert differing(findings) == alteration.claims
