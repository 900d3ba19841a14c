"""`vivavoce drain`: which relays are ordered to drain, here and in a stack, and the output when none is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from infra.local.breaks import add_breaks, drain_relays
from infra.local.endpoint import Endpoint, listen
from infra.local.page import LocalUser, page_app
from records import relays
from records.table import Table
from tests.cli.conftest import REGION, Run

Vivavoce = Callable[..., Run]


def up(table: Table, *names: str) -> None:
    for slot, name in enumerate(names):
        now = int(time.time())
        relays.register(table, name, slot=str(slot), revision="1", capacity=5, now=now)
        relays.ready(table, name, f"{name}.example:80", now)


def orders(table: Table, name: str) -> set[str]:
    return relays.heartbeat(table, name, 0, int(time.time()))


def test_all_relays_of_a_stack_are_told(vivavoce: Vivavoce, table: Table, stack: str) -> None:
    up(table, "r1", "r2")
    run = vivavoce("drain", "--stack", stack, "--region", REGION)
    assert (run.code, run.out) == (0, "2 told to leave: r1 r2\n")
    assert orders(table, "r1") == orders(table, "r2") == {"drain"}


def test_one_relay_may_be_named(vivavoce: Vivavoce, table: Table, stack: str) -> None:
    up(table, "r1", "r2")
    assert vivavoce("drain", "--stack", stack, "--region", REGION, "--relay", "r2").code == 0
    assert (orders(table, "r1"), orders(table, "r2")) == (set(), {"drain"})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--stack", "viva", "--region", REGION], "no relay is running"),
        (["--stack", "viva", "--region", REGION, "--relay", "r9"], "no relay r9 is running"),
        (["--stack", "other", "--region", REGION], "there is no stack of that name"),
        (["--relay", "r1"], "--relay needs --stack"),
        (["--url", "http://127.0.0.1:9"], "nothing answers at http://127.0.0.1:9"),
        (["--url", "nonsense"], "nothing answers at nonsense"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    vivavoce: Vivavoce, stack: str, arguments: list[str], complaint: str
) -> None:
    run = vivavoce("drain", *arguments)
    assert run.code > 0 and complaint in run.complaint


async def test_a_local_stack_is_told_by_its_page(vivavoce: Vivavoce, table: Table) -> None:
    app: Any = page_app("ws://127.0.0.1:1/v1", LocalUser(secret="s" * 32))
    add_breaks(app, {"drain": drain_relays(lambda: table)})
    async with Endpoint(app, listen()) as endpoint:
        nobody = await asyncio.to_thread(vivavoce, "drain", "--url", endpoint.url)
        assert nobody.code == 1 and "no relay is running" in nobody.complaint
        up(table, "r1")
        run = await asyncio.to_thread(vivavoce, "drain", "--url", endpoint.url)
    assert (run.code, run.out) == (0, "The relays were told to leave.\n")
    assert orders(table, "r1") == {"drain"}
