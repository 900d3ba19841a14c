"""`vivavoce usage`: what a stack's table has of days, users and agents, in whole micro-dollars."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from records import budgets
from records.budgets import Limits, Spent
from records.table import Table
from tests.cli.conftest import REGION, Run

Vivavoce = Callable[..., Run]


def use(table: Table, session: str, user: str, agent: str, spent: Spent, days_ago: int = 0) -> None:
    now = int(time.time()) - days_ago * 86_400
    table.transact(*budgets.open_steps(session, user, agent, Limits(), ends_at=now + 60, now=now))
    budgets.note(table, session, 1, spent, wants=0, now=now)


def test_what_was_used_is_listed_by_day_by_user_and_by_agent(
    table: Table, stack: str, vivavoce: Vivavoce
) -> None:
    use(table, "s1", "ada", "assistant", Spent(1_234_567, 0, 600_000))
    use(table, "s2", "grace", "assistant", Spent(2_000_000, 1, 60_000))
    use(table, "s3", "ada", "kiosk", Spent(0, 50, 30_000), days_ago=1)
    use(table, "s4", "old", "kiosk", Spent(99), days_ago=8)
    asked = ("usage", "--stack", stack, "--region", REGION)
    by_user = json.loads(vivavoce(*asked, "--by", "user", "--json").out)
    assert [(row["name"], row["sessions"], row["model_micro_usd"]) for row in by_user["rows"]] == [
        ("grace", 1, 2_000_001),
        ("ada", 2, 1_234_617),
    ]
    assert [row["of_it_estimated"] for row in by_user["rows"]] == [1, 50]
    assert all(0 < row["aws_micro_usd"] < 1_000_000 for row in by_user["rows"])
    by_agent = json.loads(vivavoce(*asked, "--by", "agent", "--json").out)
    assert [row["name"] for row in by_agent["rows"]] == ["assistant", "kiosk"]
    text = vivavoce(*asked).out.splitlines()
    assert "3.2346" in text[-1] and "11.0" in text[-1], "rounded up, from whole micro-dollars"


def test_a_stack_that_nobody_used_has_nothing_to_list(table: Table, stack: str, vivavoce: Vivavoce) -> None:
    told = vivavoce("usage", "--stack", stack, "--region", REGION)
    assert (told.code, told.out.strip()) == (0, "Nothing was used.")


def test_days_that_are_none_are_refused(vivavoce: Vivavoce) -> None:
    assert "--days" in vivavoce("usage", "--stack", "viva", "--days", "0").err
