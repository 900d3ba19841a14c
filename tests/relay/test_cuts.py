"""Typed text through a thousand cuts: none lost, none twice. CUTS_SEED and CUTS choose others."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from tests.relay.cuts import Scene, asked

pytestmark = [pytest.mark.looptime, pytest.mark.timeout(300)]
SEED = int(os.environ.get("CUTS_SEED") or random.randrange(2**32))
CUTS = int(os.environ.get("CUTS") or 1_000)
ROUNDS = 8


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_what_was_typed_is_in_one_turn_each_and_in_order_after_a_thousand_cuts(number: int) -> None:
    print(f"CUTS_SEED={SEED} CUTS={CUTS}")
    async with asyncio.TaskGroup() as tasks:
        scene = Scene(random.Random(SEED + number), tasks)
        await scene.play(CUTS // ROUNDS)
    assert scene.killed and scene.replaced
    assert asked(scene.book) == scene.typist.typed
    answered = " ".join(kept.agent_text for _, kept in sorted(scene.book.kept.items()))
    assert answered.split() == scene.typist.typed
